// Jobs: pods that run to their end, until enough of them have succeeded.
#pragma once

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/names.h"

namespace cluster::controller {

// Every Job of the view. Each pod of a job carries a finalizer until its end is counted: the status
// that counts it and the pod that loses the finalizer are one transaction, so that no end is
// counted twice, or missed, whatever is lost or restarted in between. `taken` as in
// ReconcileReplicas.
//
// A job that is over first says how (FailureTarget, SuccessCriteriaMet), and is Complete or Failed
// once nothing of it runs any more.
Changes ReconcileJobs(const View& view, const absl::flat_hash_set<std::string>& taken,
                      absl::Time now, Random* random);

// Complete or Failed.
bool IsJobFinished(const v1::Job& job);

}  // namespace cluster::controller
