// What the scheduler knows of a cluster: nodes with their usage, pods with their shapes, who is
// near whom, who waits.
//
// Kept up with changes: Note each change of the view, then Sync. A change of what few pods do costs
// what it touches; nodes that come, go or change their labels have everything computed anew. It
// never differs from one that is made of the same view.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"

#include "controller/cache/view.h"
#include "controller/scheduler/node_usage.h"
#include "controller/scheduler/pod_shape.h"
#include "controller/scheduler/term_index.h"

namespace cluster::controller {

inline constexpr int kNowhere = -1;

struct PodRecord {
  KeptEntry entry;
  PodShape* shape = nullptr;
  GroupId group = 0;
  // Where it differs from the shape's (a container that is being resized).
  std::unique_ptr<PodRequest> own_request;
  int node = kNowhere;
  bool ending = false;   // being deleted
  bool leaving = false;  // for the time of a plan: to be ended for another
  bool waiting = false;  // to be placed

  const PodRequest& request() const {
    return own_request != nullptr ? *own_request : shape->request;
  }
  OwnerId counted_owner() const { return ending ? 0 : shape->owner; }
};

// More priority first; of the same those that others make room for, or an older one would take it;
// then first come, first served; ties by key.
using QueueKey = std::tuple<int64_t, bool, int64_t, int32_t, std::string>;

class ClusterState {
 public:
  ClusterState() = default;
  explicit ClusterState(const View& view) { Reset(view); }
  ClusterState(const ClusterState&) = delete;
  ClusterState& operator=(const ClusterState&) = delete;
  ~ClusterState();

  void Reset(const View& view);
  // nullptr before: created; after: deleted. In the order of the view's own changes.
  void Note(const EntryPtr& before, const EntryPtr& after);
  // Afterwards this is as if made of `view`, which holds everything that was noted.
  void Sync(const View& view);

  // Ordered by name.
  const std::vector<NodeUsage>& nodes() const { return nodes_; }
  const std::vector<PodRecord*>& PodsOn(int node) const {
    return pods_on_[static_cast<size_t>(node)];
  }
  // kNowhere when there is no such node.
  int NodeNamed(const std::string& name) const;
  TermIndex& terms() { return terms_; }
  const TermIndex& terms() const { return terms_; }
  const absl::btree_map<QueueKey, PodRecord*>& queue() const { return queue_; }
  // nullptr when it is not known, or has ended.
  PodRecord* Find(const std::string& pod_key) const;
  // How many pods with nodes there are of each priority.
  const std::map<int32_t, int>& priorities() const { return priorities_; }
  // See image_worth.h; the image as nodes list it.
  int64_t ImageWorth(int node, const std::string& image) const;

  // The pod takes its place on the node from now on, or gives it up. For the time of a plan: the
  // view knows nothing of it, so each is taken back.
  void Place(PodRecord* pod, int node);
  void Displace(PodRecord* pod);
  // The pod is to be ended for another: whoever looks for room may count on its.
  void SetLeaving(PodRecord* pod, bool leaving);
  int64_t leaving_version() const { return leaving_version_; }
  // A record for a pod of its own, known to nobody else. Not placed; goes with the state, at the
  // latest with the next Reset.
  PodRecord* Guest(const EntryPtr& pod);

  // Nodes where there is more room, or whose state changed, in the order in which that happened; a
  // reader remembers how far it got. When the log is cut, `log_start` moves.
  struct Log {
    int64_t start = 0;
    std::vector<int> nodes;
    int64_t end() const { return start + static_cast<int64_t>(nodes.size()); }
  };
  const Log& improved() const { return improved_; }
  // Where pods were added.
  const Log& filled() const { return filled_; }
  int64_t images_version() const { return images_version_; }

 private:
  void NotePod(const EntryPtr& before, const EntryPtr& after);
  void NoteNamespace(const EntryPtr& before, const EntryPtr& after);
  void NoteNode(const EntryPtr& before, const EntryPtr& after);
  void AddPod(const EntryPtr& entry);
  void RemovePod(const std::string& key);
  bool IsSamePlace(const PodRecord& record, const v1::Pod& pod) const;
  void FillRecord(const EntryPtr& entry, PodRecord* record);
  void Occupy(PodRecord* record, int node);
  void Vacate(PodRecord* record);
  void CountTerms(const PodRecord& record, int node, int delta);
  PodShape* AcquireShape(const EntryPtr& entry);
  void FillShape(const EntryPtr& entry, PodShape* shape);
  void ReleaseShape(PodShape* shape);
  void ForgetAll();
  void CountImages(const v1::Node& node, int delta);
  void Append(int node, Log* log);

  bool stale_ = true;
  std::vector<NodeUsage> nodes_;
  std::vector<std::vector<PodRecord*>> pods_on_;
  absl::flat_hash_map<std::string, int> node_ids_;
  struct ByKey {
    using is_transparent = void;
    static absl::string_view KeyOf(const std::unique_ptr<PodRecord>& pod) {
      return pod->entry.key();
    }
    static absl::string_view KeyOf(absl::string_view key) { return key; }
    template <typename A>
    size_t operator()(const A& a) const {
      return absl::HashOf(KeyOf(a));
    }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return KeyOf(a) == KeyOf(b);
    }
  };
  absl::flat_hash_set<std::unique_ptr<PodRecord>, ByKey, ByKey> pods_;
  std::vector<std::unique_ptr<PodRecord>> guests_;
  absl::btree_map<QueueKey, PodRecord*> queue_;
  absl::flat_hash_map<std::string, std::unique_ptr<PodShape>> shapes_;
  TermIndex terms_;
  struct OwnerUse {
    OwnerId id = 0;
    int shapes = 0;
  };
  absl::flat_hash_map<std::string, OwnerUse> owners_;  // by uid
  OwnerId last_owner_ = 0;
  std::map<int32_t, int> priorities_;
  int taint_sensitive_ = 0;  // shapes whose places depend on taints

  absl::flat_hash_map<std::string, int> images_;  // how many nodes have it
  int64_t images_version_ = 0;
  int64_t leaving_version_ = 0;
  Log improved_;
  Log filled_;
};

QueueKey QueueKeyOf(const Entry& pod);

}  // namespace cluster::controller
