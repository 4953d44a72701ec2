#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "controller/object/claims.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
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
  pod->mutable_status()->clear_nominated_node_name();
  SetCondition({kPodScheduled, v1::CONDITION_STATUS_TRUE, "", ""}, now,
               pod->mutable_status()->mutable_conditions());
  const v1::ObjectMeta& meta = pod->metadata();
  changes->events.push_back(MakeEvent(after, "Normal", "Scheduled",
                                      absl::StrCat("Successfully assigned ", meta.namespace_(), "/",
                                                   meta.name(), " to ", binding.node),
                                      kComponent));
  changes->Put(*before, std::move(after));
}

// Its end, with why: whoever owns it can tell it from a failure.
void AddVictim(const View& view, const Preemption::Victim& victim, const std::string& node,
               const v1::Pod& preemptor, absl::Time now, Changes* changes) {
  const EntryPtr before = view.Find(victim.pod_key);
  if (before == nullptr || before->mod_rev != victim.mod_rev) return;
  v1::Object after = before->object;
  v1::Pod* pod = after.mutable_pod();
  SetCondition({"DisruptionTarget", v1::CONDITION_STATUS_TRUE, "PreemptionByScheduler",
                "default-scheduler: preempting to accommodate a higher priority pod"},
               now, pod->mutable_status()->mutable_conditions());
  StampDeletion(now, std::nullopt, pod);
  changes->events.push_back(
      MakeEvent(after, "Normal", "Preempted",
                absl::StrCat("Preempted by pod ", preemptor.metadata().uid(), " on node ", node),
                kComponent));
  changes->Put(*before, std::move(after));
}

void AddVictims(const View& view, const Preemption& preemption, absl::Time now, Changes* changes) {
  const EntryPtr preemptor = view.Find(preemption.pod_key);
  if (preemptor == nullptr || preemptor->mod_rev != preemption.mod_rev) return;
  for (const Preemption::Victim& victim : preemption.victims) {
    AddVictim(view, victim, preemption.node, preemptor->object.pod(), now, changes);
  }
}

void AddUnschedulable(const View& view, const Unschedulable& verdict, const std::string& nominated,
                      absl::Time now, Changes* changes) {
  const EntryPtr before = view.Find(verdict.pod_key);
  if (before == nullptr || before->mod_rev != verdict.mod_rev) return;
  v1::Object after = before->object;
  v1::PodStatus* status = after.mutable_pod()->mutable_status();
  const bool other_node = status->nominated_node_name() != nominated;
  status->set_nominated_node_name(nominated);
  const bool news =
      SetCondition({kPodScheduled, v1::CONDITION_STATUS_FALSE, "Unschedulable", verdict.summary},
                   now, status->mutable_conditions());
  if (news) {
    changes->events.push_back(
        MakeEvent(after, "Warning", "FailedScheduling", verdict.summary, kComponent));
  }
  if (news || other_node) changes->Put(*before, std::move(after));
}

}  // namespace

Changes PlanChanges(const View& view, const Plan& plan, absl::Time now) {
  Changes changes;
  for (const Binding& binding : plan.bindings) AddBinding(view, binding, now, &changes);
  absl::flat_hash_map<std::string, std::string> nominated;
  for (const Preemption& each : plan.preemptions) {
    AddVictims(view, each, now, &changes);
    nominated[each.pod_key] = each.node;
  }
  for (const Unschedulable& verdict : plan.unschedulable) {
    const auto node = nominated.find(verdict.pod_key);
    AddUnschedulable(view, verdict, node == nominated.end() ? "" : node->second, now, &changes);
  }
  return changes;
}

}  // namespace cluster::controller
