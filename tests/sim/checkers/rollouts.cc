// A Deployment never has fewer pods available than replicas - maxUnavailable by its controller's
// own doing, nor is it given more than replicas + maxSurge.
#include <map>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

class RolloutsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "budgets of rollouts"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      const v1::Object& object =
          change.after != nullptr ? change.after->object : change.before->object;
      if (object.has_deployment() && change.after != nullptr) NoteWanted(object.deployment());
      if (object.has_pod()) NotePod(change);
    }
    for (const Change& change : commit.changes) {
      if (change.after != nullptr && change.after->object.has_replica_set()) CheckSurge(change);
      if (change.before != nullptr && change.before->object.has_pod()) CheckEnd(commit, change);
      if (change.before == nullptr && change.after->object.has_pod()) CheckBirth(*change.after);
    }
  }

 private:
  struct Wanted {
    RecentNumber replicas;
    RecentNumber surge;        // pods
    RecentNumber unavailable;  // pods
  };

  void NoteWanted(const v1::Deployment& deployment) {
    const v1::DeploymentSpec& spec = deployment.spec();
    const auto& rolling = spec.strategy().rolling_update();
    const int surge = Share(rolling.max_surge(), spec.replicas(), true);
    int unavailable = Share(rolling.max_unavailable(), spec.replicas(), false);
    if (surge == 0 && unavailable == 0) unavailable = 1;
    Wanted& wanted = wanted_[deployment.metadata().uid()];
    const Nanos now = world_->now();
    wanted.replicas.Set(now, spec.replicas());
    wanted.surge.Set(now, surge);
    wanted.unavailable.Set(now, unavailable);
  }

  // The Deployment of a ReplicaSet's pod; "" = it has none.
  std::string DeploymentOfPod(const v1::Pod& pod) const {
    const v1::OwnerReference* owner = OwnerOf(pod.metadata(), "ReplicaSet");
    const EntryPtr set = owner == nullptr ? nullptr : truth().FindUid(owner->uid());
    if (set == nullptr || !set->object.has_replica_set()) return "";
    const v1::OwnerReference* above = OwnerOf(Meta(set->object), "Deployment");
    return above == nullptr ? "" : above->uid();
  }

  void NotePod(const Change& change) {
    for (const EntryPtr& entry : {change.before, change.after}) {
      if (entry == nullptr) continue;
      const v1::Pod& pod = entry->object.pod();
      if (IsReady(pod) && IsActive(pod)) available_.Note(pod.metadata().uid(), world_->now());
    }
  }

  bool WasAvailable(const v1::Pod& pod) const {
    return (IsReady(pod) && IsActive(pod)) || available_.Has(pod.metadata().uid(), world_->now());
  }

  // An available pod is taken away: enough of the others remain.
  void CheckEnd(const Commit& commit, const Change& change) {
    const v1::Pod& before = change.before->object.pod();
    const bool gone =
        change.after == nullptr || Meta(change.after->object).uid() != before.metadata().uid();
    const bool ends = gone || IsGoing(Meta(change.after->object));
    if (!ends || !IsActive(before) || !IsReady(before)) return;
    if (!world_->AskedFor(commit.write_id).empty()) {
      // Users do what they want, and the controller may not have seen it.
      return taken_by_users_[DeploymentOfPod(before)].Note(before.metadata().uid(), world_->now());
    }
    if (!gone && change.after->object.pod().status().reason() == "NodeLost") return;
    const std::string uid = DeploymentOfPod(before);
    const auto found = wanted_.find(uid);
    const EntryPtr deployment = uid.empty() ? nullptr : truth().FindUid(uid);
    if (found == wanted_.end() || deployment == nullptr || IsGoing(Meta(deployment->object)))
      return;
    const Nanos now = world_->now();
    const int least = found->second.replicas.Lowest(now) - found->second.unavailable.Highest(now);
    int left = taken_by_users_[uid].Count(now);
    for (const EntryPtr& set : truth().OwnedBy(v1::Object::kReplicaSet, uid)) {
      for (const EntryPtr& entry : truth().OwnedBy(v1::Object::kPod, Meta(set->object).uid())) {
        const v1::Pod& pod = entry->object.pod();
        if (!IsGoing(pod.metadata()) && WasAvailable(pod)) ++left;
      }
    }
    if (left < least) {
      Fail(absl::StrCat(before.metadata().name(), " is taken away, and of ",
                        Meta(deployment->object).name(), " only ", left, " are left of at least ",
                        least));
    }
  }

  // A ReplicaSet grows: all of them together are no more than they may be.
  void CheckSurge(const Change& change) {
    const v1::ReplicaSet& after = change.after->object.replica_set();
    const v1::OwnerReference* owner = OwnerOf(after.metadata(), "Deployment");
    const int before =
        change.before == nullptr ? 0 : change.before->object.replica_set().spec().replicas();
    replicas_[after.metadata().uid()].Set(world_->now(), after.spec().replicas());
    if (owner == nullptr || after.spec().replicas() <= before) return;
    const auto found = wanted_.find(owner->uid());
    if (found == wanted_.end()) return;
    int all = 0;
    for (const EntryPtr& set : truth().OwnedBy(v1::Object::kReplicaSet, owner->uid())) {
      all += set->object.replica_set().spec().replicas();
    }
    const Nanos now = world_->now();
    const int most = found->second.replicas.Highest(now) + found->second.surge.Highest(now);
    if (all > most) {
      Fail(absl::StrCat(owner->name(), " is given ", all, " pods, and may have ", most));
    }
  }

  void CheckBirth(const Entry& entry) {
    const v1::OwnerReference* owner = OwnerOf(Meta(entry.object), "ReplicaSet");
    const auto found = owner == nullptr ? replicas_.end() : replicas_.find(owner->uid());
    if (found == replicas_.end()) return;
    int active = 0;
    for (const EntryPtr& pod : truth().OwnedBy(v1::Object::kPod, owner->uid())) {
      if (IsActive(pod->object.pod())) ++active;
    }
    const int most = found->second.Highest(world_->now());
    if (active > most) {
      Fail(absl::StrCat(owner->name(), " has ", active, " pods, and is to have ", most));
    }
  }

  std::map<std::string, Wanted> wanted_;             // by uid of the Deployment
  std::map<std::string, RecentNumber> replicas_;     // by uid of the ReplicaSet
  std::map<std::string, RecentSet> taken_by_users_;  // uids of pods, by uid of the Deployment
  RecentSet available_;                              // uids of pods
};

}  // namespace

std::unique_ptr<Checker> Rollouts(World* world) { return std::make_unique<RolloutsChecker>(world); }

}  // namespace cluster::sim
