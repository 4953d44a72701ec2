#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/object/claims.h"
#include "controller/reconcile/conditions.h"
#include "controller/scheduler/scheduler.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kComponent = "scheduler";
constexpr absl::string_view kPodScheduled = "PodScheduled";

// Before the pod's own binding: a claim that is bound without its pod costs nothing, a pod that
// runs with a claim that nobody knows to be bound could cost the data.
void BindClaims(const View& view, const v1::Pod& pod, const std::string& node, Changes* changes) {
  for (const std::string& key : ClaimKeysOf(pod)) {
    const EntryPtr before = view.Find(key);
    if (before == nullptr) continue;
    v1::Object after = before->object;
    v1::PersistentVolumeClaim* claim = after.mutable_persistent_volume_claim();
    if (!claim->status().node_name().empty()) continue;
    BindClaim(node, claim);
    Changes bound;
    bound.Put(*before, std::move(after));
    MergeChanges(std::move(bound), changes);
  }
}

void AddBinding(const View& view, const Binding& binding, absl::Time now, Changes* changes) {
  const EntryPtr before = view.Find(binding.pod_key);
  if (before == nullptr || before->mod_rev != binding.mod_rev) return;
  v1::Object after = before->object;
  v1::Pod* pod = after.mutable_pod();
  BindClaims(view, *pod, binding.node, changes);
  pod->mutable_spec()->set_node_name(binding.node);
  SetCondition({kPodScheduled, v1::CONDITION_STATUS_TRUE, "", ""}, now,
               pod->mutable_status()->mutable_conditions());
  const v1::ObjectMeta& meta = pod->metadata();
  changes->events.push_back(MakeEvent(after, "Normal", "Scheduled",
                                      absl::StrCat("Successfully assigned ", meta.namespace_(), "/",
                                                   meta.name(), " to ", binding.node),
                                      kComponent));
  changes->Put(*before, std::move(after));
}

void AddUnschedulable(const View& view, const Unschedulable& verdict, absl::Time now,
                      Changes* changes) {
  const EntryPtr before = view.Find(verdict.pod_key);
  if (before == nullptr || before->mod_rev != verdict.mod_rev) return;
  v1::Object after = before->object;
  if (!SetCondition({kPodScheduled, v1::CONDITION_STATUS_FALSE, "Unschedulable", verdict.summary},
                    now, after.mutable_pod()->mutable_status()->mutable_conditions())) {
    return;
  }
  changes->events.push_back(
      MakeEvent(after, "Warning", "FailedScheduling", verdict.summary, kComponent));
  changes->Put(*before, std::move(after));
}

}  // namespace

Changes PlanChanges(const View& view, const Plan& plan, absl::Time now) {
  Changes changes;
  for (const Binding& binding : plan.bindings) AddBinding(view, binding, now, &changes);
  for (const Unschedulable& verdict : plan.unschedulable) {
    AddUnschedulable(view, verdict, now, &changes);
  }
  return changes;
}

}  // namespace cluster::controller
