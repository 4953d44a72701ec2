// What follows from an apply for pods, by letting the reconcilers and the scheduler run on a copy
// of the cluster whose nodes do at once what they are told. Pure: nothing is written.
#pragma once

#include <vector>

#include "absl/time/time.h"

#include "cluster/v1/api.pb.h"
#include "controller/cache/view.h"
#include "controller/scheduler/scheduler.h"

namespace cluster::controller {

// `view` is consumed. Pods of the workloads that `results` change, and pods that have to end for
// theirs; ordered by namespace and workload.
std::vector<v1::PlannedPods> ForecastPods(View view, const std::vector<v1::ApplyResult>& results,
                                          const SchedulerOptions& options, absl::Time now);

}  // namespace cluster::controller
