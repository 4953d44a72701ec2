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

#include "absl/container/flat_hash_map.h"
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

// Pods that are about to be made, by key; their mod_rev is 0.
using Newcomers = absl::flat_hash_map<std::string, EntryPtr>;

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
  Plan Compute(const View& view, absl::Time now) { return Compute(view, {}, now); }
  // With pods that are not in the view yet, which wait like the others.
  Plan Compute(const View& view, const Newcomers& newcomers, absl::Time now);
  // The part of Compute that takes notice of what changed.
  void Prepare(const View& view);

 private:
  const SchedulerOptions options_;
  bool is_new_ = true;
  ClusterState state_;
};

// Pods of the view that wait for a node, and those that `changes` makes: these are made with their
// node, or with why there is none, and so are written once instead of twice. Nobody is ended for
// one that is not there yet. Not pods with claims: where they may run is in the claims, which have
// to be there.
void Schedule(const View& view, absl::Time now, Scheduler* scheduler, Changes* changes);

// The plan as writes: spec.nodeName and the condition PodScheduled=True, or PodScheduled=False with
// the summary where that is new; victims end, with the condition DisruptionTarget, and the pod that
// needs their room is nominated for it. With the events Scheduled, FailedScheduling and Preempted.
Changes PlanChanges(const View& view, const Plan& plan, absl::Time now,
                    const Newcomers& newcomers = {});

}  // namespace cluster::controller
