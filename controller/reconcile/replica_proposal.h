// How many replicas one metric of an autoscaler asks for: Kubernetes' calculation. Pure.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cluster/v1/horizontalpodautoscaler.pb.h"
#include "cluster/v1/pod.pb.h"
#include "controller/reconcile/pod_usage.h"

namespace cluster::controller {

// Ratios of use and target from 1 - down to 1 + up are left as they are.
struct Tolerance {
  double up = 0.1;
  double down = 0.1;
};

struct ReplicaProposal {
  int replicas = 0;
  v1::MetricStatus status;  // what the pods use, on average
};

// `pods`: those of the target, in any state; `current`: replicas that it has now.
//
// Pods that are being ended are no matter. Pods that have not started, and for cpu those that are
// not ready yet, use nothing where more replicas would come of the others, and are left out where
// fewer would. Pods of which nothing is known use nothing where more would come of it, and all that
// they request (or the target amount) where fewer would. None of this turns a direction round.
//
// FailedPrecondition, with why as one clause: nothing can be said, as a request is missing or no
// pod is known.
absl::StatusOr<ReplicaProposal> ProposeReplicas(const std::vector<const v1::Pod*>& pods,
                                                const UsageSample& usage,
                                                const v1::MetricSpec& metric, int current,
                                                Tolerance tolerance, absl::Time now);

// "cpu resource utilization (percentage of request)"
std::string MetricText(const v1::MetricSpec& metric);

}  // namespace cluster::controller
