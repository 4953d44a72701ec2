#include "controller/reconcile/reconcile.h"

#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"

#include "controller/admission/admission.h"
#include "controller/reconcile/claims.h"
#include "controller/reconcile/cron_jobs.h"
#include "controller/reconcile/daemon_set.h"
#include "controller/reconcile/data_versions.h"
#include "controller/reconcile/disruption.h"
#include "controller/reconcile/garbage.h"
#include "controller/reconcile/jobs.h"
#include "controller/reconcile/namespaces.h"
#include "controller/reconcile/replicas.h"
#include "controller/reconcile/rollout.h"
#include "controller/reconcile/stateful_set.h"
#include "controller/reconcile/taint_eviction.h"

namespace cluster::controller {
namespace {

absl::flat_hash_set<std::string> KeysOf(const Changes& changes) {
  absl::flat_hash_set<std::string> keys;
  for (const Write& write : changes.writes) keys.insert(write.key);
  return keys;
}

}  // namespace

Changes Reconcile(const View& view, const ReconcileInputs& inputs) {
  Changes changes = ReconcileNamespaces(view, inputs.now);
  MergeChanges(ReconcileGarbage(view, inputs.now), &changes);
  MergeChanges(ReconcileNodes(view, {inputs.now, inputs.monotonic, inputs.contacts, inputs.brake}),
               &changes);
  MergeChanges(ReconcileTaints(view, inputs.now), &changes);
  MergeChanges(ReconcileClaims(view, inputs.now), &changes);
  if (inputs.autoscale != nullptr) {
    MergeChanges(
        ReconcileAutoscalers(view, KeysOf(changes),
                             {inputs.now, inputs.monotonic, inputs.usage, inputs.autoscale}),
        &changes);
  }
  MergeChanges(ReconcileRollouts(view, KeysOf(changes), inputs.now, inputs.random, inputs.settled),
               &changes);
  MergeChanges(ReconcileCopies(view, changes), &changes);
  MergeChanges(ReconcileReplicas(view, KeysOf(changes), inputs.now, inputs.random, inputs.settled),
               &changes);
  MergeChanges(ReconcileStatefulSets(view, KeysOf(changes), inputs.now, inputs.random), &changes);
  MergeChanges(ReconcileDaemonSets(view, KeysOf(changes), inputs.now, inputs.random), &changes);
  MergeChanges(ReconcileCronJobs(view, KeysOf(changes), inputs.now, inputs.random), &changes);
  MergeChanges(ReconcileJobs(view, KeysOf(changes), inputs.now, inputs.random), &changes);
  MergeChanges(ReconcileBudgets(view, inputs.now), &changes);
  AdmitCreations(view, inputs.now, &changes);
  return changes;
}

}  // namespace cluster::controller
