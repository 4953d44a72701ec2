// Turns a request to evict a pod into one transaction. Nothing is written here.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cluster/v1/api.pb.h"
#include "controller/api/removal.h"
#include "controller/cache/cache.h"

namespace cluster::controller {

// A removal that the pod's disruption budgets allow. What it takes of them is written with it, so
// that of two evictions at once the second sees what the first has left. A pod that is not healthy
// counts against a budget only where that says so.
//
// ResourceExhausted when a budget allows no disruption now; else as PlanRemoval.
absl::StatusOr<RemovalPlan> PlanEviction(const Cache& cache, const v1::EvictRequest& request,
                                         absl::Time now);

}  // namespace cluster::controller
