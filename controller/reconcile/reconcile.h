// Every reconciler, in one call: what has to change so that the cluster becomes what users want.
//
// Pure: no clock, thread, log or I/O. Level-triggered: a pass over a view in which nothing is to be
// done gives no writes. Pods are bound by the scheduler (controller/scheduler), which runs after
// this.
#pragma once

#include "absl/time/time.h"

#include "controller/reconcile/autoscalers.h"
#include "controller/reconcile/changes.h"
#include "controller/reconcile/names.h"
#include "controller/reconcile/node_lifecycle.h"
#include "controller/reconcile/settled.h"

namespace cluster::controller {

struct ReconcileInputs {
  absl::Time now;                          // wall clock, for timestamps
  absl::Duration monotonic;                // for leases and the brake
  const NodeContacts* contacts = nullptr;  // never nullptr in a call
  LossBrake* brake = nullptr;              // never nullptr in a call
  Random* random = nullptr;                // never nullptr in a call
  Settled* settled = nullptr;              // nullptr: everything is looked at
  // Neither or both; without them nothing is autoscaled.
  const UsageSample* usage = nullptr;
  AutoscaleBook* autoscale = nullptr;
};

// The laws in order: namespaces and garbage, nodes, taints, claims, autoscalers, rollouts,
// replicas, stateful sets, daemon sets, cron jobs, jobs, budgets. Pods that come of them get their
// priority last, and what is to be created is admitted, or not (controller/admission). Where two
// want to write one object, the earlier one does and the later one follows in the next pass.
Changes Reconcile(const View& view, const ReconcileInputs& inputs);

}  // namespace cluster::controller
