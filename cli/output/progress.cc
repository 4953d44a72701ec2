#include "cli/output/progress.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/output/job_text.h"
#include "cli/output/pod_status.h"
#include "cli/output/set_progress.h"

namespace cluster::cli {
namespace {

Progress Waiting(std::string message) { return {ProgressState::kUnderWay, std::move(message)}; }
Progress Done(std::string message) { return {ProgressState::kReached, std::move(message)}; }
Progress Failed(std::string message) { return {ProgressState::kGivenUp, std::move(message)}; }

std::string WaitingFor(const v1::Deployment& deployment, absl::string_view what) {
  return absl::StrFormat("Waiting for deployment \"%s\" rollout to finish: %s...",
                         deployment.metadata().name(), what);
}

Progress ReplicaSetProgress(const v1::ReplicaSet& set) {
  const int wanted = set.spec().replicas();
  const int ready = set.status().ready_replicas();
  const bool seen = set.status().observed_generation() >= set.metadata().generation();
  std::string message = absl::StrFormat("replicaset \"%s\": %d of %d replicas are ready",
                                        set.metadata().name(), ready, wanted);
  return seen && ready >= wanted ? Done(message) : Waiting(message);
}

// What one container waits for or died of; "" when nothing is wrong with it.
std::string TroubleOf(const v1::ContainerStatus& container) {
  if (container.ready()) return "";
  const v1::ContainerState& state = container.state();
  const std::string name = absl::StrCat("container ", container.name(), " ");
  if (state.has_terminated()) {
    const auto& end = state.terminated();
    return absl::StrCat(name, "ended with ", end.exit_code(),
                        end.reason().empty() ? "" : absl::StrCat(" (", end.reason(), ")"),
                        end.message().empty() ? "" : ": ", end.message());
  }
  if (state.has_waiting() && !state.waiting().reason().empty()) {
    return absl::StrCat(name, "is waiting: ", state.waiting().reason(),
                        state.waiting().message().empty() ? "" : ": ", state.waiting().message());
  }
  return "";
}

// The first trouble in the order in which containers start.
std::string ContainerTrouble(const v1::Pod& pod) {
  const v1::PodStatus& status = pod.status();
  for (const auto* statuses : {&status.init_container_statuses(), &status.container_statuses()}) {
    for (const v1::ContainerStatus& container : *statuses) {
      const std::string trouble = TroubleOf(container);
      if (!trouble.empty()) return trouble;
    }
  }
  return "";
}

}  // namespace

// The order of the questions is that of kubectl's DeploymentStatusViewer.
Progress RolloutProgress(const v1::Deployment& deployment) {
  const std::string& name = deployment.metadata().name();
  const v1::DeploymentStatus& status = deployment.status();
  if (status.observed_generation() < deployment.metadata().generation()) {
    return Waiting("Waiting for deployment spec update to be observed...");
  }
  const v1::Condition* progressing = FindCondition(status.conditions(), "Progressing");
  if (progressing != nullptr && progressing->reason() == "ProgressDeadlineExceeded") {
    return Failed(absl::StrFormat("deployment \"%s\" exceeded its progress deadline", name));
  }
  const v1::Condition* back = FindCondition(status.conditions(), "RolledBack");
  if (back != nullptr) {
    return Failed(absl::StrFormat("deployment \"%s\" was rolled back: %s", name, back->message()));
  }
  if (deployment.spec().paused()) {
    return Waiting(absl::StrFormat("deployment \"%s\" is paused: see `rollout resume`", name));
  }
  const int wanted = deployment.spec().has_replicas() ? deployment.spec().replicas() : 1;
  if (status.updated_replicas() < wanted) {
    return Waiting(
        WaitingFor(deployment, absl::StrFormat("%d out of %d new replicas have been updated",
                                               status.updated_replicas(), wanted)));
  }
  if (status.replicas() > status.updated_replicas()) {
    return Waiting(
        WaitingFor(deployment, absl::StrFormat("%d old replicas are pending termination",
                                               status.replicas() - status.updated_replicas())));
  }
  if (status.available_replicas() < status.updated_replicas()) {
    return Waiting(WaitingFor(
        deployment, absl::StrFormat("%d of %d updated replicas are available",
                                    status.available_replicas(), status.updated_replicas())));
  }
  return Done(absl::StrFormat("deployment \"%s\" successfully rolled out", name));
}

Progress PodProgress(const v1::Pod& pod) {
  const std::string& name = pod.metadata().name();
  if (pod.status().phase() == v1::POD_PHASE_FAILED) {
    return Failed(absl::StrFormat("pod \"%s\" has failed: %s", name, WhyNotReady(pod)));
  }
  if (pod.status().phase() == v1::POD_PHASE_SUCCEEDED) {
    return Done(absl::StrFormat("pod \"%s\" has succeeded", name));
  }
  if (IsReady(pod) && !pod.metadata().has_deletion_timestamp()) {
    return Done(absl::StrFormat("pod \"%s\" is ready", name));
  }
  return Waiting(absl::StrFormat("Waiting for pod \"%s\" to be ready...", name));
}

Progress JobProgress(const v1::Job& job) {
  const std::string& name = job.metadata().name();
  const v1::Condition* failed = FindCondition(job.status().conditions(), "Failed");
  if (failed != nullptr && failed->status() == v1::CONDITION_STATUS_TRUE) {
    return Failed(absl::StrFormat("job \"%s\" has failed: %s", name, failed->message()));
  }
  const v1::Condition* complete = FindCondition(job.status().conditions(), "Complete");
  if (complete != nullptr && complete->status() == v1::CONDITION_STATUS_TRUE) {
    return Done(absl::StrFormat("job \"%s\" is complete", name));
  }
  if (job.spec().suspend()) return Done(absl::StrFormat("job \"%s\" is suspended", name));
  return Waiting(
      absl::StrFormat("Waiting for job \"%s\" to complete: %s...", name, CompletionsText(job)));
}

Progress ReadyProgress(const v1::Object& object) {
  if (object.has_deployment()) return RolloutProgress(object.deployment());
  if (object.has_pod()) return PodProgress(object.pod());
  if (object.has_job()) return JobProgress(object.job());
  if (object.has_replica_set()) return ReplicaSetProgress(object.replica_set());
  if (object.has_stateful_set()) return StatefulSetProgress(object.stateful_set());
  if (object.has_daemon_set()) return DaemonSetProgress(object.daemon_set());
  return Done("");
}

std::string WhyNotReady(const v1::Pod& pod) {
  if (IsReady(pod)) return "";
  const std::string subject = absl::StrCat("pod/", pod.metadata().name(), ": ");
  const v1::Condition* scheduled = FindCondition(pod.status().conditions(), "PodScheduled");
  if (pod.spec().node_name().empty() && scheduled != nullptr && !scheduled->message().empty()) {
    return absl::StrCat(subject, scheduled->message());
  }
  if (const std::string trouble = ContainerTrouble(pod); !trouble.empty()) {
    return absl::StrCat(subject, trouble);
  }
  if (!pod.status().message().empty()) return absl::StrCat(subject, pod.status().message());
  const v1::Condition* ready = FindCondition(pod.status().conditions(), "Ready");
  if (ready != nullptr && !ready->message().empty()) return absl::StrCat(subject, ready->message());
  return absl::StrCat(subject, Summarize(pod).status);
}

}  // namespace cluster::cli
