#include "cli/output/job_text.h"

#include "absl/strings/str_cat.h"
#include "cli/output/duration.h"
#include "cli/output/pod_status.h"

#include "proto/schema/scalars.h"

namespace cluster::cli {
namespace {

bool Holds(const v1::Job& job, const std::string& type) {
  const v1::Condition* condition = FindCondition(job.status().conditions(), type);
  return condition != nullptr && condition->status() == v1::CONDITION_STATUS_TRUE;
}

}  // namespace

std::string JobStatusText(const v1::Job& job) {
  for (const char* end : {"Complete", "Failed"}) {
    if (Holds(job, end)) return end;
  }
  if (job.metadata().has_deletion_timestamp()) return "Terminating";
  for (const char* state : {"Suspended", "FailureTarget", "SuccessCriteriaMet"}) {
    if (Holds(job, state)) return state;
  }
  return "Running";
}

std::string CompletionsText(const v1::Job& job) {
  const int succeeded = job.status().succeeded();
  if (job.spec().has_completions()) return absl::StrCat(succeeded, "/", job.spec().completions());
  if (job.spec().parallelism() > 1) {
    return absl::StrCat(succeeded, "/1 of ", job.spec().parallelism());
  }
  return absl::StrCat(succeeded, "/1");
}

std::string JobDurationText(const v1::Job& job, absl::Time now) {
  const v1::JobStatus& status = job.status();
  if (!status.has_start_time()) return "";
  const absl::Time end = status.has_completion_time() ? ToTime(status.completion_time()) : now;
  return HumanDuration(end - ToTime(status.start_time()));
}

std::string LastScheduleText(const v1::CronJob& cron_job, absl::Time now) {
  if (!cron_job.status().has_last_schedule_time()) return "<none>";
  return Age(cron_job.status().last_schedule_time(), now);
}

}  // namespace cluster::cli
