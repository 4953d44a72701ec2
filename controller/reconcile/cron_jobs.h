// CronJobs: a Job at each time that a schedule names.
#pragma once

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/names.h"

namespace cluster::controller {

// On a job: the time that it was started for, RFC 3339, in the CronJob's time zone.
constexpr absl::string_view kScheduledTime = "batch.kubernetes.io/cronjob-scheduled-timestamp";

// Every CronJob of the view. The next run is computed from the last one, so it does not matter how
// many were missed: only the latest of them starts. A job's name is that of its time
// (CRONJOB-MINUTES since 1970), and it is made in the same transaction that writes the time into
// the CronJob's status: no run is ever started twice. `taken` as in ReconcileReplicas.
Changes ReconcileCronJobs(const View& view, const absl::flat_hash_set<std::string>& taken,
                          absl::Time now, Random* random);

}  // namespace cluster::controller
