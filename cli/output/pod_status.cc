#include "cli/output/pod_status.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cli/output/duration.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/scalars.h"

namespace cluster::cli {
namespace {

bool HasEnded(const v1::Pod& pod) {
  return pod.status().phase() == v1::POD_PHASE_SUCCEEDED ||
         pod.status().phase() == v1::POD_PHASE_FAILED;
}

std::string EndText(const v1::ContainerStateTerminated& end) {
  if (!end.reason().empty()) return end.reason();
  return end.signal() != 0 ? absl::StrCat("Signal:", end.signal())
                           : absl::StrCat("ExitCode:", end.exit_code());
}

std::string PhaseText(const v1::Pod& pod) {
  if (!pod.status().reason().empty()) return pod.status().reason();
  const absl::string_view phase = EnumText(pod.status().phase());
  return phase.empty() ? "Pending" : std::string(phase);
}

void AddRestarts(const v1::ContainerStatus& container, PodSummary& summary) {
  summary.restarts += container.restart_count();
  if (container.last_state().has_terminated()) {
    summary.last_restart =
        std::max(summary.last_restart, ToTime(container.last_state().terminated().finished_at()));
  }
}

bool IsSidecarNamed(const v1::Pod& pod, const std::string& name) {
  for (const v1::Container& container : pod.spec().init_containers()) {
    if (container.name() == name) return IsSidecar(container.restart_policy());
  }
  return false;
}

std::string EndOfInit(const v1::ContainerStateTerminated& end) {
  return absl::StrCat("Init:", EndText(end));
}

// "Init:1/3", "Init:CrashLoopBackOff", ...: of the first init container that is not done; "" when
// all are. Counts restarts and ready sidecars on the way.
std::string SummarizeInit(const v1::Pod& pod, PodSummary& summary, PodSummary& sidecars) {
  const auto& statuses = pod.status().init_container_statuses();
  for (int i = 0; i < statuses.size(); ++i) {
    const v1::ContainerStatus& container = statuses[i];
    const bool stays = IsSidecarNamed(pod, container.name());
    AddRestarts(container, summary);
    if (stays) AddRestarts(container, sidecars);
    const v1::ContainerState& state = container.state();
    if (state.has_terminated() && state.terminated().exit_code() == 0) continue;
    if (stays && container.started()) {
      if (container.ready()) ++summary.ready;
      continue;
    }
    if (state.has_terminated()) return EndOfInit(state.terminated());
    const std::string& reason = state.waiting().reason();
    if (!reason.empty() && reason != "PodInitializing") return absl::StrCat("Init:", reason);
    return absl::StrCat("Init:", i, "/", pod.spec().init_containers_size());
  }
  return "";
}

bool IsInitialized(const v1::Pod& pod) {
  const v1::Condition* initialized = FindCondition(pod.status().conditions(), "Initialized");
  return initialized != nullptr && initialized->status() == v1::CONDITION_STATUS_TRUE;
}

// The rules go through the containers from the last to the first: the first has the last word.
void SummarizeApps(const v1::Pod& pod, PodSummary& summary) {
  bool any_running = false;
  for (int i = pod.status().container_statuses_size() - 1; i >= 0; --i) {
    const v1::ContainerStatus& container = pod.status().container_statuses(i);
    AddRestarts(container, summary);
    if (container.ready()) ++summary.ready;
    const v1::ContainerState& state = container.state();
    if (state.has_waiting() && !state.waiting().reason().empty()) {
      summary.status = state.waiting().reason();
    } else if (state.has_terminated()) {
      summary.status = EndText(state.terminated());
    } else if (state.has_running() && container.ready()) {
      any_running = true;
    }
  }
  if (summary.status == "Completed" && any_running) {
    summary.status = IsReady(pod) ? "Running" : "NotReady";
  }
}

}  // namespace

bool IsReady(const v1::Pod& pod) {
  const v1::Condition* ready = FindCondition(pod.status().conditions(), "Ready");
  return ready != nullptr && ready->status() == v1::CONDITION_STATUS_TRUE;
}

// The order of the rules is that of kubectl's printPod.
PodSummary Summarize(const v1::Pod& pod) {
  PodSummary summary;
  PodSummary sidecars;
  summary.containers = pod.spec().containers_size();
  for (const v1::Container& container : pod.spec().init_containers()) {
    if (IsSidecar(container.restart_policy())) ++summary.containers;
  }
  summary.status = PhaseText(pod);
  const std::string init = SummarizeInit(pod, summary, sidecars);
  if (!init.empty()) summary.status = init;
  if (init.empty() || IsInitialized(pod)) {
    summary.restarts = sidecars.restarts;
    summary.last_restart = sidecars.last_restart;
    SummarizeApps(pod, summary);
  }
  if (pod.metadata().has_deletion_timestamp()) {
    if (pod.status().reason() == "NodeLost") {
      summary.status = "Unknown";
    } else if (!HasEnded(pod)) {
      summary.status = "Terminating";
    }
  }
  return summary;
}

std::string RestartsText(const PodSummary& summary, absl::Time now) {
  if (summary.restarts == 0 || summary.last_restart == absl::InfinitePast()) {
    return absl::StrCat(summary.restarts);
  }
  return absl::StrCat(summary.restarts, " (", HumanDuration(now - summary.last_restart), " ago)");
}

std::string StateText(const v1::ContainerState& state) {
  if (state.has_running()) return "Running";
  if (state.has_terminated()) return absl::StrCat("Terminated (", EndText(state.terminated()), ")");
  const std::string& reason = state.waiting().reason();
  return reason.empty() ? "Waiting" : absl::StrCat("Waiting (", reason, ")");
}

}  // namespace cluster::cli
