#include <limits>

#include "proto/validate/job_rules.h"

namespace cluster {
namespace {

constexpr int kBackoffLimit = 6;

void AddMissing(const std::string& key, const std::string& value,
                google::protobuf::Map<std::string, std::string>* labels) {
  labels->insert({key, value});
}

}  // namespace

void DefaultJobSpec(v1::JobSpec* spec) {
  if (!spec->has_completions() && !spec->has_parallelism()) {
    spec->set_completions(1);
    spec->set_parallelism(1);
  }
  if (!spec->has_parallelism()) spec->set_parallelism(1);
  if (!spec->has_backoff_limit()) {
    spec->set_backoff_limit(
        spec->has_backoff_limit_per_index() ? std::numeric_limits<int32_t>::max() : kBackoffLimit);
  }
  if (spec->completion_mode() == v1::COMPLETION_MODE_UNSPECIFIED) {
    spec->set_completion_mode(v1::COMPLETION_MODE_NON_INDEXED);
  }
  if (!spec->has_suspend()) spec->set_suspend(false);
  if (spec->pod_replacement_policy() == v1::POD_REPLACEMENT_POLICY_UNSPECIFIED) {
    spec->set_pod_replacement_policy(spec->has_pod_failure_policy()
                                         ? v1::POD_REPLACEMENT_POLICY_FAILED
                                         : v1::POD_REPLACEMENT_POLICY_TERMINATING_OR_FAILED);
  }
  if (!spec->has_pod_failure_policy()) return;
  for (v1::PodFailureRule& rule : *spec->mutable_pod_failure_policy()->mutable_rules()) {
    for (v1::PodFailureOnPodCondition& condition : *rule.mutable_on_pod_conditions()) {
      if (condition.status() == v1::CONDITION_STATUS_UNSPECIFIED) {
        condition.set_status(v1::CONDITION_STATUS_TRUE);
      }
    }
  }
}

void DefaultJobSelector(v1::Job* job) {
  const v1::ObjectMeta& meta = job->metadata();
  v1::JobSpec* spec = job->mutable_spec();
  if (meta.uid().empty() || spec->manual_selector()) return;
  auto* labels = spec->mutable_template_()->mutable_metadata()->mutable_labels();
  for (const char* key : {kJobUidLabel, kOldJobUidLabel}) AddMissing(key, meta.uid(), labels);
  for (const char* key : {kJobNameLabel, kOldJobNameLabel}) AddMissing(key, meta.name(), labels);
  AddMissing(kJobUidLabel, meta.uid(), spec->mutable_selector()->mutable_match_labels());
}

void DefaultCronJobSpec(v1::CronJobSpec* spec) {
  if (spec->concurrency_policy() == v1::CONCURRENCY_POLICY_UNSPECIFIED) {
    spec->set_concurrency_policy(v1::CONCURRENCY_POLICY_ALLOW);
  }
  if (!spec->has_suspend()) spec->set_suspend(false);
  if (!spec->has_successful_jobs_history_limit()) spec->set_successful_jobs_history_limit(3);
  if (!spec->has_failed_jobs_history_limit()) spec->set_failed_jobs_history_limit(1);
  DefaultJobSpec(spec->mutable_job_template()->mutable_spec());
}

}  // namespace cluster
