#include "controller/api/eviction.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/api/lookup.h"
#include "controller/object/object_fields.h"
#include "controller/reconcile/budgets.h"
#include "controller/reconcile/conditions.h"

namespace cluster::controller {
namespace {

absl::Status Refusal(const v1::PodDisruptionBudget& budget, const BudgetState& state) {
  return absl::ResourceExhaustedError(
      absl::StrCat("Cannot evict pod as it would violate the pod's disruption budget: ",
                   budget.metadata().name(), " allows 0 disruptions now, it needs ", state.desired,
                   " healthy pods and has ", state.healthy, " currently"));
}

struct Taken {
  EntryPtr before;
  v1::Object after;
};

// The budgets that the eviction counts against, with one disruption less.
absl::StatusOr<std::vector<Taken>> TakeFromBudgets(const View& view, const v1::Pod& pod) {
  std::vector<Taken> taken;
  for (const auto& [key, entry] : view.All(v1::Object::kPodDisruptionBudget)) {
    const v1::PodDisruptionBudget& budget = entry->object.pod_disruption_budget();
    if (!Guards(budget, pod)) continue;
    const BudgetState state = StateOf(view, budget);
    if (!CountsAgainst(budget, state, pod)) continue;
    if (state.allowed <= 0) return Refusal(budget, state);
    Taken& each = taken.emplace_back(Taken{entry, entry->object});
    auto* status = each.after.mutable_pod_disruption_budget()->mutable_status();
    status->set_disruptions_allowed(state.allowed - 1);
    status->set_current_healthy(state.healthy - 1);
  }
  return taken;
}

// Whoever owns the pod can tell this end from a failure.
void MarkEvicted(absl::Time now, v1::Object* object) {
  SetCondition({"DisruptionTarget", v1::CONDITION_STATUS_TRUE, "EvictionByEvictionAPI",
                "Eviction API: evicting"},
               now, object->mutable_pod()->mutable_status()->mutable_conditions());
}

}  // namespace

absl::StatusOr<RemovalPlan> PlanEviction(const Cache& cache, const v1::EvictRequest& request,
                                         absl::Time now) {
  ASSIGN_OR_RETURN(const EntryPtr entry,
                   FindObject(cache, "Pod", request.namespace_(), request.pod()));
  v1::DeleteRequest removal;
  removal.set_kind("Pod");
  removal.set_namespace_(request.namespace_());
  removal.set_name(request.pod());
  removal.set_uid(request.uid());
  if (request.has_grace_period_seconds()) {
    removal.set_grace_period_seconds(request.grace_period_seconds());
  }
  ASSIGN_OR_RETURN(RemovalPlan plan, PlanRemoval(cache, removal, now));
  if (plan.txn.ops.empty()) return plan;
  ASSIGN_OR_RETURN(std::vector<Taken> taken, cache.Read([&](const View& view) {
    return TakeFromBudgets(view, entry->object.pod());
  }));
  if (!plan.gone) {
    MarkEvicted(now, &plan.object);
    plan.txn.ops[0].value = SerializeObject(plan.object);
  }
  for (const Taken& each : taken) {
    plan.txn.conds.push_back({each.before->key, each.before->mod_rev});
    plan.txn.ops.push_back(
        {store::Op::Kind::kPut, each.before->key, SerializeObject(each.after), /*lease=*/0});
  }
  return plan;
}

}  // namespace cluster::controller
