// The events that a worker tells of its pod.
#include "absl/strings/str_cat.h"

#include "node/pod/message_text.h"
#include "node/pod/pod_worker.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

// As Kubernetes bounds the message of an event.
constexpr size_t kMostEventBytes = 1024;

const char* NameOf(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::kStartup:
      return "Startup";
    case ProbeKind::kLiveness:
      return "Liveness";
    case ProbeKind::kReadiness:
      return "Readiness";
  }
  return "";
}

std::string StopText(const v1::ContainerRecord& container, bool comes_back) {
  const std::string& reason = container.stop_reason();
  if (reason.empty()) return absl::StrCat("Stopping container ", container.name());
  const std::string what =
      reason == "FailedPostStartHook"
          ? absl::StrCat("The postStart hook of container ", container.name(), " failed")
      : reason == kResizeStop
          ? absl::StrCat("Container ", container.name(), " gets other resources")
          : absl::StrCat("Container ", container.name(), " failed ", reason, " probe");
  return absl::StrCat(what, comes_back ? ", will be restarted" : ", will be ended");
}

}  // namespace

void PodWorker::ReportEnd(const v1::ContainerRecord& container) {
  if (!container.has_terminated()) return;
  const auto reported = reported_ends_.find(container.name());
  if (reported != reported_ends_.end() && reported->second >= container.attempt()) return;
  reported_ends_[container.name()] = container.attempt();
  const v1::ContainerStateTerminated& end = container.terminated();
  if (end.exit_code() == 0 || IsEnding(record_)) return;
  const bool told_why = end.reason() == "StartError" || end.reason() == "ContainerStatusUnknown";
  const std::string how =
      absl::StrCat("Container ", container.name(), " ended with exit code ", end.exit_code(), " (",
                   end.reason(), told_why ? ": " : "", told_why ? end.message() : "", ")");
  if (!IsFinishing(record_) && WantsRestart(record_, container)) {
    Emit("Warning", "BackOff", absl::StrCat(how, "; it is started again after a back-off"),
         container.name());
  } else {
    Emit("Warning", "Failed", how, container.name());
  }
}

void PodWorker::ReportStop(const v1::ContainerRecord& container) {
  if (container.stop_began_ns() == 0) return;
  const auto reported = reported_stops_.find(container.name());
  if (reported != reported_stops_.end() && reported->second >= container.attempt()) return;
  reported_stops_[container.name()] = container.attempt();
  const bool comes_back =
      container.kind() == v1::CONTAINER_KIND_SIDECAR ||
      record_.assignment().pod().spec().restart_policy() != v1::RESTART_POLICY_NEVER;
  Emit("Normal", "Killing", StopText(container, comes_back), container.name());
}

void PodWorker::ReportHook(const HookEnd& end) {
  if (end.status.ok()) return;
  const bool start = end.kind == HookKind::kPostStart;
  Emit(
      "Warning", start ? "FailedPostStartHook" : "FailedPreStopHook",
      absl::StrCat(start ? "PostStartHook failed: " : "PreStopHook failed: ", end.status.message()),
      end.container);
}

void PodWorker::ReportProbe(const ProbeReport& report) {
  const char* what = report.what == ProbeReport::kFailed    ? " probe failed: "
                     : report.what == ProbeReport::kErrored ? " probe errored: "
                                                            : " probe warning: ";
  Emit("Warning", report.what == ProbeReport::kWarned ? "ProbeWarning" : "Unhealthy",
       absl::StrCat(NameOf(report.kind), what, report.message), report.container);
}

void PodWorker::Emit(const std::string& type, const std::string& reason, const std::string& message,
                     const std::string& container) {
  const v1::ObjectMeta& meta = record_.assignment().pod().metadata();
  v1::Event event;
  event.mutable_metadata()->set_namespace_(meta.namespace_());
  v1::ObjectReference* object = event.mutable_involved_object();
  object->set_api_version("v1");
  object->set_kind("Pod");
  object->set_namespace_(meta.namespace_());
  object->set_name(meta.name());
  object->set_uid(meta.uid());
  if (!container.empty()) {
    object->set_field_path(absl::StrCat("spec.containers{", container, "}"));
  }
  event.set_type(type);
  event.set_reason(reason);
  event.set_message(CutUtf8(ToUtf8(message), kMostEventBytes));
  event.set_count(1);
  *event.mutable_first_timestamp() = ToTimestamp(world_->clock->Now());
  *event.mutable_last_timestamp() = event.first_timestamp();
  event.mutable_source()->set_component("agent");
  event.mutable_source()->set_host(world_->node_name);
  world_->emit(std::move(event));
}

}  // namespace cluster::node
