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

// What a plan is about.
struct Scene {
  // nullptr when the pod is not as it was planned with.
  EntryPtr Find(const std::string& pod_key, store::Rev mod_rev) const {
    const auto newcomer = newcomers.find(pod_key);
    EntryPtr pod = newcomer != newcomers.end() ? newcomer->second : view.Find(pod_key);
    return pod == nullptr || pod->mod_rev != mod_rev ? nullptr : pod;
  }

  const View& view;
  const Newcomers& newcomers;
  const absl::Time now;
};

void AddBinding(const Scene& scene, const Binding& binding, Changes* changes) {
  const EntryPtr before = scene.Find(binding.pod_key, binding.mod_rev);
  if (before == nullptr) return;
  v1::Object after = before->object;
  v1::Pod* pod = after.mutable_pod();
  BindClaims(scene.view, *pod, binding.node, changes);
  pod->mutable_spec()->set_node_name(binding.node);
  pod->mutable_status()->clear_nominated_node_name();
  SetCondition({kPodScheduled, v1::CONDITION_STATUS_TRUE, "", ""}, scene.now,
               pod->mutable_status()->mutable_conditions());
  const v1::ObjectMeta& meta = pod->metadata();
  changes->events.push_back(MakeEvent(after, "Normal", "Scheduled",
                                      absl::StrCat("Successfully assigned ", meta.namespace_(), "/",
                                                   meta.name(), " to ", binding.node),
                                      kComponent));
  changes->Put(*before, std::move(after));
}

// Its end, with why: whoever owns it can tell it from a failure.
void AddVictim(const Scene& scene, const Preemption::Victim& victim, const std::string& node,
               const v1::Pod& preemptor, Changes* changes) {
  const EntryPtr before = scene.Find(victim.pod_key, victim.mod_rev);
  if (before == nullptr) return;
  v1::Object after = before->object;
  v1::Pod* pod = after.mutable_pod();
  SetCondition({"DisruptionTarget", v1::CONDITION_STATUS_TRUE, "PreemptionByScheduler",
                "default-scheduler: preempting to accommodate a higher priority pod"},
               scene.now, pod->mutable_status()->mutable_conditions());
  StampDeletion(scene.now, std::nullopt, pod);
  changes->events.push_back(
      MakeEvent(after, "Normal", "Preempted",
                absl::StrCat("Preempted by pod ", preemptor.metadata().uid(), " on node ", node),
                kComponent));
  changes->Put(*before, std::move(after));
}

void AddVictims(const Scene& scene, const Preemption& preemption, Changes* changes) {
  const EntryPtr preemptor = scene.Find(preemption.pod_key, preemption.mod_rev);
  if (preemptor == nullptr) return;
  for (const Preemption::Victim& victim : preemption.victims) {
    AddVictim(scene, victim, preemption.node, preemptor->object.pod(), changes);
  }
}

void AddUnschedulable(const Scene& scene, const Unschedulable& verdict,
                      const std::string& nominated, Changes* changes) {
  const EntryPtr before = scene.Find(verdict.pod_key, verdict.mod_rev);
  if (before == nullptr) return;
  v1::Object after = before->object;
  v1::PodStatus* status = after.mutable_pod()->mutable_status();
  const bool other_node = status->nominated_node_name() != nominated;
  status->set_nominated_node_name(nominated);
  const bool news =
      SetCondition({kPodScheduled, v1::CONDITION_STATUS_FALSE, "Unschedulable", verdict.summary},
                   scene.now, status->mutable_conditions());
  if (news) {
    changes->events.push_back(
        MakeEvent(after, "Warning", "FailedScheduling", verdict.summary, kComponent));
  }
  if (news || other_node) changes->Put(*before, std::move(after));
}

}  // namespace

Changes PlanChanges(const View& view, const Plan& plan, absl::Time now,
                    const Newcomers& newcomers) {
  const Scene scene{view, newcomers, now};
  Changes changes;
  for (const Binding& binding : plan.bindings) AddBinding(scene, binding, &changes);
  absl::flat_hash_map<std::string, std::string> nominated;
  for (const Preemption& each : plan.preemptions) {
    AddVictims(scene, each, &changes);
    nominated[each.pod_key] = each.node;
  }
  for (const Unschedulable& verdict : plan.unschedulable) {
    const auto node = nominated.find(verdict.pod_key);
    AddUnschedulable(scene, verdict, node == nominated.end() ? "" : node->second, &changes);
  }
  return changes;
}

}  // namespace cluster::controller
