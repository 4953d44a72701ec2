#include "node/pod/record.h"

#include <algorithm>

#include "proto/schema/ephemeral.h"
#include "proto/schema/pod_tuning.h"

namespace cluster::node {
namespace {

// The end of its last instance counts for ever.
bool IsFinal(const v1::PodRecord& record, const v1::ContainerRecord& container) {
  return StageOf(container) == Stage::kTerminated &&
         (IsEnding(record) || !WantsRestart(record, container));
}

}  // namespace

Stage StageOf(const v1::ContainerRecord& container) {
  if (container.has_terminated()) return Stage::kTerminated;
  return container.started_ns() != 0 ? Stage::kRunning : Stage::kWaiting;
}

const v1::ContainerRecord* FindContainer(const v1::PodRecord& record, absl::string_view name) {
  for (const v1::ContainerRecord& container : record.containers()) {
    if (container.name() == name) return &container;
  }
  return nullptr;
}

v1::ContainerRecord* MutableContainer(absl::string_view name, v1::PodRecord* record) {
  for (v1::ContainerRecord& container : *record->mutable_containers()) {
    if (container.name() == name) return &container;
  }
  return nullptr;
}

const v1::Container* FindSpec(const v1::PodRecord& record, absl::string_view name) {
  const v1::PodSpec& spec = record.assignment().pod().spec();
  for (const auto* containers : {&spec.containers(), &spec.init_containers()}) {
    for (const v1::Container& container : *containers) {
      if (container.name() == name) return &container;
    }
  }
  return nullptr;
}

std::optional<v1::Container> ContainerToRun(const v1::PodRecord& record, absl::string_view name) {
  if (const v1::Container* found = FindSpec(record, name); found != nullptr) return *found;
  for (const v1::EphemeralContainer& container :
       record.assignment().pod().spec().ephemeral_containers()) {
    if (container.name() == name) return AsContainer(container);
  }
  return std::nullopt;
}

std::string TargetOf(const v1::PodRecord& record, absl::string_view name) {
  for (const v1::EphemeralContainer& container :
       record.assignment().pod().spec().ephemeral_containers()) {
    if (container.name() == name) return container.target_container_name();
  }
  return "";
}

bool ExistsOnce(const v1::PodRecord& record) {
  const OnDisconnect asked = OnDisconnectOf(record.assignment().pod().metadata());
  if (asked != OnDisconnect::kUnset) return asked == OnDisconnect::kStop;
  for (const v1::OwnerReference& owner : record.assignment().pod().metadata().owner_references()) {
    if (owner.controller() && owner.kind() == "StatefulSet") return true;
  }
  for (const v1::Object& object : record.assignment().references()) {
    for (const int mode : object.persistent_volume_claim().spec().access_modes()) {
      if (mode == v1::ACCESS_MODE_READ_WRITE_ONCE_POD) return true;
    }
  }
  return false;
}

bool AnyRuns(const v1::PodRecord& record) {
  return std::any_of(record.containers().begin(), record.containers().end(),
                     [](const auto& each) { return StageOf(each) == Stage::kRunning; });
}

bool IsEnding(const v1::PodRecord& record) {
  return !record.assigned() || record.assignment().pod().metadata().has_deletion_timestamp();
}

bool InitFailed(const v1::PodRecord& record) {
  return std::any_of(record.containers().begin(), record.containers().end(),
                     [&record](const v1::ContainerRecord& each) {
                       return each.kind() == v1::CONTAINER_KIND_INIT &&
                              StageOf(each) == Stage::kTerminated &&
                              each.terminated().exit_code() != 0 && !WantsRestart(record, each);
                     });
}

bool IsFinishing(const v1::PodRecord& record) {
  if (record.failing() || IsTerminal(record.phase()) || InitFailed(record)) return true;
  bool any = false;
  for (const v1::ContainerRecord& container : record.containers()) {
    if (container.kind() != v1::CONTAINER_KIND_APP) continue;
    if (!IsFinal(record, container)) return false;
    any = true;
  }
  return any;
}

bool WantsRestart(const v1::PodRecord& record, const v1::ContainerRecord& container) {
  const v1::RestartPolicy policy = record.assignment().pod().spec().restart_policy();
  const bool failed = container.terminated().exit_code() != 0;
  switch (container.kind()) {
    case v1::CONTAINER_KIND_EPHEMERAL:
      return false;
    case v1::CONTAINER_KIND_SIDECAR:
      return true;
    case v1::CONTAINER_KIND_INIT:
      return failed ? policy != v1::RESTART_POLICY_NEVER : !container.init_done();
    case v1::CONTAINER_KIND_APP:
    case v1::ContainerKind_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::ContainerKind_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  if (policy == v1::RESTART_POLICY_NEVER) return false;
  // One that was ended to be started anew has not done its work, whatever it says with its exit.
  return policy != v1::RESTART_POLICY_ON_FAILURE || failed || !container.stop_reason().empty();
}

}  // namespace cluster::node
