#include "controller/api/forecast.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/reconcile.h"

namespace cluster::controller {
namespace {

// A rollout of any size is over by then, unless it never will be.
constexpr int kMostRounds = 500;
// How far time is let run on where only time is waited for.
constexpr absl::Duration kLongest = absl::Hours(1);

// A cluster that answers at once.
class Rehearsal {
 public:
  Rehearsal(View view, const SchedulerOptions& options, absl::Time now)
      : view_(std::move(view)),
        options_(options),
        now_(now),
        end_(now + kLongest),
        random_(static_cast<uint64_t>(absl::ToUnixNanos(now))) {
    const EntryIndex& pods = view_.All(v1::Object::kPod);
    for (auto it = pods.begin(); it != pods.end(); ++it) known_.insert(it.key());
  }

  void Put(const v1::Object& object) { Commit({Key(object), object, 0}); }

  void Run() {
    for (int round = 0; round < kMostRounds; ++round) {
      Changes changes =
          Reconcile(view_, {now_, now_ - absl::UnixEpoch(), &contacts_, &brake_, &random_});
      MergeChanges(PlanChanges(view_, ComputePlan(view_, options_, now_), now_), &changes);
      for (const Write& write : changes.writes) Commit(write);
      if (LetNodesWork() || !changes.writes.empty()) continue;
      if (!changes.wake_at.has_value() || *changes.wake_at > end_) return;
      now_ = std::max(now_ + absl::Seconds(1), *changes.wake_at);
    }
  }

  const View& view() const { return view_; }
  // Keys of pods that had to end for others.
  const std::set<std::string>& preempted() const { return preempted_; }

 private:
  void Commit(const Write& write) {
    const store::Rev rev = view_.revision() + 1;
    if (write.put.has_value()) {
      const EntryPtr before = view_.Find(write.key);
      view_.Put(MakeEntry(*write.put, rev, before == nullptr ? rev : before->create_rev));
    } else {
      view_.Remove(write.key);
    }
    view_.set_revision(rev);
  }

  // Pods that end are gone, those that are bound are ready.
  bool LetNodesWork() {
    bool worked = false;
    const auto pods = view_.All(v1::Object::kPod);
    for (const auto& [key, entry] : pods) {
      const v1::Pod& pod = entry->object.pod();
      if (IsTerminating(pod)) {
        const v1::Condition* target = FindCondition(pod.status().conditions(), "DisruptionTarget");
        if (target != nullptr && target->reason() == "PreemptionByScheduler") {
          preempted_.insert(key);
        }
        view_.Remove(key);
      } else if (IsBound(pod) && !IsFinished(pod) && !IsReady(pod) && IsNew(key)) {
        Commit({key, Started(entry->object), entry->mod_rev});
      } else {
        continue;
      }
      worked = true;
    }
    return worked;
  }

  // Pods that were there and are not ready stay so: nothing says that they would get well.
  bool IsNew(const std::string& key) const { return !known_.contains(key); }

  v1::Object Started(v1::Object object) const {
    v1::PodStatus* status = object.mutable_pod()->mutable_status();
    status->set_phase(v1::POD_PHASE_RUNNING);
    for (const char* type : {"Initialized", "ContainersReady", "Ready"}) {
      SetCondition({type, v1::CONDITION_STATUS_TRUE, "", ""}, now_, status->mutable_conditions());
    }
    return object;
  }

  View view_;
  const SchedulerOptions options_;
  absl::Time now_;
  const absl::Time end_;
  NodeContacts contacts_;
  LossBrake brake_{/*i_am_not_partitioned=*/false};
  Random random_;  // not as in the loop: the uids that it makes are not those of what is there
  std::set<std::string> known_;  // keys of pods that were there before
  std::set<std::string> preempted_;
};

// The object at the top of the owners.
struct Root {
  std::string key;
  std::string name;  // "deployment/web"
};

Root RootOf(const View& before, const View& after, const v1::Object& object) {
  const v1::OwnerReference* owner = ControllerOf(Meta(object));
  if (owner == nullptr) return {Key(object), DisplayName(object)};
  EntryPtr above = after.FindUid(owner->uid());
  if (above == nullptr) above = before.FindUid(owner->uid());
  if (above == nullptr) return {Key(object), DisplayName(object)};
  return RootOf(before, after, above->object);
}

bool SameImages(const v1::PodSpec& a, const v1::PodSpec& b) {
  if (a.containers_size() != b.containers_size()) return false;
  for (int i = 0; i < a.containers_size(); ++i) {
    if (a.containers(i).image() != b.containers(i).image()) return false;
  }
  return true;
}

// Gathers what became of pods, by workload.
class Outcome {
 public:
  Outcome(const View& before, const View& after, std::set<std::string> applied)
      : before_(before), after_(after), applied_(std::move(applied)) {}

  void Look(const std::set<std::string>& preempted) {
    for (const auto& [key, entry] : before_.All(v1::Object::kPod)) {
      if (!IsActive(entry->object.pod())) continue;
      const EntryPtr now = after_.FindUid(Meta(entry->object).uid());
      const bool ends = now == nullptr || !IsActive(now->object.pod());
      const bool makes_room = ends && preempted.contains(key);
      v1::PlannedPods* pods = Of(entry->object, makes_room);
      if (pods == nullptr) continue;
      if (ends) pods->set_ended(pods->ended() + 1);
      if (makes_room) pods->set_preempted(pods->preempted() + 1);
      if (!ends && !SameImages(entry->object.pod().spec(), now->object.pod().spec())) {
        pods->set_restarted(pods->restarted() + 1);
      }
    }
    for (const auto& [key, entry] : after_.All(v1::Object::kPod)) {
      if (!IsActive(entry->object.pod()) || before_.FindUid(Meta(entry->object).uid()) != nullptr) {
        continue;
      }
      if (v1::PlannedPods* pods = Of(entry->object, false); pods != nullptr) {
        AddNew(entry->object.pod(), pods);
      }
    }
  }

  std::vector<v1::PlannedPods> Take() {
    std::vector<v1::PlannedPods> all;
    for (auto& [key, pods] : pods_) {
      for (const auto& [node, count] : placed_[key]) {
        v1::PodsOnNode* placed = pods.add_placed();
        placed->set_node(node);
        placed->set_count(count);
      }
      const bool nothing = pods.placed().empty() && pods.ended() == 0 && pods.unplaced() == 0 &&
                           pods.restarted() == 0;
      if (!nothing) all.push_back(std::move(pods));
    }
    return all;
  }

 private:
  // nullptr: the pod's workload is none of those that were applied.
  v1::PlannedPods* Of(const v1::Object& pod, bool in_any_case) {
    const Root root = RootOf(before_, after_, pod);
    if (!in_any_case && !applied_.contains(root.key)) return nullptr;
    v1::PlannedPods& pods = pods_[root.key];
    pods.set_workload(root.name);
    pods.set_namespace_(Meta(pod).namespace_());
    last_ = root.key;
    return &pods;
  }

  void AddNew(const v1::Pod& pod, v1::PlannedPods* pods) {
    if (IsBound(pod)) {
      ++placed_[last_][pod.spec().node_name()];
      return;
    }
    pods->set_unplaced(pods->unplaced() + 1);
    const v1::Condition* scheduled = FindCondition(pod.status().conditions(), "PodScheduled");
    if (scheduled != nullptr) pods->set_reason(scheduled->message());
  }

  const View& before_;
  const View& after_;
  const std::set<std::string> applied_;
  std::map<std::string, v1::PlannedPods> pods_;
  std::map<std::string, std::map<std::string, int>> placed_;
  std::string last_;
};

}  // namespace

std::vector<v1::PlannedPods> ForecastPods(View view, const std::vector<v1::ApplyResult>& results,
                                          const SchedulerOptions& options, absl::Time now) {
  Rehearsal rehearsal(view, options, now);
  std::set<std::string> applied;
  for (const v1::ApplyResult& result : results) {
    applied.insert(Key(result.object()));
    if (result.outcome() != v1::APPLY_OUTCOME_UNCHANGED) rehearsal.Put(result.object());
  }
  rehearsal.Run();
  Outcome outcome(view, rehearsal.view(), std::move(applied));
  outcome.Look(rehearsal.preempted());
  return outcome.Take();
}

}  // namespace cluster::controller
