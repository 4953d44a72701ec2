// The cgroups of a local cluster: one parent per part, in every hierarchy that the machine has.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::cli {

// Mount points of every cgroup hierarchy, v2 first. `mountinfo` as in proc(5).
struct CgroupMounts {
  std::string v2;               // empty when there is none
  std::vector<std::string> v1;  // one per hierarchy
};
CgroupMounts ParseCgroupMounts(absl::string_view mountinfo);
absl::StatusOr<CgroupMounts> FindCgroupMounts();

// The directory whose cgroup.procs a part's program joins: "<v2 or a v1 hierarchy>/GROUP/agent".
absl::StatusOr<std::string> MakeAgentGroup(const std::string& group);

// Kills every process in the group and below, in whatever hierarchy, and waits until they are gone
// (DeadlineExceeded after ten seconds, naming one that stays).
absl::Status KillGroup(const std::string& group);

// Removes the group and everything below it from every hierarchy. Its processes must be gone.
absl::Status RemoveGroup(const std::string& group);

// Processes in the group and below, each once.
absl::StatusOr<std::vector<int>> ProcessesOf(const std::string& group);

}  // namespace cluster::cli
