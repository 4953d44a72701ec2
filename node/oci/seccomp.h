// linux.seccomp of config.json as a program for the kernel, and its listener's way to the agent
// that answers for it. seccomp(2), seccomp_unotify(2)
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "node/oci/config.h"
#include "node/oci/identity.h"

namespace cluster::oci {

// `capabilities`: the process' bounding set. InvalidArgument: a flag, action or call that is not
// known, or a listener that could never hear of its first call.
absl::StatusOr<SeccompFilter> CompileSeccomp(const Seccomp& config, uint64_t capabilities);

// The part that does not take compiling.
SeccompFilter ListenerOf(const Seccomp& config);

// Takes descriptor `number` out of the process and sends it, with the container's state, to the
// socket at the filter's listener path.
absl::Status HandOverListener(const SeccompFilter& filter, int pidfd, const std::string& number,
                              const std::string& state, pid_t pid);

}  // namespace cluster::oci
