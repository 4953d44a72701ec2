// Decides which node runs which pod.
//
// Pure: no clock, lock, RPC or log. Filters give a verdict and its reason per node; scores are
// integers; ties break by name; the output does not depend on the order of the input. Placements
// count for the pods after them, so that a plan as a whole never over-commits a node (law 9).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/scheduler/placement.h"

namespace cluster::controller {

struct SchedulerOptions {
  Strategy strategy = Strategy::kSpread;
  // Pods placed in one plan at most; the rest follows in the next pass. 0: all.
  int max_placements = 0;
};

struct Binding {
  std::string pod_key;
  store::Rev mod_rev = 0;
  std::string node;
};

// Why one node cannot run one pod.
struct NodeReason {
  std::string node;
  std::string reason;  // "Insufficient cpu (500m lacking)"
};

struct Unschedulable {
  std::string pod_key;
  store::Rev mod_rev = 0;
  // By node name; every reason of every node. Shared by pods that ask for the same.
  std::shared_ptr<const std::vector<NodeReason>> reasons;
  // "0/3 nodes are available: 1 Insufficient cpu (500m lacking), 2 node(s) had untolerated taint
  // {a: b}."
  std::string summary;
};

// Pods of less priority that have to end so that one can run; it is bound once they are gone.
struct Preemption {
  std::string pod_key;
  store::Rev mod_rev = 0;
  std::string node;
  struct Victim {
    std::string pod_key;
    store::Rev mod_rev = 0;
  };
  std::vector<Victim> victims;  // empty: they are ending already
};

struct Plan {
  std::vector<Binding> bindings;             // in the order of placement
  std::vector<Unschedulable> unschedulable;  // in the order of keys; preemptors are in here too
  std::vector<Preemption> preemptions;       // in the order of the queue
};

// Every pod that has no node and is not being deleted.
Plan ComputePlan(const View& view, const SchedulerOptions& options, absl::Time now);

// The same from one plan to the next: what it knows is kept up with the view's changes, so that a
// plan costs what changed. Its plans are those of ComputePlan.
class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options) : options_(options) {}

  // The view was made anew.
  void Reset() { is_new_ = true; }
  // Each change of the view, in order. nullptr before: created; after: deleted.
  void Note(const EntryPtr& before, const EntryPtr& after) {
    if (!is_new_) state_.Note(before, after);
  }
  Plan Compute(const View& view, absl::Time now);
  // The part of Compute that takes notice of what changed.
  void Prepare(const View& view);

 private:
  const SchedulerOptions options_;
  bool is_new_ = true;
  ClusterState state_;
};

// The plan as writes: spec.nodeName and the condition PodScheduled=True, or PodScheduled=False with
// the summary where that is new; victims end, with the condition DisruptionTarget, and the pod that
// needs their room is nominated for it. With the events Scheduled, FailedScheduling and Preempted.
Changes PlanChanges(const View& view, const Plan& plan, absl::Time now);

}  // namespace cluster::controller
