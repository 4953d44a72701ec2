// Probes, hooks and what else is about the life of one container.
#pragma once

#include "cluster/v1/pod.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// What a container is within its pod: not every kind may have everything.
enum class ContainerRole { kApp, kInit, kSidecar };

// Probes, lifecycle, terminationMessagePath and restartPolicy. `grace` is the pod's.
void CheckLife(const v1::Container& container, ContainerRole role, int64_t grace, const Path& path,
               Findings* findings);

void CheckTerminationPath(const std::string& text, const Path& path, Findings* findings);

}  // namespace cluster
