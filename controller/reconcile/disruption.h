// Status of PodDisruptionBudgets: how many disruptions they allow, for people and for evictions.
#pragma once

#include "controller/reconcile/changes.h"

namespace cluster::controller {

Changes ReconcileBudgets(const View& view, absl::Time now);

// The status that follows from the state; true when it differs from what is there.
bool UpdateBudgetStatus(const View& view, absl::Time now, v1::PodDisruptionBudget* budget);

}  // namespace cluster::controller
