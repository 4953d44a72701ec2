#include "controller/session/status_merge.h"

#include <algorithm>

#include "controller/reconcile/conditions.h"

namespace cluster::controller {
namespace {

template <typename List>
auto FindByName(List* list, const std::string& name) {
  return std::find_if(list->begin(), list->end(),
                      [&](const auto& item) { return item.name() == name; });
}

// Whether `stored` is the end of the very instance that `reported` speaks of.
bool EndIsKnown(const v1::ContainerStatus& stored, const v1::ContainerStatus& reported) {
  return stored.state().has_terminated() && reported.restart_count() == stored.restart_count() &&
         !stored.container_id().empty() && reported.container_id() == stored.container_id();
}

void MergeContainer(const v1::ContainerStatus& reported, v1::ContainerStatus* stored) {
  if (reported.restart_count() < stored->restart_count()) return;
  if (!EndIsKnown(*stored, reported)) {
    *stored = reported;
    return;
  }
  const v1::ContainerState end = stored->state();
  *stored = reported;
  // A container that waits for its restart keeps its id; its end then moves to the last state.
  if (reported.state().has_waiting()) {
    *stored->mutable_last_state() = end;
  } else {
    *stored->mutable_state() = end;
  }
}

using Statuses = google::protobuf::RepeatedPtrField<v1::ContainerStatus>;

// `merged` holds what was reported.
void MergeContainers(const Statuses& stored, Statuses* merged) {
  const Statuses reported = std::move(*merged);
  *merged = stored;
  for (const v1::ContainerStatus& container : reported) {
    auto found = FindByName(merged, container.name());
    if (found == merged->end()) {
      *merged->Add() = container;
    } else {
      MergeContainer(container, &*found);
    }
  }
}

// Those that the node takes back by leaving them out.
bool ComesAndGoes(const v1::Condition& condition) {
  return condition.type() == "PodResizePending" || condition.type() == "PodResizeInProgress";
}

// PodScheduled and whatever else the controller knows and the node does not.
void KeepUnknownConditions(const v1::PodStatus& stored, v1::PodStatus* merged) {
  for (const v1::Condition& condition : stored.conditions()) {
    if (ComesAndGoes(condition)) continue;
    const auto& list = merged->conditions();
    const bool known = std::any_of(list.begin(), list.end(), [&](const v1::Condition& other) {
      return other.type() == condition.type();
    });
    if (!known) *merged->add_conditions() = condition;
  }
}

void DateConditions(const v1::PodStatus& stored, absl::Time now, v1::PodStatus* merged) {
  for (v1::Condition& condition : *merged->mutable_conditions()) {
    const v1::Condition* before = FindCondition(stored.conditions(), condition.type());
    if (before != nullptr && before->status() == condition.status() &&
        before->has_last_transition_time()) {
      *condition.mutable_last_transition_time() = before->last_transition_time();
    } else {
      *condition.mutable_last_transition_time() = Seconds(now);
    }
  }
}

}  // namespace

v1::PodStatus MergePodStatus(const v1::PodStatus& stored, const v1::PodStatus& reported,
                             absl::Time now) {
  v1::PodStatus merged = reported;
  DateConditions(stored, now, &merged);
  MergeContainers(stored.container_statuses(), merged.mutable_container_statuses());
  MergeContainers(stored.init_container_statuses(), merged.mutable_init_container_statuses());
  MergeContainers(stored.ephemeral_container_statuses(),
                  merged.mutable_ephemeral_container_statuses());
  KeepUnknownConditions(stored, &merged);
  if (merged.qos_class() == v1::QOS_CLASS_UNSPECIFIED) merged.set_qos_class(stored.qos_class());
  if (!merged.has_start_time() && stored.has_start_time()) {
    *merged.mutable_start_time() = stored.start_time();
  }
  if (IsTerminal(stored.phase()) || merged.phase() < stored.phase()) {
    merged.set_phase(stored.phase());
    merged.set_reason(stored.reason());
    merged.set_message(stored.message());
  }
  return merged;
}

v1::NodeStatus MergeNodeStatus(const v1::NodeStatus& stored, const v1::NodeStatus& reported) {
  v1::NodeStatus merged = reported;
  merged.clear_conditions();
  for (const v1::Condition& condition : stored.conditions()) {
    if (condition.type() == "Ready") *merged.add_conditions() = condition;
  }
  for (const v1::Condition& condition : reported.conditions()) {
    if (condition.type() != "Ready") *merged.add_conditions() = condition;
  }
  return merged;
}

}  // namespace cluster::controller
