// From what a pod or container may have to the limits of its cgroup. Pure but for FindDisks.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

#include "node/cgroup/layout.h"
#include "node/cgroup/limits.h"
#include "node/runtime/runtime.h"

namespace cluster::node {

// `default_pids` where the resources set none; 0 = no limit of its own. Huge pages of a size that
// was not asked for are limited to none wherever the machine has such.
CgroupLimits LimitsOf(const CgroupLayout& layout, const Resources& resources, int64_t default_pids);

// Fills in the numbers of the disks that are named. FailedPrecondition: there is no such block
// device. Reads /dev.
absl::Status FindDisks(Resources* resources);

// Room for both: what a pod's group gets while its containers go from one to the other.
Resources LooserOf(const Resources& a, const Resources& b);

}  // namespace cluster::node
