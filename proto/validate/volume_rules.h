// Volumes, and the claims that some of them are.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

#include "cluster/v1/persistentvolumeclaim.pb.h"
#include "cluster/v1/pod.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// spec.volumes, and the volumeMounts of every container.
void CheckVolumes(const v1::PodSpec& spec, const Path& path, Findings* findings);

// "" where a volume may be seen at `path`, else one sentence.
std::string MountPathProblem(absl::string_view path, bool privileged);

void CheckClaim(const v1::PersistentVolumeClaimSpec& spec, const Path& path, Findings* findings);
// All but a growing request is fixed.
void CheckClaimKept(const v1::PersistentVolumeClaimSpec& before,
                    const v1::PersistentVolumeClaimSpec& after, Findings* findings);

}  // namespace cluster
