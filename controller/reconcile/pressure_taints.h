// Taints that say what a node's pressure conditions say, so that the scheduler has one thing to
// look at and a pod can put up with it. Kubernetes' names.
#pragma once

#include "cluster/v1/node.pb.h"

namespace cluster::controller {

inline constexpr char kMemoryPressureTaint[] = "node.kubernetes.io/memory-pressure";
inline constexpr char kDiskPressureTaint[] = "node.kubernetes.io/disk-pressure";
inline constexpr char kPidPressureTaint[] = "node.kubernetes.io/pid-pressure";

// True when FollowPressure has something to do.
bool PressureDiffers(const v1::Node& node);
// Adds and takes away these three, NoSchedule, by the conditions; other taints stay as they are.
// False when nothing was to do.
bool FollowPressure(v1::Node* node);

}  // namespace cluster::controller
