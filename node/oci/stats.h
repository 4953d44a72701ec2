// What a container uses, read from its cgroup and given in the form that callers of `runc events`
// read.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "node/oci/cgroup_group.h"

namespace cluster::oci {

// {"cpu": ..., "memory": ..., "pids": ..., "blkio": ..., "hugetlb": ...}: one line of JSON.
// Controllers that the machine does not have are left out.
absl::StatusOr<std::string> ReadStats(const Group& group);

// Numbers of lines "key number". Pure.
uint64_t StatField(absl::string_view text, absl::string_view key);

}  // namespace cluster::oci
