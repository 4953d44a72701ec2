// The parts of `describe` that are about Jobs and CronJobs.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/output/describe.h"
#include "cli/output/job_text.h"
#include "cli/output/rows.h"

#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

template <typename Number>
std::string NumberOr(bool set, Number number, absl::string_view otherwise) {
  return set ? absl::StrCat(number) : std::string(otherwise);
}

std::string YesNo(bool yes) { return yes ? "true" : "false"; }

void DescribeJobSpec(const v1::JobSpec& spec, Description& text) {
  text.Field(0, "Parallelism", absl::StrCat(spec.parallelism()));
  text.Field(0, "Completions", NumberOr(spec.has_completions(), spec.completions(), "<unset>"));
  text.Field(0, "Completion Mode", EnumText(spec.completion_mode()));
}

void DescribeLimits(const v1::JobSpec& spec, Description& text) {
  text.Field(0, "Suspend", YesNo(spec.suspend()));
  text.Field(0, "Backoff Limit", absl::StrCat(spec.backoff_limit()));
  if (spec.has_backoff_limit_per_index()) {
    text.Field(0, "Backoff Limit Per Index", absl::StrCat(spec.backoff_limit_per_index()));
  }
  if (spec.has_max_failed_indexes()) {
    text.Field(0, "Max Failed Indexes", absl::StrCat(spec.max_failed_indexes()));
  }
  if (spec.has_active_deadline_seconds()) {
    text.Field(0, "Active Deadline Seconds", absl::StrCat(spec.active_deadline_seconds(), "s"));
  }
  if (spec.has_ttl_seconds_after_finished()) {
    text.Field(0, "TTL Seconds After Finished",
               absl::StrCat(spec.ttl_seconds_after_finished(), "s"));
  }
}

}  // namespace

void DescribeJob(const v1::Job& job, absl::Time now, Description& text) {
  const v1::JobSpec& spec = job.spec();
  const v1::JobStatus& status = job.status();
  text.Field(0, "Selector", SelectorText(spec.selector()));
  DescribeJobSpec(spec, text);
  DescribeLimits(spec, text);
  if (status.has_start_time()) text.Field(0, "Start Time", TimeText(status.start_time()));
  if (status.has_completion_time()) {
    text.Field(0, "Completed At", TimeText(status.completion_time()));
    text.Field(0, "Duration", JobDurationText(job, now));
  }
  text.Field(0, "Pods Statuses",
             absl::StrFormat("%d Active (%d Ready) / %d Succeeded / %d Failed", status.active(),
                             status.ready(), status.succeeded(), status.failed()));
  if (spec.completion_mode() == v1::COMPLETION_MODE_INDEXED) {
    text.Field(0, "Completed Indexes", OrNone(status.completed_indexes()));
  }
  if (spec.has_backoff_limit_per_index()) {
    text.Field(0, "Failed Indexes", OrNone(status.failed_indexes()));
  }
  DescribeConditions(status.conditions(), now, text);
  DescribePodTemplate(spec.template_(), 0, text);
}

void DescribeCronJob(const v1::CronJob& cron_job, Description& text) {
  const v1::CronJobSpec& spec = cron_job.spec();
  const v1::CronJobStatus& status = cron_job.status();
  text.Field(0, "Schedule", spec.schedule());
  text.Field(0, "Time Zone", spec.has_time_zone() ? spec.time_zone() : "UTC");
  text.Field(0, "Concurrency Policy", EnumText(spec.concurrency_policy()));
  text.Field(0, "Suspend", YesNo(spec.suspend()));
  text.Field(0, "Successful Job History Limit", absl::StrCat(spec.successful_jobs_history_limit()));
  text.Field(0, "Failed Job History Limit", absl::StrCat(spec.failed_jobs_history_limit()));
  text.Field(0, "Starting Deadline Seconds",
             spec.has_starting_deadline_seconds()
                 ? absl::StrCat(spec.starting_deadline_seconds(), "s")
                 : "<unset>");
  DescribeJobSpec(spec.job_template().spec(), text);
  text.Field(0, "Last Schedule Time",
             status.has_last_schedule_time() ? TimeText(status.last_schedule_time()) : "<unset>");
  text.Field(0, "Next Schedule Time",
             status.has_next_schedule_time() ? TimeText(status.next_schedule_time()) : "<none>");
  text.Field(0, "Active Jobs",
             OrNone(absl::StrJoin(status.active(), ", ",
                                  [](std::string* out, const v1::ObjectReference& job) {
                                    absl::StrAppend(out, job.name());
                                  })));
  DescribePodTemplate(spec.job_template().spec().template_(), 0, text);
}

}  // namespace cluster::cli
