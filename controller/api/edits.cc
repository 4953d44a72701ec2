#include "controller/api/edits.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/api/lookup.h"
#include "controller/api/status.h"
#include "controller/object/object_fields.h"
#include "controller/object/replicas.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/rollout.h"
#include "controller/reconcile/template_history.h"
#include "proto/schema/kinds.h"
#include "proto/schema/stable_bytes.h"
#include "proto/validate/validate.h"

namespace cluster::controller {
namespace {

EditPlan Edited(const Entry& before, v1::Object after) {
  EditPlan plan;
  if (!SameMessage(before.object, after)) {
    v1::ObjectMeta* meta = MutableMeta(&after);
    if (SpecChanged(before.object, after)) meta->set_generation(meta->generation() + 1);
    plan.txn.conds.push_back({before.key, before.mod_rev});
    plan.txn.ops.push_back(
        {store::Op::Kind::kPut, before.key, SerializeObject(after), /*lease=*/0});
  }
  plan.object = std::move(after);
  return plan;
}

absl::Status CheckScalable(const v1::Object& object, const v1::ScaleRequest& request, int current) {
  const v1::OwnerReference* owner = ControllerOf(Meta(object));
  if (owner != nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(DisplayName(object), " belongs to ",
                                                      owner->kind(), " ", owner->name(),
                                                      ", which would scale it back: scale that"));
  }
  if (request.has_current_replicas() && request.current_replicas() != current) {
    return absl::AbortedError(absl::StrCat(DisplayName(object), " has ", current, " replicas, not ",
                                           request.current_replicas()));
  }
  return absl::OkStatus();
}

// Of what is rolled out; nullptr for the others.
v1::PodTemplateSpec* MutableTemplate(v1::Object* object) {
  if (object->has_deployment()) {
    return object->mutable_deployment()->mutable_spec()->mutable_template_();
  }
  if (object->has_daemon_set()) {
    return object->mutable_daemon_set()->mutable_spec()->mutable_template_();
  }
  if (object->has_stateful_set()) {
    return object->mutable_stateful_set()->mutable_spec()->mutable_template_();
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<EditPlan> PlanScale(const Cache& cache, const v1::ScaleRequest& request) {
  if (request.replicas() < 0) {
    return absl::InvalidArgumentError("replicas must be 0 or more");
  }
  ASSIGN_OR_RETURN(const EntryPtr entry,
                   FindObject(cache, request.kind(), request.namespace_(), request.name()));
  v1::Object object = entry->object;
  const std::optional<int> current = ReplicasOf(object);
  if (!current.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(DisplayName(object),
                     " has no replicas: scale a deployment, a replicaset or a statefulset"));
  }
  RETURN_IF_ERROR(CheckScalable(object, request, *current));
  SetReplicas(request.replicas(), &object);
  return Edited(*entry, std::move(object));
}

absl::StatusOr<UndoEdit> PlanUndoEdit(const Cache& cache, const v1::UndoRequest& request) {
  ASSIGN_OR_RETURN(const EntryPtr entry,
                   FindObject(cache, request.kind(), request.namespace_(), request.name()));
  if (entry->object.has_stateful_set() || entry->object.has_daemon_set()) {
    ASSIGN_OR_RETURN(TemplateUndo undo, cache.Read([&](const View& view) {
      return PlanTemplateUndo(view, *entry, request.to_revision());
    }));
    return UndoEdit{Edited(*entry, std::move(undo.owner)), undo.from_revision};
  }
  if (!entry->object.has_deployment()) {
    return absl::InvalidArgumentError(
        absl::StrCat(DisplayName(entry->object),
                     " keeps no revisions: deployments, daemonsets and statefulsets do"));
  }
  const v1::ObjectMeta& meta = Meta(entry->object);
  ASSIGN_OR_RETURN(UndoPlan undo, cache.Read([&](const View& view) {
    return PlanUndo(view, meta.namespace_(), meta.name(), request.to_revision());
  }));
  UndoEdit result;
  result.edit = Edited(*entry, Wrap(std::move(undo.deployment)));
  result.from_history = undo.from_revision;
  return result;
}

absl::StatusOr<EditPlan> PlanAddEphemeral(const Cache& cache,
                                          const v1::AddEphemeralContainerRequest& request) {
  ASSIGN_OR_RETURN(const EntryPtr entry,
                   FindObject(cache, "Pod", request.namespace_(), request.pod()));
  const v1::Pod& pod = entry->object.pod();
  if (IsTerminating(pod) || IsFinished(pod)) {
    return absl::FailedPreconditionError(absl::StrCat(
        DisplayName(entry->object), " has ended or is ending: nothing is added to it"));
  }
  v1::Object object = entry->object;
  *object.mutable_pod()->mutable_spec()->add_ephemeral_containers() = request.container();
  SetDefaults(&object);
  std::vector<v1::Violation> violations;
  for (FieldError& error : Validate(object)) {
    v1::Violation& violation = violations.emplace_back();
    violation.set_field(std::move(error.field));
    violation.set_message(std::move(error.message));
  }
  if (!violations.empty()) return InvalidObjects(violations);
  return Edited(*entry, std::move(object));
}

absl::StatusOr<EditPlan> PlanRolloutEdit(const Cache& cache, const v1::RolloutRequest& request,
                                         absl::Time now) {
  ASSIGN_OR_RETURN(const EntryPtr entry,
                   FindObject(cache, request.kind(), request.namespace_(), request.name()));
  v1::Object object = entry->object;
  const std::string name = DisplayName(object);
  if (request.action() == v1::ROLLOUT_ACTION_RESTART) {
    v1::PodTemplateSpec* pods = MutableTemplate(&object);
    if (pods == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, " is not rolled out: restart a deployment, a daemonset or a statefulset"));
    }
    if (object.deployment().spec().paused()) {
      return absl::FailedPreconditionError(
          absl::StrCat(name, " is paused: resume it before it is restarted"));
    }
    (*pods->mutable_metadata()->mutable_annotations())["kubectl.kubernetes.io/restartedAt"] =
        absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", now, absl::UTCTimeZone());
    return Edited(*entry, std::move(object));
  }
  if (!object.has_deployment()) {
    return absl::InvalidArgumentError(absl::StrCat(name, " cannot be paused: deployments can"));
  }
  if (request.action() == v1::ROLLOUT_ACTION_UNSPECIFIED) {
    return absl::InvalidArgumentError("action: say pause, resume or restart");
  }
  const bool pause = request.action() == v1::ROLLOUT_ACTION_PAUSE;
  if (object.deployment().spec().paused() == pause) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, pause ? " is paused already" : " is not paused"));
  }
  object.mutable_deployment()->mutable_spec()->set_paused(pause);
  return Edited(*entry, std::move(object));
}

absl::StatusOr<EditPlan> PlanCordon(const Cache& cache, const v1::CordonRequest& request) {
  ASSIGN_OR_RETURN(const EntryPtr entry, FindObject(cache, "Node", "", request.node()));
  v1::Object object = entry->object;
  object.mutable_node()->mutable_spec()->set_unschedulable(request.unschedulable());
  return Edited(*entry, std::move(object));
}

}  // namespace cluster::controller
