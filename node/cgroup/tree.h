// The groups of one node: <parent>/pod<uid>/<leaf> in every hierarchy that they need. A pod's group
// carries its limits as a whole; processes live only in leaves: one per container instance, and one
// for cluster-init, which must outlive a kill of the containers. Pods stand side by side whatever
// their QoS class, so that their cpu shares compete as their requests say.
//
// Nothing outside the parent is touched, except that on v2 its ancestors get our controllers
// enabled in cgroup.subtree_control. All methods may be called from any thread and are idempotent;
// what they make is found again by List, so that nothing needs a journal.
#pragma once

#include <fcntl.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/unique_handle.h"
#include "node/cgroup/device_program.h"
#include "node/cgroup/group.h"
#include "node/cgroup/layout.h"
#include "node/cgroup/limits.h"

namespace cluster::node {

// The leaf of a pod's cluster-init. No container instance has this name: those end in "-<attempt>".
inline constexpr char kInitLeaf[] = "cluster-init";

// openat(2): a group's directory as a place alone, never through a link.
inline constexpr int kOpenGroup = O_PATH | O_DIRECTORY | O_NOFOLLOW;

struct FoundPod {
  std::string uid;
  std::vector<std::string> leaves;  // sorted
};

class CgroupTree {
 public:
  // Makes `parent` ("/cluster/node1") in every hierarchy that we use, with the weight of all cores.
  // InvalidArgument for a parent that is not absolute, is "/" or holds ".."; FailedPrecondition
  // when v2 refuses a controller because processes sit in an ancestor, or when there is nothing
  // that could keep containers from the machine's devices.
  static absl::StatusOr<std::unique_ptr<CgroupTree>> Open(CgroupLayout layout, std::string parent);

  const CgroupLayout& layout() const { return layout_; }

  // Make the group where it is missing, then set its limits. `uid` and `leaf` are single path
  // components: InvalidArgument otherwise. The leaf's pod must exist: NotFound.
  absl::StatusOr<CgroupGroup> MakePod(const std::string& uid, const CgroupLimits& limits);
  absl::StatusOr<CgroupGroup> MakeLeaf(const std::string& uid, const std::string& leaf,
                                       const CgroupLimits& limits);
  // For cluster-init. Where v1 counts, a process may live in the pod's own group: no leaf is made
  // in there, only in the v2 tree.
  absl::StatusOr<CgroupGroup> MakeInitLeaf(const std::string& uid, const CgroupLimits& limits);
  // On hybrid machines the v2 tree has no controllers: there the group can be made in it alone, for
  // CLONE_INTO_CGROUP, and the rest with MakePod and MakeLeaf while the process is under way.
  // Elsewhere the descriptor is invalid.
  absl::StatusOr<UniqueFd> MakeBirthplace(const std::string& uid, const std::string& leaf);
  // The parent itself: what all pods together use, and may use.
  absl::StatusOr<CgroupGroup> FindWhole() { return Find("."); }
  absl::Status LimitWhole(const CgroupLimits& limits);
  // A fresh group below a leaf, "<prefix>-<number>", in the hierarchy that says which processes are
  // alive and in no other: whoever is in it counts for the leaf in all else. NotFound without the
  // leaf.
  absl::StatusOr<CgroupGroup> MakeNest(const std::string& uid, const std::string& leaf,
                                       const std::string& prefix);
  // Ends what is in the leaf's nests of this prefix and removes them. Unavailable while something
  // in there does not end.
  absl::Status RemoveNests(const std::string& uid, const std::string& leaf,
                           const std::string& prefix, absl::Duration patience);
  // Ok when it is gone already; Unavailable while a process is inside.
  absl::Status RemoveNest(const CgroupGroup& nest);
  // NotFound.
  absl::StatusOr<CgroupGroup> FindPod(const std::string& uid);
  absl::StatusOr<CgroupGroup> FindLeaf(const std::string& uid, const std::string& leaf);

  // Removes the group and everything below it; ok when it is gone already. Unavailable while a
  // process is inside: kill it and call again.
  absl::Status RemovePod(const std::string& uid);
  absl::Status RemoveLeaf(const std::string& uid, const std::string& leaf);

  // Every pod group below the parent in any hierarchy, sorted by uid.
  absl::StatusOr<std::vector<FoundPod>> List();

  // Removes the parent itself, and its ancestors as far as they are empty: the end of a node.
  absl::Status RemoveParent();

 private:
  // One hierarchy, with the parent's directory in it.
  struct Root {
    bool v2 = false;
    std::string mount_point;
    std::vector<std::string> controllers;  // of those we use
    UniqueFd directory;
  };

  CgroupTree(CgroupLayout layout, std::string parent);
  absl::Status ChooseDeviceGuard();
  std::vector<Root> PlanRoots() const;
  absl::Status LimitDevices(const CgroupGroup& group, const DeviceRules& rules);
  absl::Status MakeParent(Root& root);
  static absl::Status WeighAsTheMachine(const Root& root, int directory);
  // What a group needs before it can have children.
  static absl::Status PrepareInner(const Root& root, int directory, const std::string& path);
  bool InOwnCpuset(const Root& root, const std::string& path) const;
  absl::StatusOr<CgroupGroup> Make(const std::string& path, bool inner, const CgroupLimits& limits);
  absl::StatusOr<CgroupGroup> Find(const std::string& path);
  absl::Status Remove(const std::string& path);
  const Root& LifeCycleRoot() const;

  const CgroupLayout layout_;
  const std::string parent_;
  std::vector<Root> roots_;
  // Programs on the v2 tree guard devices; otherwise the v1 controller does.
  bool guards_by_program_ = false;
  DevicePrograms programs_;
  std::atomic<uint64_t> nests_{0};
};

}  // namespace cluster::node
