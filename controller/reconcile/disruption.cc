#include "controller/reconcile/disruption.h"

#include <utility>

#include "controller/reconcile/budgets.h"
#include "controller/reconcile/conditions.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

ConditionUpdate AllowedUpdate(const BudgetState& state) {
  constexpr absl::string_view kAllowed = "DisruptionAllowed";
  if (state.allowed > 0) return {kAllowed, v1::CONDITION_STATUS_TRUE, "SufficientPods", ""};
  return {kAllowed, v1::CONDITION_STATUS_FALSE, "InsufficientPods", ""};
}

}  // namespace

bool UpdateBudgetStatus(const View& view, absl::Time now, v1::PodDisruptionBudget* budget) {
  const BudgetState state = StateOf(view, *budget);
  v1::PodDisruptionBudgetStatus status = budget->status();
  status.set_observed_generation(budget->metadata().generation());
  status.set_disruptions_allowed(state.allowed);
  status.set_current_healthy(state.healthy);
  status.set_desired_healthy(state.desired);
  status.set_expected_pods(state.expected);
  SetCondition(AllowedUpdate(state), now, status.mutable_conditions());
  if (StableBytes(status) == StableBytes(budget->status())) return false;
  *budget->mutable_status() = std::move(status);
  return true;
}

Changes ReconcileBudgets(const View& view, absl::Time now) {
  Changes changes;
  for (const auto& [key, entry] : view.All(v1::Object::kPodDisruptionBudget)) {
    if (Meta(entry->object).has_deletion_timestamp()) continue;
    v1::Object after = entry->object;
    if (!UpdateBudgetStatus(view, now, after.mutable_pod_disruption_budget())) continue;
    changes.Put(*entry, std::move(after));
  }
  return changes;
}

}  // namespace cluster::controller
