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

namespace cluster::controller {

struct SchedulerOptions {
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

struct Plan {
  std::vector<Binding> bindings;             // in the order of placement
  std::vector<Unschedulable> unschedulable;  // in the order of keys
};

// Every pod that has no node and is not being deleted.
Plan ComputePlan(const View& view, const SchedulerOptions& options, absl::Time now);

// The plan as writes: spec.nodeName and the condition PodScheduled=True, or PodScheduled=False with
// the summary where that is new; and the events Scheduled and FailedScheduling.
Changes PlanChanges(const View& view, const Plan& plan, absl::Time now);

// Verdicts of every node about one pod, for `why`: an empty reason means that it fits.
std::vector<NodeReason> ExplainPod(const View& view, const v1::Pod& pod);

}  // namespace cluster::controller
