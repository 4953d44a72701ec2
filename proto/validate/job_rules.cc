#include "proto/validate/job_rules.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "proto/schema/cron.h"
#include "proto/schema/selector.h"
#include "proto/validate/difference.h"
#include "proto/validate/meta_rules.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/template_rules.h"

namespace cluster {
namespace {

// Kubernetes' limits of indexed jobs: what keeps "1,3-5,7" bounded.
constexpr int kMostParallel = 100'000;
constexpr int kManyCompletions = 100'000;
constexpr int kMostParallelOfMany = 10'000;
constexpr int kMostRules = 20;
constexpr int kMostExitCodes = 255;
constexpr size_t kLongestJobName = 63;
// Its jobs are named NAME-MINUTES.
constexpr size_t kLongestCronJobName = 52;

bool TemplateHas(const v1::PodSpec& pod, const std::string& name) {
  const auto named = [&name](const v1::Container& each) { return each.name() == name; };
  return std::any_of(pod.containers().begin(), pod.containers().end(), named) ||
         std::any_of(pod.init_containers().begin(), pod.init_containers().end(), named);
}

void CheckExitCodes(const v1::PodFailureOnExitCodes& codes, const v1::PodSpec& pod,
                    const Path& path, Findings* findings) {
  if (codes.has_container_name() && !TemplateHas(pod, codes.container_name())) {
    findings->Add(path / "containerName",
                  absl::StrCat("the template has no container ", Quote(codes.container_name()),
                               "; name one of its own, or none for any"));
  }
  if (codes.operator_() == v1::EXIT_CODES_OPERATOR_UNSPECIFIED) {
    findings->Add(path / "operator", "an operator is missing; set In or NotIn");
  }
  const auto& values = codes.values();
  if (values.empty() || values.size() > kMostExitCodes) {
    findings->Add(path / "values", absl::StrCat("there are ", values.size(),
                                                " exit codes; list 1 to ", kMostExitCodes));
  }
  for (int i = 0; i < values.size(); ++i) {
    if (i > 0 && values[i] <= values[i - 1]) {
      findings->Add((path / "values").At(i),
                    absl::StrCat(values[i], " comes after ", values[i - 1],
                                 "; list each exit code once, in ascending order"));
    }
    if (values[i] == 0 && codes.operator_() == v1::EXIT_CODES_OPERATOR_IN) {
      findings->Add((path / "values").At(i), "0 is no failure; remove it");
    }
  }
}

void CheckRule(const v1::PodFailureRule& rule, const v1::JobSpec& spec, const Path& path,
               Findings* findings) {
  if (rule.action() == v1::POD_FAILURE_ACTION_UNSPECIFIED) {
    findings->Add(path / "action", "an action is missing; set FailJob, FailIndex, Ignore or Count");
  }
  if (rule.action() == v1::POD_FAILURE_ACTION_FAIL_INDEX && !spec.has_backoff_limit_per_index()) {
    findings->Add(path / "action", "FailIndex needs backoffLimitPerIndex; set it");
  }
  if (rule.has_on_exit_codes() == !rule.on_pod_conditions().empty()) {
    findings->Add(path, "exactly one of onExitCodes and onPodConditions is needed");
    return;
  }
  if (rule.has_on_exit_codes()) {
    CheckExitCodes(rule.on_exit_codes(), spec.template_().spec(), path / "onExitCodes", findings);
  }
  if (rule.on_pod_conditions_size() > kMostRules) {
    findings->Add(path / "onPodConditions",
                  absl::StrCat("there are ", rule.on_pod_conditions_size(),
                               " conditions; list at most ", kMostRules));
  }
  for (int i = 0; i < rule.on_pod_conditions_size(); ++i) {
    findings->AddProblem((path / "onPodConditions").At(i) / "type",
                         QualifiedNameProblem(rule.on_pod_conditions(i).type()));
  }
}

void CheckFailurePolicy(const v1::JobSpec& spec, const Path& path, Findings* findings) {
  if (!spec.has_pod_failure_policy()) return;
  if (spec.template_().spec().restart_policy() != v1::RESTART_POLICY_NEVER) {
    findings->Add(path / "podFailurePolicy",
                  "it needs pods that end when they fail; set the template's restartPolicy to "
                  "Never");
  }
  if (spec.pod_replacement_policy() == v1::POD_REPLACEMENT_POLICY_TERMINATING_OR_FAILED) {
    findings->Add(path / "podReplacementPolicy",
                  "a podFailurePolicy judges pods that have ended; set Failed or remove the field");
  }
  const auto& rules = spec.pod_failure_policy().rules();
  if (rules.size() > kMostRules) {
    findings->Add(path / "podFailurePolicy" / "rules",
                  absl::StrCat("there are ", rules.size(), " rules; use at most ", kMostRules));
  }
  for (int i = 0; i < rules.size(); ++i) {
    CheckRule(rules[i], spec, (path / "podFailurePolicy" / "rules").At(i), findings);
  }
}

void CheckIndexed(const v1::JobSpec& spec, const Path& path, Findings* findings) {
  if (!spec.has_completions()) {
    findings->Add(path / "completions", "Indexed needs the number of indexes; set completions");
  }
  if (spec.parallelism() > kMostParallel) {
    findings->Add(path / "parallelism",
                  absl::StrCat(spec.parallelism(), " is too much; use at most ", kMostParallel));
  } else if (spec.completions() > kManyCompletions && spec.parallelism() > kMostParallelOfMany) {
    findings->Add(path / "parallelism",
                  absl::StrCat(spec.parallelism(), " is too much for more than ", kManyCompletions,
                               " completions; use at most ", kMostParallelOfMany));
  }
  if (!spec.has_backoff_limit_per_index()) return;
  const int most_failed =
      spec.completions() > kManyCompletions ? kMostParallelOfMany : kManyCompletions;
  if (spec.completions() > kManyCompletions && !spec.has_max_failed_indexes()) {
    findings->Add(path / "maxFailedIndexes",
                  absl::StrCat("with more than ", kManyCompletions, " completions it is needed"));
  }
  if (spec.max_failed_indexes() > most_failed) {
    findings->Add(
        path / "maxFailedIndexes",
        absl::StrCat(spec.max_failed_indexes(), " is too much; use at most ", most_failed));
  } else if (spec.has_completions() && spec.max_failed_indexes() > spec.completions()) {
    findings->Add(path / "maxFailedIndexes",
                  absl::StrCat(spec.max_failed_indexes(), " is more than the ", spec.completions(),
                               " indexes that there are"));
  }
}

void CheckPerIndex(const v1::JobSpec& spec, const Path& path, Findings* findings) {
  const bool indexed = spec.completion_mode() == v1::COMPLETION_MODE_INDEXED;
  if (indexed) CheckIndexed(spec, path, findings);
  if (spec.has_max_failed_indexes() && !spec.has_backoff_limit_per_index()) {
    findings->Add(path / "maxFailedIndexes", "it needs backoffLimitPerIndex; set it");
  }
  if (!spec.has_backoff_limit_per_index()) return;
  if (!indexed) {
    findings->Add(path / "backoffLimitPerIndex",
                  "there are no indexes; set completionMode to Indexed");
  }
  if (spec.template_().spec().restart_policy() != v1::RESTART_POLICY_NEVER) {
    findings->Add(path / "backoffLimitPerIndex",
                  "it needs pods that end when they fail; set the template's restartPolicy to "
                  "Never");
  }
}

// All but the selector, which jobs in a CronJob do not have yet.
void CheckJobSpec(const v1::JobSpec& spec, const Path& path, Findings* findings) {
  CheckNotNegative(spec.parallelism(), path / "parallelism", findings);
  CheckNotNegative(spec.completions(), path / "completions", findings);
  CheckNotNegative(spec.active_deadline_seconds(), path / "activeDeadlineSeconds", findings);
  CheckNotNegative(spec.backoff_limit(), path / "backoffLimit", findings);
  CheckNotNegative(spec.backoff_limit_per_index(), path / "backoffLimitPerIndex", findings);
  CheckNotNegative(spec.max_failed_indexes(), path / "maxFailedIndexes", findings);
  CheckNotNegative(spec.ttl_seconds_after_finished(), path / "ttlSecondsAfterFinished", findings);
  CheckAnyTemplate(spec.template_(), path / "template", findings);
  const v1::RestartPolicy restart = spec.template_().spec().restart_policy();
  if (restart != v1::RESTART_POLICY_NEVER && restart != v1::RESTART_POLICY_ON_FAILURE) {
    findings->Add(path / "template" / "spec" / "restartPolicy",
                  "pods of a job come to an end, which Always (the default) keeps them from; set "
                  "OnFailure or Never");
  }
  CheckFailurePolicy(spec, path, findings);
  CheckPerIndex(spec, path, findings);
}

// Pods of another job must never be taken for this one's.
void CheckJobSelector(const v1::Job& job, Findings* findings) {
  const Path path("spec");
  const v1::JobSpec& spec = job.spec();
  const auto& labels = spec.template_().metadata().labels();
  if (spec.manual_selector()) {
    CheckSelector(spec.selector(), path / "selector", findings);
    const auto matcher = LabelMatcher::From(spec.selector());
    if (matcher.ok() && !matcher->Matches(labels)) {
      findings->Add(path / "template" / "metadata" / "labels",
                    absl::StrCat("the selector ", matcher->ToString(),
                                 " does not match these labels; make them agree"));
    }
    return;
  }
  if (job.metadata().uid().empty()) return;
  const std::pair<const char*, const std::string&> wanted[] = {
      {kJobUidLabel, job.metadata().uid()},
      {kOldJobUidLabel, job.metadata().uid()},
      {kJobNameLabel, job.metadata().name()},
      {kOldJobNameLabel, job.metadata().name()}};
  for (const auto& [key, value] : wanted) {
    const auto label = labels.find(key);
    if (label != labels.end() && label->second == value) continue;
    findings->Add((path / "template" / "metadata" / "labels").Key(key),
                  absl::StrCat("it must be ", Quote(value), "; remove it, it is set by itself"));
  }
  const auto& selected = spec.selector().match_labels();
  const auto uid = selected.find(kJobUidLabel);
  const bool generated = selected.size() == 1 && uid != selected.end() &&
                         uid->second == job.metadata().uid() &&
                         spec.selector().match_expressions().empty();
  if (!generated) {
    findings->Add(path / "selector",
                  "a job selects its pods by itself; remove the field, or set manualSelector");
  }
}

// Each pod's host name is NAME-INDEX.
void CheckJobName(const v1::Job& job, Findings* findings) {
  const Path path = Path("metadata") / "name";
  const std::string& name = job.metadata().name();
  if (name.size() > kLongestJobName) {
    findings->Add(path, absl::StrCat(Quote(name), " has ", name.size(),
                                     " characters, and is a label of the pods; use at most ",
                                     kLongestJobName));
    return;
  }
  if (name.empty() || job.spec().completion_mode() != v1::COMPLETION_MODE_INDEXED) return;
  const std::string longest = absl::StrCat(name, "-", std::max(job.spec().completions() - 1, 0));
  if (DnsLabelProblem(longest).empty()) return;
  findings->Add(path, absl::StrCat("the pods' host names would be ", Quote(longest),
                                   "; use a shorter name of lower case letters, digits and '-'"));
}

bool Unchanged(const google::protobuf::Message& before, const google::protobuf::Message& after) {
  return FirstDifference(before, after).empty();
}

}  // namespace

void CheckJob(const v1::Job& job, Findings* findings) {
  CheckJobName(job, findings);
  CheckJobSpec(job.spec(), Path("spec"), findings);
  CheckJobSelector(job, findings);
}

void CheckCronJob(const v1::CronJob& cron_job, Findings* findings) {
  const Path path("spec");
  const v1::CronJobSpec& spec = cron_job.spec();
  const std::string& name = cron_job.metadata().name();
  if (name.size() > kLongestCronJobName) {
    findings->Add(Path("metadata") / "name",
                  absl::StrCat(Quote(name), " has ", name.size(),
                               " characters, and its jobs have longer names; use at most ",
                               kLongestCronJobName));
  }
  if (const auto schedule = CronSchedule::Parse(spec.schedule()); !schedule.ok()) {
    findings->Add(path / "schedule", std::string(schedule.status().message()));
  }
  if (spec.has_time_zone()) {
    const auto zone = FindTimeZone(spec.time_zone());
    if (!zone.ok()) findings->Add(path / "timeZone", std::string(zone.status().message()));
  }
  CheckNotNegative(spec.starting_deadline_seconds(), path / "startingDeadlineSeconds", findings);
  CheckNotNegative(spec.successful_jobs_history_limit(), path / "successfulJobsHistoryLimit",
                   findings);
  CheckNotNegative(spec.failed_jobs_history_limit(), path / "failedJobsHistoryLimit", findings);
  const Path inner = path / "jobTemplate";
  const v1::JobTemplateSpec& job = spec.job_template();
  CheckLabels(job.metadata().labels(), inner / "metadata" / "labels", findings);
  CheckAnnotations(job.metadata().annotations(), inner / "metadata" / "annotations", findings);
  CheckJobSpec(job.spec(), inner / "spec", findings);
  if (job.spec().manual_selector()) {
    findings->Add(inner / "spec" / "manualSelector",
                  "jobs of a CronJob select their pods by themselves; remove the field");
  }
  if (job.spec().has_selector()) {
    findings->Add(inner / "spec" / "selector",
                  "jobs of a CronJob select their pods by themselves; remove the field");
  }
}

void CheckJobKept(const v1::JobSpec& before, const v1::JobSpec& after, Findings* findings) {
  const Path path("spec");
  constexpr char kMessage[] = "it cannot change; delete the job and create it anew";
  const bool elastic = after.completion_mode() == v1::COMPLETION_MODE_INDEXED &&
                       after.completions() == after.parallelism();
  const bool same_completions = before.has_completions() == after.has_completions() &&
                                before.completions() == after.completions();
  if (!same_completions && !(elastic && before.has_completions() && after.has_completions())) {
    findings->Add(path / "completions",
                  "it cannot change, unless the job is Indexed and parallelism changes to the same "
                  "number");
  }
  if (before.completion_mode() != after.completion_mode()) {
    findings->Add(path / "completionMode", kMessage);
  }
  if (before.has_backoff_limit_per_index() != after.has_backoff_limit_per_index() ||
      before.backoff_limit_per_index() != after.backoff_limit_per_index()) {
    findings->Add(path / "backoffLimitPerIndex", kMessage);
  }
  if (!Unchanged(before.pod_failure_policy(), after.pod_failure_policy()) ||
      before.has_pod_failure_policy() != after.has_pod_failure_policy()) {
    findings->Add(path / "podFailurePolicy", kMessage);
  }
  if (!Unchanged(before.selector(), after.selector())) findings->Add(path / "selector", kMessage);
  const std::string field = FirstDifference(before.template_(), after.template_());
  if (!field.empty()) findings->Add(path / "template" / field, kMessage);
}

}  // namespace cluster
