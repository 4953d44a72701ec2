#include "controller/reconcile/stateful_set.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/set_pods.h"
#include "controller/reconcile/stateful_claims.h"
#include "controller/reconcile/stateful_identity.h"
#include "controller/reconcile/stateful_status.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

// One set in one pass.
class StatefulPass {
 public:
  StatefulPass(const Entry& entry, const PassInputs& inputs)
      : entry_(entry), set_(entry.object.stateful_set()), inputs_(inputs) {}

  Changes Run(const Orphans& pods, const Orphans& revisions) {
    if (!Gather(pods, revisions)) return std::move(changes_);
    FollowRetention(entry_, Present(), inputs_, &changes_);
    if (KeepReplicas() && DropSurplus()) Update();
    WriteStatus();
    TrimHistory(history_, LiveRevisions(), HistoryLimit(), &changes_);
    return std::move(changes_);
  }

 private:
  int start() const { return set_.spec().ordinals().start(); }
  int end() const { return start() + set_.spec().replicas(); }
  bool IsWanted(int ordinal) const { return ordinal >= start() && ordinal < end(); }
  bool IsParallel() const {
    return set_.spec().pod_management_policy() == v1::POD_MANAGEMENT_POLICY_PARALLEL;
  }
  bool IsRolling() const {
    return set_.spec().update_strategy().type() != v1::STATEFUL_SET_STRATEGY_TYPE_ON_DELETE;
  }
  int FirstToUpdate() const {
    return start() + set_.spec().update_strategy().rolling_update().partition();
  }
  int HistoryLimit() const {
    return set_.spec().has_revision_history_limit() ? set_.spec().revision_history_limit() : 10;
  }

  bool Gather(const Orphans& pods, const Orphans& revisions) {
    std::optional<TemplateHistory> history = GatherHistory(entry_, revisions, inputs_, &changes_);
    if (!history.has_value()) return false;
    history_ = *std::move(history);
    const auto accepts = [this](const v1::Pod& pod) {
      return OrdinalOf(set_, pod.metadata().name()).has_value();
    };
    const auto claimed = ClaimPods(entry_, pods, accepts, inputs_, &changes_);
    if (!claimed.has_value()) return false;
    for (const EntryPtr& pod : *claimed) {
      pods_[*OrdinalOf(set_, Meta(pod->object).name())] = pod;
    }
    const v1::ControllerRevision* current = history_.Find(set_.status().current_revision());
    current_ = current == nullptr ? history_.update : *current;
    return true;
  }

  std::set<int> Present() const {
    std::set<int> present;
    for (const auto& [ordinal, pod] : pods_) present.insert(ordinal);
    return present;
  }

  // ---- what the pods are ----

  bool IsServing(const v1::Pod& pod) {
    const absl::Time at =
        AvailableAt(pod, absl::Seconds(set_.spec().min_ready_seconds()), inputs_.now);
    if (at == absl::InfiniteFuture()) return false;
    if (at > inputs_.now) changes_.WakeAt(at);
    return at <= inputs_.now;
  }

  const v1::ControllerRevision& WantedRevision(int ordinal) const {
    return IsRolling() && ordinal < FirstToUpdate() ? current_ : history_.update;
  }

  // Of neither the revision that it should have nor the one that all are to have.
  bool IsSuperseded(int ordinal, const v1::Pod& pod) const {
    const std::string revision = RevisionNameOf(pod);
    return IsRolling() && revision != WantedRevision(ordinal).metadata().name() &&
           revision != history_.update.metadata().name();
  }

  // ---- steps ----

  void Wait(absl::string_view reason, std::string message) {
    if (wait_.reason.empty()) wait_ = {std::string(reason), std::move(message)};
  }

  void Note(absl::string_view type, absl::string_view reason, std::string message) {
    changes_.events.push_back(
        MakeEvent(entry_.object, type, reason, std::move(message), kStatefulSetController));
  }

  void EndOne(const EntryPtr& pod) {
    EndPod(*pod, inputs_.now, std::nullopt, &changes_);
    Note("Normal", "SuccessfulDelete",
         absl::StrCat("delete Pod ", Meta(pod->object).name(), " in StatefulSet ",
                      set_.metadata().name(), " successful"));
  }

  void Create(int ordinal) {
    v1::Object pod = Wrap(NewStatefulPod(entry_.object, WantedRevision(ordinal), ordinal, inputs_));
    const std::string name = Meta(pod).name();
    if (inputs_.view->Find(Key(pod)) != nullptr) {
      return Wait(
          "NameTaken",
          absl::StrCat("pod ", name, " exists and is none of this set; delete or rename it"));
    }
    Changes claims;
    const std::string ending = MakeClaims(entry_, ordinal, inputs_, &claims);
    if (!ending.empty()) {
      return Wait("ClaimTerminating", absl::StrCat("pod ", name, " waits until claim ", ending,
                                                   ", which is being deleted, is gone"));
    }
    MergeChanges(std::move(claims), &changes_);
    Note("Normal", "SuccessfulCreate",
         absl::StrCat("create Pod ", name, " in StatefulSet ", set_.metadata().name(),
                      " successful"));
    Wait("PodNotReady", absl::StrCat("pod ", name, " is being made"));
    changes_.Create(std::move(pod));
  }

  // A pod that has ended gives its place to a new one of the same name.
  void ReplaceEnded(const EntryPtr& pod) {
    const v1::Pod& ended = pod->object.pod();
    const absl::Time at = ReplaceableAt(ended, inputs_.now);
    Wait("PodEnded", absl::StrCat("pod ", ended.metadata().name(), " has ended and is made anew"));
    if (at > inputs_.now) return changes_.WakeAt(at);
    const bool failed = ended.status().phase() == v1::POD_PHASE_FAILED;
    Note(failed ? "Warning" : "Normal", failed ? "RecreatingFailedPod" : "RecreatingTerminatedPod",
         absl::StrCat("StatefulSet ", set_.metadata().namespace_(), "/", set_.metadata().name(),
                      " is recreating ", failed ? "failed" : "terminated", " Pod ",
                      ended.metadata().name()));
    EndPod(*pod, inputs_.now, std::nullopt, &changes_);
  }

  // True when the pod of this number serves.
  bool KeepOne(int ordinal) {
    const auto found = pods_.find(ordinal);
    if (found == pods_.end()) {
      Create(ordinal);
      return false;
    }
    const EntryPtr& entry = found->second;
    const v1::Pod& pod = entry->object.pod();
    const std::string& name = pod.metadata().name();
    if (IsTerminating(pod)) {
      Wait("PodTerminating", absl::StrCat("pod ", name, " is ending; its name is free after that"));
      return false;
    }
    if (IsFinished(pod)) {
      ReplaceEnded(entry);
      return false;
    }
    if (!IsReady(pod) && IsSuperseded(ordinal, pod)) {
      Wait("PodNotReady", absl::StrCat("pod ", name, " is not ready and of an old revision"));
      EndOne(entry);
      return false;
    }
    v1::Object after = entry->object;
    if (RestoreIdentity(ordinal, after.mutable_pod())) {
      changes_.Put(*entry, std::move(after));
      // Written already in this pass: nothing else may be done to it.
      Wait("PodNotReady", absl::StrCat("pod ", name, " gets its labels"));
      return false;
    }
    if (IsServing(pod)) return true;
    Wait("PodNotReady", absl::StrCat("pod ", name, " is not ready"));
    return false;
  }

  // Every number has its pod, one after another unless in parallel. False: the rest has to wait.
  bool KeepReplicas() {
    for (int ordinal = start(); ordinal < end(); ++ordinal) {
      if (!KeepOne(ordinal) && !IsParallel()) return false;
    }
    return true;
  }

  // Of pods that are too many, the first that is not ready: it alone may go before it is.
  int FirstUnready() const {
    for (const auto& [ordinal, pod] : pods_) {
      const v1::Pod& each = pod->object.pod();
      if (!IsWanted(ordinal) && !IsAvailable(each)) return ordinal;
    }
    return -1;
  }

  // Pods that are too many go, the last one first. False: the rest has to wait.
  bool DropSurplus() {
    const int first_unready = FirstUnready();
    for (auto each = pods_.rbegin(); each != pods_.rend(); ++each) {
      const auto& [ordinal, entry] = *each;
      if (IsWanted(ordinal)) continue;
      const v1::Pod& pod = entry->object.pod();
      const std::string& name = pod.metadata().name();
      if (IsTerminating(pod)) {
        Wait("PodTerminating", absl::StrCat("pod ", name, " is ending"));
      } else if (!IsParallel() && !IsFinished(pod) && !IsReady(pod) && ordinal != first_unready) {
        Wait("PodNotReady", absl::StrCat("pod ", name, " is not ready, and goes once it is"));
      } else {
        Wait("PodTerminating", absl::StrCat("pod ", name, " is ending"));
        EndOne(entry);
      }
      if (!IsParallel()) return false;
    }
    return true;
  }

  // Pods that may be down at once for an update.
  int MostUnavailable() const {
    const std::string& text = set_.spec().update_strategy().rolling_update().max_unavailable();
    if (text.empty()) return 1;
    return std::max(1, ScaleIntOrString(text, set_.spec().replicas(), Rounding::kUp).value_or(1));
  }

  // Pods of old revisions go, the last one first, as many as may be down.
  void Update() {
    if (!IsRolling()) return;
    int room = MostUnavailable();
    for (int ordinal = start(); ordinal < end(); ++ordinal) {
      const auto pod = pods_.find(ordinal);
      if (pod == pods_.end() || !IsServing(pod->second->object.pod())) --room;
    }
    const std::string& update = history_.update.metadata().name();
    for (int ordinal = end() - 1; ordinal >= FirstToUpdate() && ordinal >= start(); --ordinal) {
      const auto found = pods_.find(ordinal);
      if (found == pods_.end() || !IsServing(found->second->object.pod())) continue;
      if (RevisionNameOf(found->second->object.pod()) == update) continue;
      Wait("Updating", absl::StrCat("pod ", Meta(found->second->object).name(),
                                    " is to have revision ", update));
      if (room <= 0) return;
      --room;
      EndOne(found->second);
    }
  }

  // ---- what is told ----

  std::set<std::string> LiveRevisions() const {
    std::set<std::string> live = {current_.metadata().name()};
    for (const auto& [ordinal, pod] : pods_) live.insert(RevisionNameOf(pod->object.pod()));
    return live;
  }

  void WriteStatus() {
    StatefulCounts counts;
    for (const auto& [ordinal, entry] : pods_) {
      const v1::Pod& pod = entry->object.pod();
      ++counts.replicas;
      if (IsReady(pod)) ++counts.ready;
      if (IsServing(pod)) ++counts.available;
      if (IsTerminating(pod)) continue;
      if (RevisionNameOf(pod) == current_.metadata().name()) ++counts.current;
      if (RevisionNameOf(pod) == history_.update.metadata().name()) ++counts.updated;
    }
    WriteStatefulStatus(
        entry_, {counts, current_.metadata().name(), history_.update.metadata().name(), wait_},
        inputs_.now, &changes_);
  }

  const Entry& entry_;
  const v1::StatefulSet& set_;
  const PassInputs& inputs_;
  TemplateHistory history_;
  v1::ControllerRevision current_;
  std::map<int, EntryPtr> pods_;  // by number
  StatefulWait wait_;
  Changes changes_;
};

}  // namespace

Changes ReconcileStatefulSets(const View& view, absl::flat_hash_set<std::string> taken,
                              absl::Time now, Random* random) {
  return ReconcileSets(view, v1::Object::kStatefulSet, std::move(taken), now, random,
                       [](const Entry& set, const PassInputs& inputs, const SetOrphans& orphans) {
                         return StatefulPass(set, inputs).Run(orphans.pods, orphans.revisions);
                       });
}

}  // namespace cluster::controller
