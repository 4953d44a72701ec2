#include "controller/reconcile/taint_eviction.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/tolerations.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kTaintController = "taint-eviction-controller";

bool Executes(const v1::Taint& taint) { return taint.effect() == v1::TAINT_EFFECT_NO_EXECUTE; }

// False where nothing was missing.
bool StampTaints(absl::Time now, v1::Node* node) {
  bool changed = false;
  for (v1::Taint& taint : *node->mutable_spec()->mutable_taints()) {
    if (!Executes(taint) || taint.has_time_added()) continue;
    *taint.mutable_time_added() = Seconds(now);
    changed = true;
  }
  return changed;
}

absl::Time AddedAt(const v1::Taint& taint, absl::Time now) {
  if (!taint.has_time_added()) return now;
  return absl::FromUnixSeconds(taint.time_added().seconds()) +
         absl::Nanoseconds(taint.time_added().nanos());
}

// When the pod came to its node; what is not known, or lies ahead of a clock that was set back:
// long ago.
absl::Time CameAt(const v1::Pod& pod, absl::Time now) {
  const v1::Condition* scheduled = FindCondition(pod.status().conditions(), "PodScheduled");
  if (scheduled == nullptr) return absl::InfinitePast();
  const absl::Time at = ToTime(scheduled->last_transition_time());
  return at <= now ? at : absl::InfinitePast();
}

// When the pod has to go; never: InfiniteFuture.
absl::Time EndOf(const v1::Pod& pod, const v1::Node& node, absl::Time now) {
  absl::Time end = absl::InfiniteFuture();
  for (const v1::Taint& taint : node.spec().taints()) {
    if (!Executes(taint)) continue;
    bool tolerated = false;
    for (const v1::Toleration& toleration : pod.spec().tolerations()) {
      if (!Covers(toleration, taint)) continue;
      tolerated = true;
      if (!toleration.has_toleration_seconds()) continue;
      const int64_t seconds = std::max<int64_t>(0, toleration.toleration_seconds());
      end = std::min(end, std::max(AddedAt(taint, now), CameAt(pod, now)) + absl::Seconds(seconds));
    }
    if (!tolerated) return absl::InfinitePast();
  }
  return end;
}

void Evict(const Entry& entry, absl::Time now, Changes* changes) {
  v1::Object after = entry.object;
  v1::Pod* pod = after.mutable_pod();
  SetCondition({"DisruptionTarget", v1::CONDITION_STATUS_TRUE, "DeletionByTaintManager",
                "Taint manager: deleting due to NoExecute taint"},
               now, pod->mutable_status()->mutable_conditions());
  StampDeletion(now, std::nullopt, pod);
  changes->events.push_back(
      MakeEvent(after, "Normal", "TaintManagerEviction",
                absl::StrCat("Marking for deletion Pod ", pod->metadata().namespace_(), "/",
                             pod->metadata().name()),
                kTaintController));
  changes->Put(entry, std::move(after));
}

}  // namespace

Changes ReconcileTaints(const View& view, absl::Time now) {
  Changes changes;
  for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
    const v1::Node& node = entry->object.node();
    if (std::none_of(node.spec().taints().begin(), node.spec().taints().end(), Executes)) continue;
    v1::Object after = entry->object;
    if (StampTaints(now, after.mutable_node())) changes.Put(*entry, std::move(after));
    for (const EntryPtr& pod : view.PodsOnNode(node.metadata().name())) {
      if (!IsActive(pod->object.pod())) continue;
      const absl::Time end = EndOf(pod->object.pod(), node, now);
      if (end <= now) {
        Evict(*pod, now, &changes);
      } else if (end != absl::InfiniteFuture()) {
        changes.WakeAt(end);
      }
    }
  }
  return changes;
}

}  // namespace cluster::controller
