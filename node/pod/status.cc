#include "node/pod/status.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "node/pod/back_off.h"
#include "node/pod/decide.h"
#include "node/pod/message_text.h"
#include "node/pod/resize.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

void SetWaiting(std::string reason, std::string message, v1::ContainerState* state) {
  state->mutable_waiting()->set_reason(std::move(reason));
  state->mutable_waiting()->set_message(std::move(message));
}

std::string BackOffMessage(const v1::PodRecord& record, const v1::ContainerRecord& container) {
  const v1::ObjectMeta& meta = record.assignment().pod().metadata();
  const absl::Duration delay = BackOff(container.failures());
  const absl::Time due = ToTime(container.terminated().finished_at()) + delay;
  return absl::StrCat("back-off ", absl::FormatDuration(delay),
                      " restarting container=", container.name(), " pod=", meta.name(), "_",
                      meta.namespace_(), "(", meta.uid(), "); it ended with exit code ",
                      container.terminated().exit_code(), " and starts again at ",
                      absl::FormatTime(absl::RFC3339_sec, due, absl::UTCTimeZone()));
}

const v1::ContainerRecord* FirstUndone(const v1::PodRecord& record) {
  for (const v1::ContainerRecord& container : record.containers()) {
    if (IsInitKind(container.kind()) && !container.init_done()) return &container;
  }
  return nullptr;
}

bool HasInit(const v1::PodRecord& record) {
  return !record.assignment().pod().spec().init_containers().empty();
}

// A container whose turn has not come, or which is being made right now.
void FillTurn(const v1::PodRecord& record, const v1::ContainerRecord& container,
              v1::ContainerState* state) {
  const char* reason = HasInit(record) ? "PodInitializing" : "ContainerCreating";
  const v1::ContainerRecord* before = FirstUndone(record);
  if (container.kind() == v1::CONTAINER_KIND_EPHEMERAL || before == nullptr ||
      before->name() == container.name()) {
    SetWaiting(reason, "The container is being made.", state);
  } else {
    SetWaiting(reason,
               absl::StrCat("The container starts when init container ", before->name(),
                            before->kind() == v1::CONTAINER_KIND_SIDECAR ? " is up." : " is done."),
               state);
  }
}

void FillWaiting(const v1::PodRecord& record, const v1::ContainerRecord& container,
                 const Hurdles& hurdles, v1::ContainerState* state) {
  const auto hurdle = hurdles.containers.find(container.name());
  if (hurdle != hurdles.containers.end()) {
    SetWaiting(hurdle->second.reason, hurdle->second.message, state);
  } else if (hurdles.sandbox) {
    SetWaiting(hurdles.sandbox->reason, hurdles.sandbox->message, state);
  } else if (IsEnding(record)) {
    SetWaiting("PodTerminating", "The pod is being deleted; the container is not started.", state);
  } else if (IsFinishing(record)) {
    SetWaiting(HasInit(record) ? "PodInitializing" : "ContainerCreating",
               "The pod is at its end; the container is not started.", state);
  } else {
    FillTurn(record, container, state);
  }
}

void FillState(const v1::PodRecord& record, const v1::ContainerRecord& container,
               const Hurdles& hurdles, v1::ContainerState* state) {
  switch (StageOf(container)) {
    case Stage::kWaiting:
      FillWaiting(record, container, hurdles, state);
      return;
    case Stage::kRunning:
      *state->mutable_running()->mutable_started_at() = container.started_at();
      state->mutable_running()->set_pid(container.pid());
      return;
    case Stage::kTerminated:
      break;
  }
  const bool again_from_the_start =
      container.kind() == v1::CONTAINER_KIND_INIT && container.terminated().exit_code() == 0;
  if (IsEnding(record) || IsFinishing(record) || !WantsRestart(record, container)) {
    *state->mutable_terminated() = container.terminated();
  } else if (hurdles.containers.count(container.name()) != 0 || again_from_the_start) {
    FillWaiting(record, container, hurdles, state);
  } else {
    SetWaiting("CrashLoopBackOff", BackOffMessage(record, container), state);
  }
}

bool IsReady(const v1::PodRecord& record, const v1::ContainerRecord& container) {
  if (container.kind() == v1::CONTAINER_KIND_INIT) return container.init_done();
  return StageOf(container) == Stage::kRunning && container.ready() && !IsEnding(record) &&
         !record.failing();
}

// A pod's messages together are no longer than this, as in Kubernetes.
constexpr size_t kMostMessageBytes = 12 * 1024;

void CutMessage(size_t most, v1::ContainerState* state) {
  if (state->terminated().message().size() <= most) return;
  state->mutable_terminated()->set_message(CutUtf8(state->terminated().message(), most));
}

v1::ContainerStatus ContainerStatusOf(const v1::PodRecord& record,
                                      const v1::ContainerRecord& container,
                                      const Hurdles& hurdles) {
  v1::ContainerStatus status;
  status.set_name(container.name());
  FillState(record, container, hurdles, status.mutable_state());
  const v1::ContainerStateTerminated* last =
      container.has_terminated() && !status.state().has_terminated() ? &container.terminated()
      : container.has_previous()                                     ? &container.previous()
                                                                     : nullptr;
  if (last != nullptr) *status.mutable_last_state()->mutable_terminated() = *last;
  const size_t most = kMostMessageBytes / static_cast<size_t>(record.containers_size());
  CutMessage(most, status.mutable_state());
  if (status.has_last_state()) CutMessage(most, status.mutable_last_state());
  status.set_ready(IsReady(record, container));
  status.set_started(status.state().has_running() && container.started());
  status.set_restart_count(container.attempt());
  const std::optional<v1::Container> spec = ContainerToRun(record, container.name());
  if (spec.has_value()) status.set_image(spec->image());
  status.set_image_id(container.image_id());
  if (status.state().has_running() && container.has_actual()) {
    *status.mutable_resources() = container.actual();
  }
  if (container.intended()) {
    status.set_container_id(absl::StrCat("cluster://", record.assignment().pod().metadata().uid(),
                                         "/", container.name(), "/", container.attempt()));
  }
  return status;
}

struct Verdict {
  bool holds = true;
  std::string reason;
  std::string message;
};

void SetCondition(const std::string& type, const Verdict& verdict, const Moment& now,
                  v1::PodRecord* record) {
  auto* conditions = record->mutable_conditions();
  auto found = std::find_if(conditions->begin(), conditions->end(),
                            [&](const v1::Condition& c) { return c.type() == type; });
  v1::Condition* condition = found == conditions->end() ? conditions->Add() : &*found;
  const v1::ConditionStatus status =
      verdict.holds ? v1::CONDITION_STATUS_TRUE : v1::CONDITION_STATUS_FALSE;
  if (condition->status() != status) {
    condition->set_type(type);
    condition->set_status(status);
    *condition->mutable_last_transition_time() = ToTimestamp(now.wall);
  }
  condition->set_reason(verdict.reason);
  condition->set_message(verdict.message);
}

// The scheduler decided when the pod was scheduled; its word is kept.
void KeepScheduled(const Moment& now, v1::PodRecord* record) {
  for (const v1::Condition& known : record->assignment().pod().status().conditions()) {
    if (known.type() != "PodScheduled" || known.status() != v1::CONDITION_STATUS_TRUE) continue;
    for (v1::Condition& condition : *record->mutable_conditions()) {
      if (condition.type() == "PodScheduled") {
        condition = known;
        return;
      }
    }
    *record->add_conditions() = known;
    return;
  }
  SetCondition("PodScheduled", {}, now, record);
}

Verdict ReadyVerdict(const v1::PodRecord& record, const v1::PodStatus& status) {
  std::vector<std::string> unready;
  for (const v1::ContainerRecord& container : record.containers()) {
    if (container.kind() == v1::CONTAINER_KIND_SIDECAR && !IsReady(record, container)) {
      unready.push_back(container.name());
    }
  }
  for (const v1::ContainerStatus& container : status.container_statuses()) {
    if (!container.ready()) unready.push_back(container.name());
  }
  if (unready.empty()) return {};
  const std::string message =
      absl::StrCat("containers with unready status: [", absl::StrJoin(unready, " "), "]");
  if (status.phase() == v1::POD_PHASE_SUCCEEDED) return {false, "PodCompleted", message};
  if (status.phase() == v1::POD_PHASE_FAILED) return {false, "PodFailed", message};
  if (IsEnding(record)) return {false, "PodTerminating", message};
  return {false, "ContainersNotReady", message};
}

Verdict InitializedVerdict(const v1::PodRecord& record) {
  std::vector<std::string> undone;
  for (const v1::ContainerRecord& container : record.containers()) {
    if (IsInitKind(container.kind()) && !container.init_done()) undone.push_back(container.name());
  }
  if (undone.empty()) return {};
  return {false, "ContainersNotInitialized",
          absl::StrCat("containers with incomplete status: [", absl::StrJoin(undone, " "), "]")};
}

void RemoveCondition(const std::string& type, v1::PodRecord* record) {
  auto* conditions = record->mutable_conditions();
  conditions->erase(std::remove_if(conditions->begin(), conditions->end(),
                                   [&](const v1::Condition& c) { return c.type() == type; }),
                    conditions->end());
}

// These two are there only while there is something to tell, as in Kubernetes.
void SetResizeConditions(const Moment& now, v1::PodRecord* record) {
  if (record->resize_reason().empty()) {
    RemoveCondition("PodResizePending", record);
  } else {
    SetCondition("PodResizePending", {true, record->resize_reason(), record->resize_message()}, now,
                 record);
  }
  if (!HasToResize(*record) || !AnyRuns(*record)) {
    RemoveCondition("PodResizeInProgress", record);
  } else {
    const bool failed = !record->resize_error().empty();
    SetCondition("PodResizeInProgress", {true, failed ? "Error" : "", record->resize_error()}, now,
                 record);
  }
}

void SetConditions(const v1::PodStatus& status, const Moment& now, v1::PodRecord* record) {
  KeepScheduled(now, record);
  SetCondition("Initialized", InitializedVerdict(*record), now, record);
  const Verdict ready = ReadyVerdict(*record, status);
  SetCondition("ContainersReady", ready, now, record);
  SetCondition("Ready", ready, now, record);
  SetResizeConditions(now, record);
  // Not the pod's own doing: a job's podFailurePolicy may look at it.
  if (record->failing() && record->reason() == kEvicted) {
    SetCondition("DisruptionTarget", {true, "TerminationByKubelet", record->message()}, now,
                 record);
  }
}

}  // namespace

v1::PodStatus StatusOf(const Hurdles& hurdles, const std::string& host_ip, const Moment& now,
                       v1::PodRecord* record) {
  v1::PodStatus status;
  const v1::Pod& pod = record->assignment().pod();
  status.set_phase(record->phase());
  status.set_reason(record->reason());
  status.set_message(record->message());
  if (hurdles.removal) status.set_message(hurdles.removal->message);
  status.set_host_ip(host_ip);
  if (!record->pod_ip().empty()) {
    status.set_pod_ip(record->pod_ip());
    status.add_pod_ips()->set_ip(record->pod_ip());
  }
  *status.mutable_start_time() = record->start_time();
  status.set_qos_class(QosOf(pod.spec()));
  status.set_observed_generation(pod.metadata().generation());
  for (const v1::ContainerRecord& container : record->containers()) {
    v1::ContainerStatus* one = IsInitKind(container.kind()) ? status.add_init_container_statuses()
                               : container.kind() == v1::CONTAINER_KIND_EPHEMERAL
                                   ? status.add_ephemeral_container_statuses()
                                   : status.add_container_statuses();
    *one = ContainerStatusOf(*record, container, hurdles);
  }
  SetConditions(status, now, record);
  *status.mutable_conditions() = record->conditions();
  return status;
}

}  // namespace cluster::node
