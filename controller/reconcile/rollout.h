// Deployments: one ReplicaSet per revision of the template, rolled from one to the next.
#pragma once

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/names.h"
#include "controller/reconcile/settled.h"

namespace cluster::controller {

// On Deployment and ReplicaSet: the number of the revision.
constexpr absl::string_view kRevisionAnnotation = "deployment.kubernetes.io/revision";
// On ReplicaSet: replicas of the Deployment when it was last scaled.
constexpr absl::string_view kDesiredAnnotation = "deployment.kubernetes.io/desired-replicas";

// Every Deployment of the view. `taken` holds the keys that earlier laws write in this pass: a
// Deployment whose sets or pods are among them waits for the next pass. `settled` may be nullptr.
Changes ReconcileRollouts(const View& view, const absl::flat_hash_set<std::string>& taken,
                          absl::Time now, Random* random, Settled* settled = nullptr);

struct UndoPlan {
  v1::Deployment deployment;  // with the template of the old revision
  int64_t from_revision = 0;  // the revision whose template it is
};

// The Deployment as it has to be stored to return to a kept revision; 0: the one before the
// current. NotFound: no such Deployment or revision; FailedPrecondition: its template is the
// current one.
absl::StatusOr<UndoPlan> PlanUndo(const View& view, absl::string_view name_space,
                                  absl::string_view name, int64_t to_revision);

}  // namespace cluster::controller
