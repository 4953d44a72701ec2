#include "controller/reconcile/daemon_set.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/object/node_choice.h"
#include "controller/reconcile/daemon_places.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/replicas.h"
#include "controller/reconcile/set_pods.h"
#include "proto/schema/scalars.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kDaemonSetController = "daemonset-controller";

// One set in one pass.
class DaemonPass {
 public:
  DaemonPass(const Entry& entry, const PassInputs& inputs)
      : entry_(entry), set_(entry.object.daemon_set()), inputs_(inputs) {}

  Changes Run(const Orphans& pods, const Orphans& revisions) {
    if (!Gather(pods, revisions)) return std::move(changes_);
    for (auto& [node, place] : places_) Keep(node, place);
    if (IsRolling()) {
      if (MaxSurge() > 0) {
        UpdateBySurge();
      } else {
        UpdateInPlace();
      }
    }
    WriteStatus();
    TrimHistory(
        history_, live_,
        set_.spec().has_revision_history_limit() ? set_.spec().revision_history_limit() : 10,
        &changes_);
    return std::move(changes_);
  }

 private:
  bool Gather(const Orphans& pods, const Orphans& revisions) {
    std::optional<TemplateHistory> history = GatherHistory(entry_, revisions, inputs_, &changes_);
    if (!history.has_value()) return false;
    history_ = *std::move(history);
    const auto accepts = [](const v1::Pod& pod) { return !PinnedNode(pod.spec()).empty(); };
    const auto claimed = ClaimPods(entry_, pods, accepts, inputs_, &changes_);
    if (!claimed.has_value()) return false;
    places_ = PlacesOf(set_, *claimed, HashOf(history_.update), *inputs_.view);
    for (const EntryPtr& pod : *claimed) {
      live_.insert(LabelOf(Meta(pod->object), kRevisionLabel));
    }
    for (const auto& [node, place] : places_) desired_ += place.verdict.should_run ? 1 : 0;
    return true;
  }

  bool IsRolling() const {
    return set_.spec().update_strategy().type() != v1::DAEMON_SET_STRATEGY_TYPE_ON_DELETE;
  }
  int PartOfNodes(const std::string& text, int otherwise) const {
    if (text.empty()) return otherwise;
    return ScaleIntOrString(text, desired_, Rounding::kUp).value_or(otherwise);
  }
  int MaxSurge() const {
    if (!IsRolling()) return 0;
    return PartOfNodes(set_.spec().update_strategy().rolling_update().max_surge(), 0);
  }
  int MaxUnavailable() const {
    const std::string& text = set_.spec().update_strategy().rolling_update().max_unavailable();
    return std::max(1, PartOfNodes(text, 1));
  }

  bool IsServing(const EntryPtr& entry) {
    const absl::Time at = AvailableAt(entry->object.pod(),
                                      absl::Seconds(set_.spec().min_ready_seconds()), inputs_.now);
    if (at == absl::InfiniteFuture()) return false;
    if (at > inputs_.now) changes_.WakeAt(at);
    return at <= inputs_.now;
  }

  // ---- steps ----

  void Note(absl::string_view type, absl::string_view reason, std::string message) {
    changes_.events.push_back(
        MakeEvent(entry_.object, type, reason, std::move(message), kDaemonSetController));
  }

  void EndOne(const EntryPtr& entry) {
    if (!ended_.insert(entry->key).second) return;
    EndPod(*entry, inputs_.now, std::nullopt, &changes_);
    Note("Normal", "SuccessfulDelete", absl::StrCat("Deleted pod: ", Meta(entry->object).name()));
  }

  void EndAll(const std::vector<EntryPtr>& pods) {
    for (const EntryPtr& pod : pods) EndOne(pod);
  }

  void CreateOn(const std::string& node) {
    if (created_ == kMostCreatedPerPass) return;
    ++created_;
    v1::Object pod = Wrap(NewDaemonPod(entry_.object, history_.update, node, inputs_));
    Note("Normal", "SuccessfulCreate", absl::StrCat("Created pod: ", Meta(pod).name()));
    changes_.Create(std::move(pod));
  }

  void ReplaceEnded(const std::string& node, const EntryPtr& entry) {
    const v1::Pod& pod = entry->object.pod();
    const absl::Time at = ReplaceableAt(pod, inputs_.now);
    if (at > inputs_.now) return changes_.WakeAt(at);
    const bool failed = pod.status().phase() == v1::POD_PHASE_FAILED;
    Note(failed ? "Warning" : "Normal", failed ? "FailedDaemonPod" : "SucceededDaemonPod",
         absl::StrCat("Found ", failed ? "failed" : "succeeded", " daemon pod ",
                      pod.metadata().namespace_(), "/", pod.metadata().name(), " on node ", node,
                      failed ? ", will try to kill it" : ", will try to delete it"));
    EndOne(entry);
  }

  // The node has what it should have, whatever revision that is.
  void Keep(const std::string& node, const DaemonPlace& place) {
    if (!place.verdict.may_stay) {
      EndAll(place.ended);
      EndAll(place.old);
      EndAll(place.fresh);
      return;
    }
    for (const EntryPtr& pod : place.ended) ReplaceEnded(node, pod);
    Thin(place);
    if (place.empty() && place.verdict.should_run) CreateOn(node);
  }

  // One pod stays; while pods surge, one of each revision until the new one serves.
  void Thin(const DaemonPlace& place) {
    const bool both = !place.old.empty() && !place.fresh.empty();
    for (size_t i = 1; i < place.old.size(); ++i) EndOne(place.old[i]);
    for (size_t i = 1; i < place.fresh.size(); ++i) EndOne(place.fresh[i]);
    if (!both) return;
    const EntryPtr& old = place.old.front();
    const EntryPtr& fresh = place.fresh.front();
    if (!IsServing(old) || IsServing(fresh)) {
      EndOne(old);
    } else if (MaxSurge() == 0) {
      EndOne(fresh);
    }
  }

  // ---- update ----

  static bool HasOnlyOld(const DaemonPlace& place) {
    return place.old.size() == 1 && place.fresh.empty() && place.ending.empty() &&
           place.ended.empty();
  }

  // Old pods go first; one that does not serve may always go.
  void UpdateInPlace() {
    int room = MaxUnavailable();
    std::vector<EntryPtr> serving;
    for (const auto& [node, place] : places_) {
      if (!place.verdict.should_run) continue;
      if (!HasOnlyOld(place)) {
        const bool serves = place.fresh.size() == 1 && IsServing(place.fresh.front());
        if (!serves) --room;
      } else if (IsServing(place.old.front())) {
        serving.push_back(place.old.front());
      } else {
        --room;
        EndOne(place.old.front());
      }
    }
    for (const EntryPtr& pod : serving) {
      if (room-- > 0) EndOne(pod);
    }
  }

  // New pods come first. The old one goes once the new one serves (Thin).
  void UpdateBySurge() {
    int room = MaxSurge();
    std::vector<std::string> serving;
    for (const auto& [node, place] : places_) {
      if (!place.verdict.should_run) continue;
      if (!HasOnlyOld(place)) {
        if (!place.old.empty() && !place.fresh.empty()) --room;
      } else if (IsServing(place.old.front())) {
        serving.push_back(node);
      } else {
        CreateOn(node);
      }
    }
    for (const std::string& node : serving) {
      if (room-- > 0) CreateOn(node);
    }
  }

  // ---- what is told ----

  void WriteStatus() {
    v1::DaemonSetStatus status = set_.status();
    int scheduled = 0, misscheduled = 0, ready = 0, available = 0, updated = 0;
    for (const auto& [node, place] : places_) {
      const bool has_pod = !place.old.empty() || !place.fresh.empty();
      if (!place.verdict.should_run) {
        misscheduled += has_pod ? 1 : 0;
        continue;
      }
      if (!has_pod) continue;
      ++scheduled;
      updated += place.fresh.empty() ? 0 : 1;
      // A node counts once, by the better one of two.
      std::vector<EntryPtr> pods = place.old;
      pods.insert(pods.end(), place.fresh.begin(), place.fresh.end());
      ready += std::any_of(pods.begin(), pods.end(),
                           [](const EntryPtr& pod) { return IsReady(pod->object.pod()); });
      available += std::any_of(pods.begin(), pods.end(),
                               [this](const EntryPtr& pod) { return IsServing(pod); });
    }
    status.set_observed_generation(set_.metadata().generation());
    status.set_desired_number_scheduled(desired_);
    status.set_current_number_scheduled(scheduled);
    status.set_number_misscheduled(misscheduled);
    status.set_number_ready(ready);
    status.set_number_available(available);
    status.set_number_unavailable(desired_ - available);
    status.set_updated_number_scheduled(updated);
    if (SameMessage(status, set_.status())) return;
    v1::Object after = entry_.object;
    *after.mutable_daemon_set()->mutable_status() = std::move(status);
    changes_.Put(entry_, std::move(after));
  }

  const Entry& entry_;
  const v1::DaemonSet& set_;
  const PassInputs& inputs_;
  TemplateHistory history_;
  DaemonPlaces places_;
  std::set<std::string> live_;   // hashes that pods have
  std::set<std::string> ended_;  // keys of pods ended in this pass
  int desired_ = 0;
  int created_ = 0;
  Changes changes_;
};

}  // namespace

Changes ReconcileDaemonSets(const View& view, absl::flat_hash_set<std::string> taken,
                            absl::Time now, Random* random) {
  return ReconcileSets(view, v1::Object::kDaemonSet, std::move(taken), now, random,
                       [](const Entry& set, const PassInputs& inputs, const SetOrphans& orphans) {
                         return DaemonPass(set, inputs).Run(orphans.pods, orphans.revisions);
                       });
}

}  // namespace cluster::controller
