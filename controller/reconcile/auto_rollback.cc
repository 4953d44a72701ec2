#include "controller/reconcile/auto_rollback.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/rollout.h"
#include "controller/reconcile/rollout_status.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

struct Failure {
  absl::string_view reason;
  std::string message;
};

bool IsOn(const v1::Deployment& deployment) {
  const auto& annotations = deployment.metadata().annotations();
  const auto said = annotations.find(std::string(kAutoRollbackAnnotation));
  return said == annotations.end() || said->second != "false";
}

// "container app of pod web-x was started 5 times again", or "".
std::string FailingContainer(const v1::Pod& pod) {
  if (!IsActive(pod) || IsReady(pod)) return "";
  for (const auto* statuses :
       {&pod.status().init_container_statuses(), &pod.status().container_statuses()}) {
    for (const v1::ContainerStatus& container : *statuses) {
      if (container.restart_count() < kFailuresThatFail) continue;
      std::string text =
          absl::StrCat("container ", container.name(), " of pod ", pod.metadata().name(),
                       " was started ", container.restart_count(), " times again");
      const auto& last = container.last_state();
      if (last.has_terminated()) {
        absl::StrAppend(&text, ", it ended with exit code ", last.terminated().exit_code());
      }
      return text;
    }
  }
  return "";
}

std::optional<Failure> FailureOf(const Rollout& rollout, const v1::DeploymentStatus& status) {
  const v1::Condition* progress = FindCondition(status.conditions(), "Progressing");
  if (progress != nullptr && progress->reason() == kDeadlineExceeded) {
    return Failure{kDeadlineExceeded, progress->message()};
  }
  if (IsComplete(rollout.spec(), status)) return std::nullopt;
  const Revision& current = *rollout.current;
  for (const EntryPtr& pod : current.present) {
    std::string failing = FailingContainer(pod->object.pod());
    if (!failing.empty()) return Failure{"PodsKeepFailing", std::move(failing)};
  }
  if (current.failed < kFailuresThatFail) return std::nullopt;
  return Failure{"PodsKeepFailing", absl::StrCat(current.failed, " of its pods have failed")};
}

bool WasComplete(const Revision& revision) {
  return revision.set().metadata().annotations().contains(std::string(kCompleteAnnotation));
}

// The number of the newest revision but the current one that was complete; 0: there is none.
int64_t LastGood(const Rollout& rollout) {
  int64_t good = 0;
  for (const Revision& revision : rollout.old) {
    if (WasComplete(revision)) good = std::max(good, RevisionOf(revision.set().metadata()));
  }
  return good;
}

// Stands for a template and the data that its pods get.
std::string Fingerprint(const v1::Deployment& deployment, const DataPlan& data) {
  return ContentHash(
      absl::StrCat(TemplateHash(deployment.spec().template_()), " ", data.data.Text()));
}

DataPlan DataAfter(const View& view, const v1::Deployment& deployment) {
  return PlanData(view, WorkloadOf(deployment, view.OwnedBy(v1::Object::kReplicaSet,
                                                            deployment.metadata().uid())));
}

}  // namespace

std::optional<Rollback> RollBack(const View& view, const Rollout& rollout,
                                 const v1::DeploymentStatus& status, absl::Time now) {
  const v1::Deployment& deployment = rollout.spec();
  if (!rollout.current.has_value() || rollout.current->entry == nullptr || rollout.paused() ||
      !IsOn(deployment) || WasComplete(*rollout.current)) {
    return std::nullopt;
  }
  const int64_t good = LastGood(rollout);
  if (good == 0) return std::nullopt;
  std::optional<Failure> failure = FailureOf(rollout, status);
  if (!failure.has_value()) return std::nullopt;
  const v1::ObjectMeta& meta = deployment.metadata();
  absl::StatusOr<UndoPlan> undo = PlanUndo(view, meta.namespace_(), meta.name(), good);
  if (!undo.ok() || SameMessage(undo->deployment, deployment)) return std::nullopt;
  const int64_t failed = RevisionOf(rollout.current->set().metadata());
  const std::string message =
      absl::StrCat("Revision ", failed, " failed, the deployment went back to revision ", good,
                   ": ", failure->message);
  Rollback rollback;
  rollback.deployment = std::move(undo->deployment);
  *rollback.deployment.mutable_status() = status;
  v1::DeploymentStatus* after = rollback.deployment.mutable_status();
  SetCondition({kRolledBack, v1::CONDITION_STATUS_TRUE, failure->reason, message}, now,
               after->mutable_conditions());
  after->set_rolled_back_to(Fingerprint(rollback.deployment, DataAfter(view, rollback.deployment)));
  rollback.event = MakeEvent(rollout.deployment->object, "Warning", "RolledBack", message,
                             "deployment-controller");
  return rollback;
}

void ReviewRolledBack(const Rollout& rollout, v1::DeploymentStatus* status) {
  if (status->rolled_back_to().empty() ||
      status->rolled_back_to() == Fingerprint(rollout.spec(), rollout.data)) {
    return;
  }
  status->clear_rolled_back_to();
  auto* conditions = status->mutable_conditions();
  for (int i = 0; i < conditions->size(); ++i) {
    if (conditions->Get(i).type() == kRolledBack) {
      conditions->DeleteSubrange(i, 1);
      return;
    }
  }
}

}  // namespace cluster::controller
