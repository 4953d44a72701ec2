// The record's changes that are not observed: what the controller wants, and what the worker is
// about to do.
#include <algorithm>

#include "node/pod/decide.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

void AddContainer(const std::string& name, v1::ContainerKind kind, v1::PodRecord* record) {
  if (FindContainer(*record, name) != nullptr) return;
  v1::ContainerRecord* container = record->add_containers();
  container->set_name(name);
  container->set_kind(kind);
}

}  // namespace

void AddContainers(v1::PodRecord* record) {
  // A copy: the record is about to grow.
  const v1::PodSpec spec = record->assignment().pod().spec();
  for (const v1::Container& container : spec.containers()) {
    AddContainer(container.name(), v1::CONTAINER_KIND_APP, record);
  }
  for (const v1::Container& container : spec.init_containers()) {
    const bool stays = container.restart_policy() == v1::CONTAINER_RESTART_POLICY_ALWAYS;
    AddContainer(container.name(), stays ? v1::CONTAINER_KIND_SIDECAR : v1::CONTAINER_KIND_INIT,
                 record);
  }
  for (const v1::EphemeralContainer& container : spec.ephemeral_containers()) {
    AddContainer(container.name(), v1::CONTAINER_KIND_EPHEMERAL, record);
  }
}

v1::PodRecord NewRecord(const v1::Assignment& assignment, const Moment& now) {
  v1::PodRecord record;
  record.set_uid(assignment.pod().metadata().uid());
  record.set_phase(v1::POD_PHASE_PENDING);
  record.set_boot_id(now.boot_id);
  *record.mutable_start_time() = ToTimestamp(now.wall);
  record.set_start_ns(absl::ToInt64Nanoseconds(now.monotonic));
  Reassign(assignment, &record);
  return record;
}

void Reassign(const v1::Assignment& assignment, v1::PodRecord* record) {
  *record->mutable_assignment() = assignment;
  record->set_assigned(true);
  AddContainers(record);
}

void BeginStart(const std::string& name, v1::PodRecord* record) {
  v1::ContainerRecord* container = MutableContainer(name, record);
  if (container == nullptr) return;
  if (After(StageOf(*container), Happening::kRestart)) {
    v1::ContainerRecord next;
    next.set_name(name);
    next.set_kind(container->kind());
    next.set_attempt(container->attempt() + 1);
    next.set_failures(container->failures());
    next.set_init_done(container->init_done());
    if (container->has_granted()) *next.mutable_granted() = container->granted();
    *next.mutable_previous() = container->terminated();
    *container = std::move(next);
  }
  container->set_intended(true);
}

void Fail(const std::string& reason, const std::string& message, v1::PodRecord* record) {
  if (record->failing() || record->gone() || IsTerminal(record->phase())) return;
  record->set_failing(true);
  record->set_reason(reason);
  record->set_message(message);
}

}  // namespace cluster::node
