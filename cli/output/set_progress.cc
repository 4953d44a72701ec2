#include "cli/output/set_progress.h"

#include "absl/strings/str_format.h"

namespace cluster::cli {
namespace {

constexpr char kOnDelete[] = "rollout status is only available for RollingUpdate strategy type";

Progress UnderWay(std::string message) { return {ProgressState::kUnderWay, std::move(message)}; }
Progress Reached(std::string message) { return {ProgressState::kReached, std::move(message)}; }

bool IsOnDelete(const v1::StatefulSet& set) {
  return set.spec().update_strategy().type() == v1::STATEFUL_SET_STRATEGY_TYPE_ON_DELETE;
}

bool IsOnDelete(const v1::DaemonSet& set) {
  return set.spec().update_strategy().type() == v1::DAEMON_SET_STRATEGY_TYPE_ON_DELETE;
}

}  // namespace

// The order of the questions is that of kubectl's StatefulSetStatusViewer.
Progress StatefulSetProgress(const v1::StatefulSet& set) {
  const v1::StatefulSetStatus& status = set.status();
  if (status.observed_generation() < set.metadata().generation()) {
    return UnderWay("Waiting for statefulset spec update to be observed...");
  }
  const int wanted = set.spec().has_replicas() ? set.spec().replicas() : 1;
  if (status.ready_replicas() < wanted) {
    return UnderWay(
        absl::StrFormat("Waiting for %d pods to be ready...", wanted - status.ready_replicas()));
  }
  if (IsOnDelete(set)) {
    return Reached(absl::StrFormat("statefulset \"%s\": %d of %d pods are ready",
                                   set.metadata().name(), status.ready_replicas(), wanted));
  }
  if (set.spec().update_strategy().rolling_update().has_partition()) {
    const int due = wanted - set.spec().update_strategy().rolling_update().partition();
    if (status.updated_replicas() < due) {
      return UnderWay(absl::StrFormat(
          "Waiting for partitioned roll out to finish: %d out of %d new pods have been updated...",
          status.updated_replicas(), due));
    }
    return Reached(
        absl::StrFormat("partitioned roll out complete: %d new pods have been updated...",
                        status.updated_replicas()));
  }
  if (status.update_revision() != status.current_revision()) {
    return UnderWay(absl::StrFormat(
        "waiting for statefulset rolling update to complete %d pods at revision %s...",
        status.updated_replicas(), status.update_revision()));
  }
  return Reached(absl::StrFormat("statefulset rolling update complete %d pods at revision %s...",
                                 status.current_replicas(), status.current_revision()));
}

// The order of the questions is that of kubectl's DaemonSetStatusViewer.
Progress DaemonSetProgress(const v1::DaemonSet& set) {
  const std::string& name = set.metadata().name();
  const v1::DaemonSetStatus& status = set.status();
  if (status.observed_generation() < set.metadata().generation()) {
    return UnderWay("Waiting for daemon set spec update to be observed...");
  }
  const int desired = status.desired_number_scheduled();
  if (!IsOnDelete(set) && status.updated_number_scheduled() < desired) {
    return UnderWay(absl::StrFormat(
        "Waiting for daemon set \"%s\" rollout to finish: %d out of %d new pods have been "
        "updated...",
        name, status.updated_number_scheduled(), desired));
  }
  if (status.number_available() < desired) {
    return UnderWay(absl::StrFormat(
        "Waiting for daemon set \"%s\" rollout to finish: %d of %d updated pods are available...",
        name, status.number_available(), desired));
  }
  return Reached(absl::StrFormat("daemon set \"%s\" successfully rolled out", name));
}

std::string NoRolloutProblem(const v1::Object& object) {
  const bool on_delete = (object.has_stateful_set() && IsOnDelete(object.stateful_set())) ||
                         (object.has_daemon_set() && IsOnDelete(object.daemon_set()));
  return on_delete ? kOnDelete : "";
}

}  // namespace cluster::cli
