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
    RecentNumber recreate;     // 1: no new one before all old ones are gone
    RecentNumber paused;       // 1: no new revision
    RecentNumber min_ready;    // seconds
  };

  void NoteWanted(const v1::Deployment& deployment) {
    const v1::DeploymentSpec& spec = deployment.spec();
    const auto& rolling = spec.strategy().rolling_update();
    int surge = Share(rolling.max_surge(), spec.replicas(), true);
    int unavailable = Share(rolling.max_unavailable(), spec.replicas(), false);
    if (surge == 0 && unavailable == 0) unavailable = 1;
    const bool recreate = spec.strategy().type() == v1::STRATEGY_TYPE_RECREATE;
    if (recreate) {
      surge = 0;
      unavailable = spec.replicas();
    }
    Wanted& wanted = wanted_[deployment.metadata().uid()];
    const Nanos now = world_->now();
    wanted.replicas.Set(now, spec.replicas());
    wanted.surge.Set(now, surge);
    wanted.unavailable.Set(now, unavailable);
    wanted.recreate.Set(now, recreate ? 1 : 0);
    wanted.paused.Set(now, spec.paused() ? 1 : 0);
    wanted.min_ready.Set(now, spec.min_ready_seconds());
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
      if (IsReady(pod) && IsActive(pod)) {
        available_.Note(pod.metadata().uid(), world_->now());
        ready_since_.try_emplace(pod.metadata().uid(), world_->now());
      } else {
        ready_since_.erase(pod.metadata().uid());
      }
    }
  }

  // `min_ready`: seconds that it is ready before it counts.
  bool WasAvailable(const v1::Pod& pod, int min_ready) const {
    if (world_->fine() && min_ready > 0 && IsReady(pod)) {
      const auto begin = ready_since_.find(pod.metadata().uid());
      // Stamps are whole seconds, and it takes a while until they are seen.
      const Nanos least = (min_ready - 3) * kSecond;
      return begin != ready_since_.end() && world_->now() - begin->second >= least;
    }
    return (IsReady(pod) && IsActive(pod)) ||
           available_.Has(pod.metadata().uid(), SeenSince(*world_));
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
    const EntryPtr node = truth().Find(v1::Object::kNode, "", before.spec().node_name());
    const bool others = !gone && !DisruptionOf(change.after->object.pod()).empty();
    if (others || (gone && node == nullptr)) {
      // The scheduler, a taint, a node that is no more: it may not have seen that either.
      return taken_by_users_[DeploymentOfPod(before)].Note(before.metadata().uid(), world_->now());
    }
    const std::string uid = DeploymentOfPod(before);
    const auto found = wanted_.find(uid);
    const EntryPtr deployment = uid.empty() ? nullptr : truth().FindUid(uid);
    if (found == wanted_.end() || deployment == nullptr || IsGoing(Meta(deployment->object)))
      return;
    const Nanos since = SeenSince(*world_);
    const int least =
        found->second.replicas.Lowest(since) - found->second.unavailable.Highest(since);
    const int min_ready = found->second.min_ready.Lowest(since);
    // One that does not count yet may go.
    if (!WasAvailable(before, found->second.min_ready.Highest(since))) return;
    int left = taken_by_users_[uid].Count(since);
    for (const EntryPtr& set : truth().OwnedBy(v1::Object::kReplicaSet, uid)) {
      for (const EntryPtr& entry : truth().OwnedBy(v1::Object::kPod, Meta(set->object).uid())) {
        const v1::Pod& pod = entry->object.pod();
        if (!IsGoing(pod.metadata()) && WasAvailable(pod, min_ready)) ++left;
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
    const auto found = owner == nullptr ? wanted_.end() : wanted_.find(owner->uid());
    if (found == wanted_.end()) return;
    if (change.before == nullptr && found->second.paused.Lowest(SeenSince(*world_)) == 1) {
      Fail(absl::StrCat(change.after->key, " is made, and ", owner->name(), " is paused"));
    }
    if (after.spec().replicas() <= before) return;
    int all = 0;
    for (const EntryPtr& set : truth().OwnedBy(v1::Object::kReplicaSet, owner->uid())) {
      all += set->object.replica_set().spec().replicas();
    }
    const Nanos since = SeenSince(*world_);
    const int most = found->second.replicas.Highest(since) + found->second.surge.Highest(since);
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
    const int most = found->second.Highest(SeenSince(*world_));
    if (active > most) {
      Fail(absl::StrCat(owner->name(), " has ", active, " pods, and is to have ", most));
    }
    CheckRecreate(entry);
  }

  // Those of every other revision are gone.
  void CheckRecreate(const Entry& entry) {
    const std::string uid = DeploymentOfPod(entry.object.pod());
    const auto found = wanted_.find(uid);
    if (found == wanted_.end() || found->second.recreate.Lowest(SeenSince(*world_)) == 0) return;
    const std::string& own = OwnerOf(Meta(entry.object), "ReplicaSet")->uid();
    for (const EntryPtr& set : truth().OwnedBy(v1::Object::kReplicaSet, uid)) {
      if (Meta(set->object).uid() == own) continue;
      for (const EntryPtr& pod : truth().OwnedBy(v1::Object::kPod, Meta(set->object).uid())) {
        if (IsOver(pod->object.pod())) continue;
        Fail(absl::StrCat(entry.key, " is made while ", pod->key,
                          " is there, and strategy is Recreate"));
      }
    }
  }

  std::map<std::string, Nanos> ready_since_;         // by uid of the pod
  std::map<std::string, Wanted> wanted_;             // by uid of the Deployment
  std::map<std::string, RecentNumber> replicas_;     // by uid of the ReplicaSet
  std::map<std::string, RecentSet> taken_by_users_;  // uids of pods, by uid of the Deployment
  RecentSet available_;                              // uids of pods
};

}  // namespace

std::unique_ptr<Checker> Rollouts(World* world) { return std::make_unique<RolloutsChecker>(world); }

}  // namespace cluster::sim
