// Jobs and CronJobs for tests: Job("work").Completions(3).Parallelism(2).
#pragma once

#include <string>

#include "tests/domain/builders.h"

namespace cluster::domain {

class Job : public PodSpecWords<Job>, public MetaWords<Job> {
 public:
  // One completion, one pod at a time, pods that are not restarted; selects its pods by its uid.
  explicit Job(const std::string& name);
  Job& Completions(int completions);
  Job& Parallelism(int parallelism);
  Job& Backoff(int limit);
  Job& Indexed();
  Job& RestartsPods();
  v1::JobSpec* job() { return object_.mutable_job()->mutable_spec(); }
  v1::PodSpec* spec() { return job()->mutable_template_()->mutable_spec(); }
  v1::ObjectMeta* meta() { return object_.mutable_job()->mutable_metadata(); }
  v1::Object get() const { return object_; }
  operator v1::Object() const { return object_; }

 private:
  v1::Object object_;
};

class CronJob : public PodSpecWords<CronJob>, public MetaWords<CronJob> {
 public:
  CronJob(const std::string& name, const std::string& schedule);
  CronJob& Policy(v1::ConcurrencyPolicy policy);
  CronJob& Zone(const std::string& zone);
  v1::CronJobSpec* cron_job() { return object_.mutable_cron_job()->mutable_spec(); }
  v1::PodSpec* spec() {
    return cron_job()->mutable_job_template()->mutable_spec()->mutable_template_()->mutable_spec();
  }
  v1::ObjectMeta* meta() { return object_.mutable_cron_job()->mutable_metadata(); }
  v1::Object get() const { return object_; }
  operator v1::Object() const { return object_; }

 private:
  v1::Object object_;
};

}  // namespace cluster::domain
