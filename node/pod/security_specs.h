// From security contexts and annotations to what the runtime is asked for. Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "cluster/v1/pod.pb.h"
#include "node/runtime/runtime.h"

namespace cluster::node {

// Without a user namespace of its own: hostUsers where it is written, else what the rest of the pod
// needs.
bool UsesNodeUsers(const v1::PodSpec& pod);

// The namespaces and sysctls of the pod.
void FillSandboxSecurity(const v1::PodSpec& pod, SandboxSpec* spec);

// `image_user` is the image's USER. FailedPrecondition: it must not run as root, and does or may.
absl::StatusOr<SecuritySpec> SecuritySpecOf(const v1::PodSpec& pod, const std::string& container,
                                            const v1::SecurityContext& context,
                                            const std::string& image_user);

// The annotations cluster.v1/time-offset-boottime and -monotonic. None without them, and for what
// is no number (the controller refuses that).
std::optional<TimeOffsets> TimeOffsetsOf(const v1::ObjectMeta& meta);

}  // namespace cluster::node
