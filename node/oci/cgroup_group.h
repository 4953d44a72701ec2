// The cgroup of one container at the path that its config.json names: the same path in every
// hierarchy, v1 and v2 alike. Limits go to whichever holds the controller; life cycle (kill,
// freeze, emptiness) goes through the v2 tree wherever there is one, also on hybrid machines. Named
// v1 hierarchies have it, too: what runs systemd inside looks for its group there.
//
// Single-threaded.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/unique_handle.h"
#include "node/cgroup/group.h"
#include "node/cgroup/layout.h"
#include "node/oci/cgroup_plan.h"

namespace cluster::oci {

// "/a/b" as it is; "a/b" and "" below a group of this runtime's own: "/cluster-oci/a/b",
// "/cluster-oci/ID".
std::string GroupPathOf(const std::string& cgroups_path, const std::string& id);

// How long the kernel may take to end what was killed.
inline constexpr absl::Duration kGroupEndTime = absl::Seconds(10);

class Group {
 public:
  // Nothing is made yet. `layout` must outlive the group.
  Group(const node::CgroupLayout* layout, std::string path);
  Group(Group&&) = default;

  // What is there of it. A group that is gone has no member and no process.
  static absl::StatusOr<Group> Open(const node::CgroupLayout* layout, const std::string& path);

  // Makes the v2 directory, which is all that clone3 needs; no-op without a v2 tree. `controllers`
  // are enabled for it on hybrid machines, where the v2 tree has few; elsewhere all are.
  // FailedPrecondition when the group exists and is frozen or holds processes (it is somebody
  // else's), or when v2 refuses a controller because processes sit in an ancestor.
  absl::Status MakeUnified(const std::vector<std::string>& controllers);
  // The v1 hierarchies.
  absl::Status MakeRest();
  // Takes away what the two above made. For starts that fail; best effort.
  void TakeBack();

  absl::Status Apply(const std::vector<GroupWrite>& writes) const;

  const std::string& path() const { return path_; }
  int unified_fd() const;
  // One O_WRONLY descriptor per v1 hierarchy: a single-threaded process writes "0" to each.
  absl::StatusOr<std::vector<UniqueFd>> OpenTasks() const;
  // The one of the v1 hierarchy that holds the controller, which must be there (HasV1).
  absl::StatusOr<UniqueFd> OpenTasksOf(absl::string_view controller) const;
  bool HasV1(absl::string_view controller) const { return PlaceOf(controller, false) != nullptr; }
  // Descriptor of the directory of a controller, whichever version; -1 = none.
  int DirectoryOf(absl::string_view controller, bool* v2) const;

  // Waits until every task stands still; thawed again when it does not come to that.
  absl::Status Freeze() const;
  absl::Status Thaw() const;
  absl::StatusOr<bool> Frozen() const;

  // Takes a process back that somebody moved to another group of the v1 freezer: where that one is
  // frozen, it would not even die.
  absl::Status Reclaim(int pid) const;

  // Every process of it and of the groups below at once.
  absl::Status Kill() const;
  absl::Status AwaitEmpty(absl::Duration timeout) const;
  // Of it and of the groups below, ascending.
  absl::StatusOr<std::vector<int>> Processes() const;
  // With the groups below. Unavailable while a process is inside.
  absl::Status Remove();

  bool empty() const { return places_.empty(); }

 private:
  struct Place {
    bool v2 = false;
    std::string mount_point;
    std::vector<std::string> controllers;
    UniqueFd directory;
    std::vector<std::string> made;  // paths below the mount point, outermost first
  };
  // One for each v1 hierarchy, of which nothing is open or made yet.
  static std::vector<Place> V1Places(const node::CgroupLayout& layout);
  absl::Status Make(Place* place, const std::vector<std::string>& enabled);
  absl::Status Walk(Place* place, const std::vector<std::string>& enabled);
  absl::Status RefuseOccupied(const Place& place) const;
  const Place* PlaceOf(absl::string_view controller, bool v2) const;
  const Place* LifeCycle() const;
  absl::StatusOr<node::CgroupGroup> AsNodeGroup() const;

  const node::CgroupLayout* layout_;
  std::string path_;
  std::vector<Place> places_;  // the v2 one first
};

}  // namespace cluster::oci
