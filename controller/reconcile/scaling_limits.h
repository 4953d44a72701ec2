// How fast an autoscaler may follow its metrics: stabilisation windows and policies, Kubernetes'
// rules. Pure.
#pragma once

#include <vector>

#include "absl/time/time.h"

#include "cluster/v1/horizontalpodautoscaler.pb.h"
#include "controller/reconcile/conditions.h"

namespace cluster::controller {

// What is remembered of one autoscaler. Times are monotonic. Not durable: a controller that starts
// anew takes the replicas that it finds for the last recommendation.
struct ScalingPast {
  struct Recommendation {
    int replicas = 0;
    absl::Duration at;
  };
  struct Change {
    int replicas = 0;  // added, or taken away if negative
    absl::Duration at;
  };
  std::vector<Recommendation> recommendations;
  std::vector<Change> changes;

  // Forgets what no window or period reaches, whatever the rules will be.
  void Trim(absl::Duration now);
};

struct WantedReplicas {
  int current = 0;
  int desired = 0;  // by the metrics
  int min = 1;
  int max = 1;
};

struct LimitedReplicas {
  int replicas = 0;
  ConditionUpdate able;     // AbleToScale
  ConditionUpdate limited;  // ScalingLimited
};

// `behavior` with its defaults. Remembers wanted.desired as a recommendation.
LimitedReplicas LimitReplicas(const WantedReplicas& wanted, const v1::ScalingBehavior& behavior,
                              absl::Duration now, ScalingPast* past);

}  // namespace cluster::controller
