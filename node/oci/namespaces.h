// The namespaces of a container: which to make, which to join, and the clone that does it.
// namespaces(7), user_namespaces(7), time_namespaces(7).
//
// Single-threaded, as are all who call it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/oci/config.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace cluster::oci {

struct NamespacePlan {
  uint64_t new_flags = 0;  // for clone3: new ones, without time and without a late cgroup namespace
  bool new_time = false;
  bool late_cgroup = false;  // unshared by the process itself, once it is in its v1 groups
  std::vector<std::pair<int, UniqueFd>> joined;  // flag, descriptor; in the order of joining
  std::string time_offsets;                      // for /proc/self/timens_offsets
  std::function<absl::Status()> enter;           // what else to join, with all our rights
};

// Opens the paths. InvalidArgument: a path that is no namespace, or one of another kind.
// `cgroup2_alone`: without v1 hierarchies, the cgroup namespace can be made by clone3.
absl::StatusOr<NamespacePlan> PlanNamespaces(const Linux& config, bool cgroup2_alone);

struct Clone {
  pid_t pid = 0;  // in our pid namespace
  UniqueFd pidfd;
};

// Runs `child`, which does not return, in a process of these namespaces: our own child, with
// SIGCHLD at its end. `cgroup2`: v2 directory to be born in, or -1. What is to be joined is joined
// with all our rights before the new ones are made, by a process in between: ours stay as they are.
absl::StatusOr<Clone> CloneInto(const NamespacePlan& plan, int cgroup2,
                                const std::function<void()>& child);

// "0 100000 65536\n..."
std::string MappingText(const std::vector<IdMapping>& mappings);
absl::Status WriteIdMappings(pid_t pid, const std::vector<IdMapping>& uids,
                             const std::vector<IdMapping>& gids);

// A user namespace with these ids and without a process, for idmapped mounts.
absl::StatusOr<UniqueFd> MakeUserNamespace(const std::vector<IdMapping>& uids,
                                           const std::vector<IdMapping>& gids);

}  // namespace cluster::oci
