// Jobs and CronJobs in the words of kubectl's tables. Pure.
#pragma once

#include <string>

#include "absl/time/time.h"

#include "cluster/v1/object.pb.h"

namespace cluster::cli {

// Complete, Failed, Terminating, Suspended, FailureTarget, SuccessCriteriaMet or Running.
std::string JobStatusText(const v1::Job& job);
// "2/3"; of a job without completions "0/1 of 3".
std::string CompletionsText(const v1::Job& job);
// From its start to its end, or to `now`; "" for one that has not started.
std::string JobDurationText(const v1::Job& job, absl::Time now);
std::string LastScheduleText(const v1::CronJob& cron_job, absl::Time now);

}  // namespace cluster::cli
