#include "controller/reconcile/rollout_status.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "controller/reconcile/auto_rollback.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/rollout_scaling.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kProgressing = "Progressing";
constexpr absl::string_view kComplete = "NewReplicaSetAvailable";
constexpr absl::string_view kUpdated = "ReplicaSetUpdated";
constexpr absl::string_view kPaused = "DeploymentPaused";
constexpr int kDefaultDeadlineSeconds = 600;

absl::Duration DeadlineOf(const v1::Deployment& deployment) {
  const auto& spec = deployment.spec();
  return absl::Seconds(spec.has_progress_deadline_seconds() ? spec.progress_deadline_seconds()
                                                            : kDefaultDeadlineSeconds);
}

void CountPods(Rollout* rollout, v1::DeploymentStatus* status) {
  int total = 0;
  int ready = 0;
  int available = 0;
  for (const Revision* revision : rollout->all()) {
    total += revision->active;
    ready += revision->ready;
    available += revision->available;
  }
  status->set_observed_generation(rollout->spec().metadata().generation());
  status->set_replicas(total);
  status->set_updated_replicas(rollout->current.has_value() ? rollout->current->active : 0);
  status->set_ready_replicas(ready);
  status->set_available_replicas(available);
  status->set_unavailable_replicas(
      std::max(0, std::max(total, rollout->TotalReplicas()) - available));
}

void SetAvailable(const Rollout& rollout, absl::Time now, v1::DeploymentStatus* status) {
  const int needed = rollout.replicas() - BoundsOf(rollout.spec()).unavailable;
  if (status->available_replicas() >= needed) {
    SetCondition({"Available", v1::CONDITION_STATUS_TRUE, "MinimumReplicasAvailable",
                  "Deployment has minimum availability."},
                 now, status->mutable_conditions());
  } else {
    SetCondition({"Available", v1::CONDITION_STATUS_FALSE, "MinimumReplicasUnavailable",
                  "Deployment does not have minimum availability."},
                 now, status->mutable_conditions());
  }
}

// More pods of the new revision, fewer of old ones, or more that serve.
bool HasProgressed(const v1::DeploymentStatus& before, const v1::DeploymentStatus& after) {
  return after.updated_replicas() > before.updated_replicas() ||
         after.replicas() - after.updated_replicas() <
             before.replicas() - before.updated_replicas() ||
         after.ready_replicas() > before.ready_replicas() ||
         after.available_replicas() > before.available_replicas();
}

// Sets it and moves its update time in any case: the deadline runs from the last progress.
void SetProgress(v1::ConditionStatus is, absl::string_view reason, std::string message,
                 absl::Time now, v1::DeploymentStatus* status) {
  SetCondition({kProgressing, is, reason, std::move(message)}, now, status->mutable_conditions());
  for (v1::Condition& condition : *status->mutable_conditions()) {
    if (condition.type() == kProgressing) *condition.mutable_last_update_time() = Seconds(now);
  }
}

// Nothing of what a paused Deployment fails to do counts; the deadline begins anew when it goes on.
// True where that is all there is to say.
bool SetPaused(const Rollout& rollout, const v1::Condition* condition, absl::Time now,
               v1::DeploymentStatus* status) {
  const bool was_paused = condition != nullptr && condition->reason() == kPaused;
  if (rollout.paused()) {
    if (condition != nullptr && condition->reason() == kDeadlineExceeded) return true;
    SetCondition({kProgressing, v1::CONDITION_STATUS_UNKNOWN, kPaused, "Deployment is paused"}, now,
                 status->mutable_conditions());
    return true;
  }
  if (!was_paused) return false;
  SetProgress(v1::CONDITION_STATUS_UNKNOWN, "DeploymentResumed", "Deployment is resumed", now,
              status);
  return true;
}

bool IsTimedOut(const v1::Deployment& deployment, const v1::Condition* condition, absl::Time now) {
  if (condition == nullptr || condition->reason() == kComplete) return false;
  if (condition->reason() == kDeadlineExceeded) return true;
  return now >= ToTime(condition->last_update_time()) + DeadlineOf(deployment);
}

// Why it goes on as it does, in the words of the set or of what it waits for.
std::string Subject(const Rollout& rollout) {
  if (rollout.current.has_value()) {
    return absl::StrCat("ReplicaSet \"", rollout.current->set().metadata().name(), "\"");
  }
  return absl::StrCat("Deployment \"", rollout.spec().metadata().name(), "\"");
}

void SetProgressing(const Rollout& rollout, absl::Time now, v1::DeploymentStatus* status) {
  const v1::Deployment& deployment = rollout.spec();
  const v1::Condition* condition = FindCondition(status->conditions(), kProgressing);
  if (SetPaused(rollout, condition, now, status)) return;
  const std::string subject = Subject(rollout);
  const std::string waiting =
      rollout.waiting_for.empty() ? "." : absl::StrCat(": ", rollout.waiting_for, ".");
  if (rollout.created) {
    SetProgress(
        v1::CONDITION_STATUS_TRUE, "NewReplicaSetCreated",
        absl::StrCat("Created new replica set \"", rollout.current->set().metadata().name(), "\""),
        now, status);
    return;
  }
  if (rollout.found) {
    SetProgress(
        v1::CONDITION_STATUS_TRUE, "FoundNewReplicaSet",
        absl::StrCat("Found new replica set \"", rollout.current->set().metadata().name(), "\""),
        now, status);
    return;
  }
  const bool was_complete = condition != nullptr && condition->reason() == kComplete &&
                            status->replicas() == status->updated_replicas();
  if (was_complete) return;
  if (rollout.current.has_value() && IsComplete(deployment, *status)) {
    SetProgress(v1::CONDITION_STATUS_TRUE, kComplete,
                absl::StrCat(subject, " has successfully progressed."), now, status);
  } else if (condition == nullptr || condition->reason() == kComplete ||
             HasProgressed(deployment.status(), *status)) {
    SetProgress(v1::CONDITION_STATUS_TRUE, kUpdated,
                absl::StrCat(subject, " is progressing", waiting), now, status);
  } else if (IsTimedOut(deployment, condition, now)) {
    SetCondition({kProgressing, v1::CONDITION_STATUS_FALSE, kDeadlineExceeded,
                  absl::StrCat(subject, " has timed out progressing", waiting)},
                 now, status->mutable_conditions());
  } else if (condition->reason() == kUpdated || !rollout.waiting_for.empty()) {
    // What it waits for may be another by now; the deadline runs on.
    for (v1::Condition& each : *status->mutable_conditions()) {
      if (each.type() == kProgressing) {
        each.set_message(absl::StrCat(subject, " is progressing", waiting));
      }
    }
  }
}

}  // namespace

v1::DeploymentStatus RolloutStatus(Rollout* rollout, absl::Time now) {
  v1::DeploymentStatus status = rollout->spec().status();
  CountPods(rollout, &status);
  SetAvailable(*rollout, now, &status);
  SetProgressing(*rollout, now, &status);
  ReviewRolledBack(*rollout, &status);
  return status;
}

bool IsComplete(const v1::Deployment& deployment, const v1::DeploymentStatus& status) {
  const int replicas = deployment.spec().replicas();
  return status.updated_replicas() == replicas && status.replicas() == replicas &&
         status.available_replicas() == replicas;
}

std::optional<absl::Time> ProgressDeadline(const v1::Deployment& deployment,
                                           const v1::DeploymentStatus& status) {
  const v1::Condition* condition = FindCondition(status.conditions(), kProgressing);
  if (condition == nullptr || condition->reason() == kComplete ||
      condition->reason() == kDeadlineExceeded || condition->reason() == kPaused) {
    return std::nullopt;
  }
  return ToTime(condition->last_update_time()) + DeadlineOf(deployment);
}

}  // namespace cluster::controller
