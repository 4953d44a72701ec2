// What is left on this machine, or in the part of it that pods may use. See proc(5), statvfs(3).
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "node/cgroup/tree.h"
#include "node/eviction/thresholds.h"

namespace cluster::node {

// Reads /proc, the file system of `state_dir`, and the limits and use of all pods together: where
// those are limited to less than the machine has, that is what can run out.
absl::StatusOr<NodeNumbers> ReadNodeNumbers(CgroupTree& cgroups, const std::string& state_dir);

}  // namespace cluster::node
