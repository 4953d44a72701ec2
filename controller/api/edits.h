// Small changes of one object, as transactions. Nothing is written here.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cluster/v1/api.pb.h"
#include "controller/cache/cache.h"
#include "controller/store/store.h"

namespace cluster::controller {

struct EditPlan {
  // Without operations when the object is so already.
  store::Txn txn;
  v1::Object object;
};

// NotFound, InvalidArgument, Aborted (current_replicas does not hold), FailedPrecondition (a
// ReplicaSet that a Deployment scales).
absl::StatusOr<EditPlan> PlanScale(const Cache& cache, const v1::ScaleRequest& request);

struct UndoEdit {
  EditPlan edit;
  int64_t from_history = 0;
};
// NotFound (no such revision is kept), FailedPrecondition (it is the current one).
absl::StatusOr<UndoEdit> PlanUndoEdit(const Cache& cache, const v1::UndoRequest& request);

// NotFound, InvalidArgument (with violations), FailedPrecondition (the pod has ended or is ending).
absl::StatusOr<EditPlan> PlanAddEphemeral(const Cache& cache,
                                          const v1::AddEphemeralContainerRequest& request);

// Pauses, resumes or restarts a rollout; `now` is the restart's. NotFound, InvalidArgument (the
// kind has no rollout, or none that can be paused), FailedPrecondition (it is so already, or is
// paused).
absl::StatusOr<EditPlan> PlanRolloutEdit(const Cache& cache, const v1::RolloutRequest& request,
                                         absl::Time now);

absl::StatusOr<EditPlan> PlanCordon(const Cache& cache, const v1::CordonRequest& request);

}  // namespace cluster::controller
