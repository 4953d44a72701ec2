#include "controller/reconcile/job_pods.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "controller/object/claims.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/ownership.h"
#include "controller/reconcile/pod_state.h"
#include "proto/schema/enum_text.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

constexpr char kIndexVariable[] = "JOB_COMPLETION_INDEX";

using Statuses = google::protobuf::RepeatedPtrField<v1::ContainerStatus>;

int NumberIn(const v1::Pod& pod, absl::string_view annotation, int otherwise) {
  const auto found = pod.metadata().annotations().find(std::string(annotation));
  int number = 0;
  const bool there = found != pod.metadata().annotations().end();
  return there && absl::SimpleAtoi(found->second, &number) && number >= 0 ? number : otherwise;
}

bool Matches(const v1::PodFailureOnExitCodes& rule, const v1::ContainerStatus& container) {
  if (!container.state().has_terminated()) return false;
  if (rule.has_container_name() && rule.container_name() != container.name()) return false;
  const int code = container.state().terminated().exit_code();
  if (code == 0) return false;
  const bool listed =
      std::find(rule.values().begin(), rule.values().end(), code) != rule.values().end();
  return listed == (rule.operator_() == v1::EXIT_CODES_OPERATOR_IN);
}

const v1::ContainerStatus* FirstMatch(const v1::PodFailureOnExitCodes& rule,
                                      const v1::PodStatus& status) {
  for (const Statuses* each : {&status.container_statuses(), &status.init_container_statuses()}) {
    for (const v1::ContainerStatus& container : *each) {
      if (Matches(rule, container)) return &container;
    }
  }
  return nullptr;
}

const v1::Condition* FirstMatch(const v1::PodFailureRule& rule, const v1::PodStatus& status) {
  for (const v1::PodFailureOnPodCondition& wanted : rule.on_pod_conditions()) {
    const v1::Condition* condition = FindCondition(status.conditions(), wanted.type());
    if (condition != nullptr && condition->status() == wanted.status()) return condition;
  }
  return nullptr;
}

// What the rule says of the pod, in Kubernetes' words; nothing where it does not fit.
std::optional<std::string> Fit(const v1::PodFailureRule& rule, int number, const v1::Pod& pod) {
  const std::string name = absl::StrCat(pod.metadata().namespace_(), "/", pod.metadata().name());
  const std::string end =
      absl::StrCat(" matching ", EnumText(rule.action()), " rule at index ", number);
  if (rule.has_on_exit_codes()) {
    const v1::ContainerStatus* container = FirstMatch(rule.on_exit_codes(), pod.status());
    if (container == nullptr) return std::nullopt;
    return absl::StrCat("Container ", container->name(), " for pod ", name,
                        " failed with exit code ", container->state().terminated().exit_code(),
                        end);
  }
  const v1::Condition* condition = FirstMatch(rule, pod.status());
  if (condition == nullptr) return std::nullopt;
  return absl::StrCat("Pod ", name, " has condition ", condition->type(), end);
}

void SetIndex(int index, const IndexFailures& failures, const v1::Job& job, v1::Pod* pod) {
  v1::ObjectMeta* meta = pod->mutable_metadata();
  const std::string key(kIndexAnnotation);
  (*meta->mutable_annotations())[key] = absl::StrCat(index);
  (*meta->mutable_labels())[key] = absl::StrCat(index);
  if (job.spec().has_backoff_limit_per_index()) {
    (*meta->mutable_annotations())[std::string(kIndexFailures)] = absl::StrCat(failures.counted);
    if (failures.ignored > 0) {
      (*meta->mutable_annotations())[std::string(kIndexIgnored)] = absl::StrCat(failures.ignored);
    }
  }
  v1::PodSpec* spec = pod->mutable_spec();
  if (spec->hostname().empty()) {
    spec->set_hostname(absl::StrCat(job.metadata().name(), "-", index));
  }
  for (auto* containers : {spec->mutable_containers(), spec->mutable_init_containers()}) {
    for (v1::Container& container : *containers) {
      const bool set =
          std::any_of(container.env().begin(), container.env().end(),
                      [](const v1::EnvVar& variable) { return variable.name() == kIndexVariable; });
      if (set) continue;
      v1::EnvVar* variable = container.add_env();
      variable->set_name(kIndexVariable);
      v1::ObjectFieldSelector* field = variable->mutable_value_from()->mutable_field_ref();
      field->set_api_version("v1");
      field->set_field_path(absl::StrCat("metadata.annotations['", kIndexAnnotation, "']"));
    }
  }
}

}  // namespace

bool IsHeld(const v1::Pod& pod) { return HasFinalizer(pod.metadata(), kJobFinalizer); }

bool HasFailed(const v1::Pod& pod, const v1::JobSpec& spec) {
  if (pod.status().phase() == v1::POD_PHASE_FAILED) return true;
  return !ReplacesOnlyFailed(spec) && IsTerminating(pod) &&
         pod.status().phase() != v1::POD_PHASE_SUCCEEDED;
}

int IndexOf(const v1::Pod& pod, const v1::JobSpec& spec) {
  const int index = NumberIn(pod, kIndexAnnotation, -1);
  return index < spec.completions() ? index : -1;
}

IndexFailures FailuresBefore(const v1::Pod& pod) {
  return {NumberIn(pod, kIndexFailures, 0), NumberIn(pod, kIndexIgnored, 0)};
}

namespace {

absl::Time ToldFinishTime(const v1::Pod& pod) {
  absl::Time last = absl::InfinitePast();
  for (const v1::ContainerStatus& container : pod.status().container_statuses()) {
    if (!container.state().terminated().has_finished_at()) continue;
    last = std::max(last, ToTime(container.state().terminated().finished_at()));
  }
  if (last != absl::InfinitePast()) return last;
  const v1::Condition* ready = FindCondition(pod.status().conditions(), "Ready");
  if (ready != nullptr && ready->status() == v1::CONDITION_STATUS_FALSE &&
      ready->has_last_transition_time()) {
    return ToTime(ready->last_transition_time());
  }
  if (IsTerminating(pod)) {
    return ToTime(pod.metadata().deletion_timestamp()) -
           absl::Seconds(pod.metadata().deletion_grace_period_seconds());
  }
  return ToTime(pod.metadata().creation_timestamp());
}

}  // namespace

absl::Time FinishTime(const v1::Pod& pod, absl::Time now) {
  for (const absl::Time time : {ToldFinishTime(pod), ToTime(pod.metadata().creation_timestamp())}) {
    if (time <= now) return time;
  }
  return absl::InfinitePast();
}

FailureVerdict JudgeFailure(const v1::JobSpec& spec, const v1::Pod& pod) {
  FailureVerdict verdict;
  const auto& rules = spec.pod_failure_policy().rules();
  for (int i = 0; i < rules.size(); ++i) {
    std::optional<std::string> fit = Fit(rules[i], i, pod);
    if (!fit.has_value()) continue;
    verdict.counts = rules[i].action() != v1::POD_FAILURE_ACTION_IGNORE;
    verdict.fails_index = rules[i].action() == v1::POD_FAILURE_ACTION_FAIL_INDEX;
    if (rules[i].action() == v1::POD_FAILURE_ACTION_FAIL_JOB) verdict.fails_job = std::move(fit);
    break;
  }
  return verdict;
}

v1::Object NewJobPod(const v1::Object& job, int index, IndexFailures failures, absl::Time now,
                     Random* random) {
  const v1::PodTemplateSpec& pod_template = job.job().spec().template_();
  v1::Pod pod;
  pod.set_api_version("v1");
  pod.set_kind("Pod");
  v1::ObjectMeta* meta = pod.mutable_metadata();
  *meta->mutable_labels() = pod_template.metadata().labels();
  *meta->mutable_annotations() = pod_template.metadata().annotations();
  *meta->mutable_finalizers() = pod_template.metadata().finalizers();
  meta->add_finalizers(std::string(kJobFinalizer));
  const std::string& name = Meta(job).name();
  meta->set_name(JoinName(index < 0 ? name : absl::StrCat(name, "-", index), RandomSuffix(random)));
  meta->set_namespace_(Meta(job).namespace_());
  meta->set_uid(RandomUid(random));
  meta->set_generation(1);
  *meta->mutable_creation_timestamp() = Seconds(now);
  AddOwner(job, meta);
  *pod.mutable_spec() = pod_template.spec();
  if (index >= 0) SetIndex(index, failures, job.job(), &pod);
  *pod.mutable_status() = NewPodStatus(pod.spec());
  return Wrap(std::move(pod));
}

void ReleasePod(const Entry& entry, bool end, absl::Time now, Changes* changes) {
  v1::Object after = entry.object;
  RemoveFinalizer(kJobFinalizer, MutableMeta(&after));
  const v1::Pod& pod = entry.object.pod();
  const bool ends = end || IsTerminating(pod);
  if (ends && !IsBound(pod) && Meta(after).finalizers().empty()) {
    changes->Delete(entry);
    return;
  }
  if (end && !IsTerminating(pod)) StampDeletion(now, std::nullopt, after.mutable_pod());
  changes->Put(entry, std::move(after));
}

}  // namespace cluster::controller
