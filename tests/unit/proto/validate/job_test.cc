// Defaults of Jobs and CronJobs, and what may change of them.
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "proto/schema/kinds.h"
#include "proto/schema/reader.h"
#include "proto/validate/validate.h"

namespace cluster {
namespace {

v1::Object DefaultedJob(const std::string& text, const std::string& uid = "") {
  ReadResult result = ReadManifests(text, "test.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  if (result.documents.empty()) return {};
  v1::Object object = result.documents[0].object;
  MutableMeta(&object)->set_uid(uid);
  SetDefaults(&object);
  v1::Object again = object;
  SetDefaults(&again);
  EXPECT_EQ(again.ShortDebugString(), object.ShortDebugString()) << "not idempotent";
  return object;
}

std::string JobText(const std::string& spec, const std::string& labels = "") {
  return absl::StrCat("apiVersion: batch/v1\nkind: Job\nmetadata: {name: work}\nspec:\n", spec,
                      "  template:\n    metadata: {labels: {", labels,
                      "}}\n    spec: {restartPolicy: Never, containers: [{name: main, image: "
                      "\"app:1\"}]}\n");
}

v1::JobSpec Spec(const std::string& spec) { return DefaultedJob(JobText(spec)).job().spec(); }

std::string Findings(const std::vector<FieldError>& errors) {
  std::string text;
  for (const FieldError& error : errors) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", error.field, ": ", error.message);
  }
  return text;
}

TEST(JobDefaults, OneCompletionOnePodAndSixFailures) {
  const v1::JobSpec spec = Spec("");
  EXPECT_EQ(spec.parallelism(), 1);
  EXPECT_EQ(spec.completions(), 1);
  EXPECT_EQ(spec.backoff_limit(), 6);
  EXPECT_EQ(spec.completion_mode(), v1::COMPLETION_MODE_NON_INDEXED);
  EXPECT_EQ(spec.pod_replacement_policy(), v1::POD_REPLACEMENT_POLICY_TERMINATING_OR_FAILED);
  EXPECT_TRUE(spec.has_suspend());
  EXPECT_FALSE(spec.has_selector()) << "it is made from the uid, which is not known yet";
}

TEST(JobDefaults, WithParallelismAloneTheEndIsOpen) {
  const v1::JobSpec spec = Spec("  parallelism: 3\n");
  EXPECT_FALSE(spec.has_completions());
  EXPECT_EQ(Spec("  completions: 3\n").parallelism(), 1);
}

TEST(JobDefaults, FollowTheOtherFields) {
  EXPECT_EQ(Spec("  completionMode: Indexed\n  completions: 2\n  backoffLimitPerIndex: 1\n")
                .backoff_limit(),
            2'147'483'647);
  const v1::JobSpec spec = Spec(
      "  podFailurePolicy:\n    rules:\n"
      "    - {action: Ignore, onPodConditions: [{type: DisruptionTarget}]}\n");
  EXPECT_EQ(spec.pod_replacement_policy(), v1::POD_REPLACEMENT_POLICY_FAILED);
  EXPECT_EQ(spec.pod_failure_policy().rules(0).on_pod_conditions(0).status(),
            v1::CONDITION_STATUS_TRUE);
}

TEST(JobDefaults, TheSelectorIsTheJobsUid) {
  const v1::Object job = DefaultedJob(JobText("", "app: web"), "u-1");
  const v1::JobSpec& spec = job.job().spec();
  EXPECT_EQ(spec.selector().match_labels().at("batch.kubernetes.io/controller-uid"), "u-1");
  const auto& labels = spec.template_().metadata().labels();
  EXPECT_EQ(labels.at("app"), "web");
  EXPECT_EQ(labels.at("batch.kubernetes.io/controller-uid"), "u-1");
  EXPECT_EQ(labels.at("controller-uid"), "u-1");
  EXPECT_EQ(labels.at("batch.kubernetes.io/job-name"), "work");
  EXPECT_EQ(labels.at("job-name"), "work");
  EXPECT_EQ(Findings(Validate(job)), "");
}

TEST(JobDefaults, AManualSelectorIsTheUsersAffair) {
  const v1::Object job = DefaultedJob(
      JobText("  manualSelector: true\n  selector: {matchLabels: {app: web}}\n", "app: web"),
      "u-1");
  EXPECT_EQ(job.job().spec().template_().metadata().labels_size(), 1);
  EXPECT_EQ(Findings(Validate(job)), "");
}

TEST(JobRules, LabelsOfAnotherJobAreRefused) {
  const v1::Object job = DefaultedJob(JobText("", "controller-uid: old"), "u-1");
  EXPECT_EQ(Findings(Validate(job)),
            "spec.template.metadata.labels[controller-uid]: it must be \"u-1\"; remove it, it is "
            "set by itself");
  const v1::Object selecting =
      DefaultedJob(JobText("  selector: {matchLabels: {app: web}}\n", "app: web"), "u-1");
  EXPECT_EQ(Findings(Validate(selecting)),
            "spec.selector: a job selects its pods by itself; remove the field, or set "
            "manualSelector");
}

TEST(CronJobDefaults, AllowKeepThreeAndOne) {
  const v1::Object object = DefaultedJob(
      "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: backup}\nspec:\n"
      "  schedule: '@daily'\n  jobTemplate:\n    spec:\n      template:\n"
      "        spec: {restartPolicy: OnFailure, containers: [{name: main, image: \"app:1\"}]}\n",
      "u-1");
  const v1::CronJobSpec& spec = object.cron_job().spec();
  EXPECT_EQ(spec.concurrency_policy(), v1::CONCURRENCY_POLICY_ALLOW);
  EXPECT_EQ(spec.successful_jobs_history_limit(), 3);
  EXPECT_EQ(spec.failed_jobs_history_limit(), 1);
  EXPECT_EQ(spec.job_template().spec().backoff_limit(), 6);
  EXPECT_FALSE(spec.job_template().spec().has_selector());
  EXPECT_EQ(Findings(Validate(object)), "");
}

TEST(JobUpdate, NumbersMayChangeAndTheRestStays) {
  const auto job = [](const std::string& spec, const std::string& labels = "") {
    return DefaultedJob(JobText(spec, labels), "u-1");
  };
  const v1::Object before = job("  completions: 3\n");
  EXPECT_EQ(
      Findings(ValidateUpdate(before, job("  completions: 3\n  parallelism: 7\n  suspend: true\n"
                                          "  backoffLimit: 2\n  activeDeadlineSeconds: 5\n"
                                          "  ttlSecondsAfterFinished: 9\n"))),
      "");
  EXPECT_EQ(Findings(ValidateUpdate(before, job("  completions: 4\n"))),
            "spec.completions: it cannot change, unless the job is Indexed and parallelism changes "
            "to the same number");
  EXPECT_EQ(Findings(ValidateUpdate(before, job("  completions: 3\n", "app: web"))),
            "spec.template.metadata.labels: it cannot change; delete the job and create it anew");
  EXPECT_EQ(Findings(ValidateUpdate(before, job("  completions: 3\n  completionMode: Indexed\n"))),
            "spec.completionMode: it cannot change; delete the job and create it anew");
}

TEST(JobUpdate, AnIndexedJobIsElastic) {
  const auto job = [](int completions, int parallelism) {
    return DefaultedJob(JobText(absl::StrCat("  completionMode: Indexed\n  completions: ",
                                             completions, "\n  parallelism: ", parallelism, "\n")),
                        "u-1");
  };
  EXPECT_EQ(Findings(ValidateUpdate(job(3, 3), job(5, 5))), "");
  EXPECT_NE(Findings(ValidateUpdate(job(3, 3), job(5, 3))), "");
}

}  // namespace
}  // namespace cluster
