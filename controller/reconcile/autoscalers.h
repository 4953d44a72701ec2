// HorizontalPodAutoscalers: replicas after what the pods use.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/pod_usage.h"
#include "controller/reconcile/scaling_limits.h"

namespace cluster::controller {

// What is remembered of every autoscaler between passes. Plain state, owned by the loop.
struct AutoscaleBook {
  struct Page {
    // What was judged last; an autoscaler is judged anew with each sample and each change of it.
    int64_t sample = 0;
    int64_t generation = 0;
    bool begun = false;
    ScalingPast past;
    // A change of replicas whose commit has not been seen yet.
    struct Pending {
      int change = 0;
      absl::Duration at;
      int64_t scale_time = 0;  // status.lastScaleTime of the same commit, seconds
    };
    std::optional<Pending> pending;
  };
  std::map<std::string, Page> pages;  // by uid
};

struct AutoscaleInputs {
  absl::Time now;            // wall clock, for timestamps and the ages of pods
  absl::Duration monotonic;  // for windows and periods
  const UsageSample* usage = nullptr;
  AutoscaleBook* book = nullptr;
};

// What the autoscaler scales; nullptr where it is not there. Of the kinds that have replicas.
EntryPtr ScaleTargetOf(const View& view, const v1::HorizontalPodAutoscaler& autoscaler);
// Pods of a Deployment, ReplicaSet or StatefulSet, in any state.
std::vector<EntryPtr> PodsOfTarget(const View& view, const v1::Object& target);

// Every autoscaler of the view. The target's new number and the status that speaks of it are one
// transaction. A target without replicas is left alone. `taken` as in ReconcileReplicas.
Changes ReconcileAutoscalers(const View& view, const absl::flat_hash_set<std::string>& taken,
                             const AutoscaleInputs& inputs);

}  // namespace cluster::controller
