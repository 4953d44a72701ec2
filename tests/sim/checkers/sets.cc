// StatefulSets begin their pods in order; DaemonSets have one pod on a node.
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

int OrdinalOf(const std::string& pod) {
  int ordinal = -1;
  const size_t dash = pod.rfind('-');
  if (dash == std::string::npos || !absl::SimpleAtoi(pod.substr(dash + 1), &ordinal)) return -1;
  return ordinal;
}

class SetsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "sets: order, one per node"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.after != nullptr && change.after->object.has_stateful_set()) {
        const v1::StatefulSet& set = change.after->object.stateful_set();
        replicas_[set.metadata().uid()].Set(world_->now(), set.spec().replicas());
        partition_[set.metadata().uid()].Set(
            world_->now(), set.spec().update_strategy().rolling_update().partition());
      }
      for (const EntryPtr& entry : {change.before, change.after}) {
        if (entry != nullptr && entry->object.has_pod() && IsReady(entry->object.pod())) {
          ready_.Note(entry->key, world_->now());
        }
      }
      if (change.before != nullptr && change.before->object.has_pod()) CheckEnd(commit, change);
      if (change.after == nullptr || !change.after->object.has_pod()) continue;
      const v1::Pod& pod = change.after->object.pod();
      if (change.before == nullptr) CheckOrder(*change.after);
      const bool bound =
          !pod.spec().node_name().empty() &&
          (change.before == nullptr || change.before->object.pod().spec().node_name().empty());
      if (bound) CheckNode(pod);
    }
  }

 private:
  // A pod below the partition is not taken away for another revision.
  void CheckEnd(const Commit& commit, const Change& change) {
    const v1::Pod& before = change.before->object.pod();
    const v1::OwnerReference* owner = OwnerOf(before.metadata(), "StatefulSet");
    if (owner == nullptr || !IsActive(before) || !IsReady(before)) return;
    if (!world_->AskedFor(commit.write_id).empty() ||
        commit.others.contains("podreports/" + before.metadata().uid()))
      return;
    // Gone at once: with its node.
    if (change.after == nullptr || !IsGoing(Meta(change.after->object))) return;
    const v1::Pod& after = change.after->object.pod();
    if (after.metadata().uid() != before.metadata().uid() || !DisruptionOf(after).empty()) return;
    if (!after.status().reason().empty()) return;
    const EntryPtr set = truth().FindUid(owner->uid());
    const Nanos since = SeenSince(*world_);
    const int ordinal = OrdinalOf(before.metadata().name());
    if (set == nullptr || IsGoing(Meta(set->object))) return;
    if (ordinal >= replicas_[owner->uid()].Lowest(since)) return;
    if (ordinal < partition_[owner->uid()].Lowest(since)) {
      Fail(absl::StrCat(change.before->key, " is taken away, and lies below the partition"));
    }
  }

  void CheckOrder(const Entry& entry) {
    const v1::OwnerReference* owner = OwnerOf(Meta(entry.object), "StatefulSet");
    const EntryPtr set = owner == nullptr ? nullptr : truth().FindUid(owner->uid());
    if (set == nullptr || !set->object.has_stateful_set()) return;
    const v1::StatefulSetSpec& spec = set->object.stateful_set().spec();
    const int ordinal = OrdinalOf(Meta(entry.object).name());
    const auto replicas = replicas_.find(owner->uid());
    if (replicas != replicas_.end() && ordinal >= replicas->second.Highest(SeenSince(*world_))) {
      Fail(absl::StrCat(entry.key, " is made, and ", owner->name(), " has ",
                        replicas->second.Highest(SeenSince(*world_)), " replicas"));
    }
    if (spec.pod_management_policy() == v1::POD_MANAGEMENT_POLICY_PARALLEL) return;
    for (int before = 0; before < ordinal; ++before) {
      const std::string key = absl::StrCat("pods/default/", owner->name(), "-", before);
      const EntryPtr earlier = truth().Find(key);
      const bool ready = earlier != nullptr && IsReady(earlier->object.pod());
      if (!ready && !ready_.Has(key, SeenSince(*world_))) {
        Fail(absl::StrCat(entry.key, " is made before ", key, " was ready"));
      }
    }
  }

  void CheckNode(const v1::Pod& pod) {
    const v1::OwnerReference* owner = OwnerOf(pod.metadata(), "DaemonSet");
    if (owner == nullptr) return;
    int active = 0;
    for (const EntryPtr& other : truth().PodsOnNode(pod.spec().node_name())) {
      const v1::OwnerReference* its = OwnerOf(Meta(other->object), "DaemonSet");
      if (its != nullptr && its->uid() == owner->uid() && IsActive(other->object.pod())) ++active;
    }
    if (active > 1) {
      Fail(absl::StrCat(owner->name(), " has ", active, " pods on ", pod.spec().node_name()));
    }
  }

  std::map<std::string, RecentNumber> replicas_;   // by uid
  std::map<std::string, RecentNumber> partition_;  // by uid
  RecentSet ready_;                                // keys of pods
};

}  // namespace

std::unique_ptr<Checker> Sets(World* world) { return std::make_unique<SetsChecker>(world); }

}  // namespace cluster::sim
