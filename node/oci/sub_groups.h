// Where below a container's cgroup another process goes: `exec --cgroup`, as runc reads it.
//
// Single-threaded.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/cgroup/layout.h"
#include "node/oci/cgroup_group.h"

namespace cluster::oci {

// By controller; "" stands for every hierarchy and then is the only one.
using SubGroupPaths = std::map<std::string, std::string>;

// Each "PATH", alone, or "CONTROLLER[,CONTROLLER...]:PATH". Pure. InvalidArgument: several without
// a controller, one controller twice, a path that leads out of the container's own group.
absl::StatusOr<SubGroupPaths> ParseSubGroups(const std::vector<std::string>& texts);

// The groups that one process joins.
class ProcessGroups {
 public:
  // `layout` must outlive this. NotFound: no such group; InvalidArgument: no v1 hierarchy holds the
  // controller.
  static absl::StatusOr<ProcessGroups> Open(const node::CgroupLayout* layout,
                                            const std::string& container,
                                            const SubGroupPaths& paths);

  // The v2 directory that it is born into, or -1.
  int unified_fd() const;
  // One O_WRONLY descriptor for each v1 hierarchy.
  absl::StatusOr<std::vector<UniqueFd>> OpenTasks() const;

 private:
  explicit ProcessGroups(Group own) : own_(std::move(own)) {}

  absl::Status MoveAll(Group to, const std::string& below);

  Group own_;
  std::optional<Group> everywhere_;      // instead of `own_`
  std::map<std::string, Group> others_;  // by controller
};

}  // namespace cluster::oci
