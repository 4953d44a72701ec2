#include "tests/domain/job_builders.h"

#include "absl/strings/str_cat.h"

#include "proto/validate/validate.h"

namespace cluster::domain {
namespace {

void NameIt(const char* kind, const std::string& name, v1::ObjectMeta* meta) {
  meta->set_name(name);
  meta->set_namespace_("default");
  meta->set_uid(absl::StrCat(kind, "-", name));
  meta->set_generation(1);
}

}  // namespace

Job::Job(const std::string& name) {
  NameIt("Job", name, meta());
  *spec() = *Pod(name).spec();
  spec()->set_restart_policy(v1::RESTART_POLICY_NEVER);
  SetDefaults(&object_);
}

Job& Job::Completions(int completions) {
  job()->set_completions(completions);
  return *this;
}

Job& Job::Parallelism(int parallelism) {
  job()->set_parallelism(parallelism);
  return *this;
}

Job& Job::Backoff(int limit) {
  job()->set_backoff_limit(limit);
  return *this;
}

Job& Job::Indexed() {
  job()->set_completion_mode(v1::COMPLETION_MODE_INDEXED);
  return *this;
}

Job& Job::RestartsPods() {
  spec()->set_restart_policy(v1::RESTART_POLICY_ON_FAILURE);
  return *this;
}

CronJob::CronJob(const std::string& name, const std::string& schedule) {
  NameIt("CronJob", name, meta());
  cron_job()->set_schedule(schedule);
  *spec() = *Pod(name).spec();
  spec()->set_restart_policy(v1::RESTART_POLICY_NEVER);
  SetDefaults(&object_);
}

CronJob& CronJob::Policy(v1::ConcurrencyPolicy policy) {
  cron_job()->set_concurrency_policy(policy);
  return *this;
}

CronJob& CronJob::Zone(const std::string& zone) {
  cron_job()->set_time_zone(zone);
  return *this;
}

}  // namespace cluster::domain
