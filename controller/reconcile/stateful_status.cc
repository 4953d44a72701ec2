#include "controller/reconcile/stateful_status.h"

#include <utility>

#include "controller/reconcile/conditions.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kProgressCondition = "Progressing";

bool IsUpdateComplete(const v1::StatefulSet& set, const StatefulCounts& counts) {
  const int replicas = set.spec().replicas();
  return counts.replicas == replicas && counts.updated == replicas && counts.ready == replicas;
}

// True while the set is on its way, False when only somebody else can help it on.
ConditionUpdate ProgressOf(const StatefulWait& wait) {
  if (wait.reason.empty()) {
    return {kProgressCondition, v1::CONDITION_STATUS_TRUE, "Complete",
            "Every pod is as it is asked for."};
  }
  const bool stuck = wait.reason == "NameTaken";
  return {kProgressCondition, stuck ? v1::CONDITION_STATUS_FALSE : v1::CONDITION_STATUS_TRUE,
          wait.reason, wait.message};
}

}  // namespace

void WriteStatefulStatus(const Entry& entry, const StatefulState& state, absl::Time now,
                         Changes* changes) {
  const v1::StatefulSet& before = entry.object.stateful_set();
  v1::StatefulSetStatus status = before.status();
  const StatefulCounts& counts = state.counts;
  const bool complete = IsUpdateComplete(before, counts);
  status.set_observed_generation(before.metadata().generation());
  status.set_replicas(counts.replicas);
  status.set_ready_replicas(counts.ready);
  status.set_available_replicas(counts.available);
  status.set_current_replicas(complete ? counts.updated : counts.current);
  status.set_updated_replicas(counts.updated);
  status.set_current_revision(complete ? state.update_revision : state.current_revision);
  status.set_update_revision(state.update_revision);
  SetCondition(ProgressOf(state.wait), now, status.mutable_conditions());
  if (SameMessage(status, before.status())) return;
  v1::Object after = entry.object;
  *after.mutable_stateful_set()->mutable_status() = std::move(status);
  changes->Put(entry, std::move(after));
}

}  // namespace cluster::controller
