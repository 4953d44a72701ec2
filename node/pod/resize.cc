#include "node/pod/resize.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/pod/decide.h"
#include "node/pod/pod_specs.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

using Amounts = google::protobuf::Map<std::string, std::string>;

constexpr const char* kResized[] = {"cpu", "memory"};

bool SameAmount(const Amounts& a, const Amounts& b, const char* resource) {
  const auto in_a = a.find(resource);
  const auto in_b = b.find(resource);
  if (in_a == a.end() || in_b == b.end()) return (in_a == a.end()) == (in_b == b.end());
  if (in_a->second == in_b->second) return true;
  const auto a_value = QuantityMilli(in_a->second);
  const auto b_value = QuantityMilli(in_b->second);
  return a_value.ok() && b_value.ok() && *a_value == *b_value;
}

bool Same(const v1::ResourceRequirements& a, const v1::ResourceRequirements& b,
          const char* resource) {
  return SameAmount(a.requests(), b.requests(), resource) &&
         SameAmount(a.limits(), b.limits(), resource);
}

bool Same(const v1::ResourceRequirements& a, const v1::ResourceRequirements& b) {
  return std::all_of(std::begin(kResized), std::end(kResized),
                     [&](const char* resource) { return Same(a, b, resource); });
}

// Init containers that run to their end are over before anything could change.
bool CanBeResized(const v1::ContainerRecord& container) {
  return container.kind() == v1::CONTAINER_KIND_APP ||
         container.kind() == v1::CONTAINER_KIND_SIDECAR;
}

PodRequests RequestsOf(const v1::PodSpec& spec) {
  // Quantities that do not parse are refused by the controller.
  const auto resources = ResourcesOf(spec);
  if (!resources.ok()) return {};
  return {resources->cpu_request_milli, resources->memory_request};
}

std::string MarkOf(const v1::PodSpec& spec) {
  const auto resources = ResourcesOf(spec);
  if (!resources.ok()) return "";
  return absl::StrCat(resources->cpu_request_milli, " ", resources->cpu_limit_milli, " ",
                      resources->memory_request, " ", resources->memory_limit);
}

// The pod as a whole: to see whether its group has it.
std::string PodMark(const v1::PodRecord& record) { return MarkOf(GrantedSpec(record)); }

bool WantsRestartFor(const v1::Container& spec, const v1::ContainerRecord& container) {
  for (const v1::ContainerResizePolicy& policy : spec.resize_policy()) {
    if (policy.restart_policy() != v1::RESOURCE_RESIZE_RESTART_POLICY_RESTART_CONTAINER) continue;
    if (!Same(container.granted(), container.actual(), policy.resource_name().c_str())) return true;
  }
  return false;
}

bool Differs(const v1::ContainerRecord& container) {
  return CanBeResized(container) && StageOf(container) == Stage::kRunning &&
         container.has_actual() && !Same(container.granted(), container.actual());
}

}  // namespace

v1::PodSpec GrantedSpec(const v1::PodRecord& record) {
  v1::PodSpec spec = record.assignment().pod().spec();
  for (auto* containers : {spec.mutable_containers(), spec.mutable_init_containers()}) {
    for (v1::Container& container : *containers) {
      const v1::ContainerRecord* known = FindContainer(record, container.name());
      if (known == nullptr || !known->has_granted()) continue;
      *container.mutable_resources() = known->granted();
    }
  }
  return spec;
}

PodRequests WantedRequests(const v1::PodRecord& record) {
  return RequestsOf(record.assignment().pod().spec());
}

PodRequests GrantedRequests(const v1::PodRecord& record) { return RequestsOf(GrantedSpec(record)); }

bool WantsResize(const v1::PodRecord& record) {
  if (IsEnding(record) || IsFinishing(record) || IsTerminal(record.phase())) return false;
  return std::any_of(record.containers().begin(), record.containers().end(),
                     [&](const v1::ContainerRecord& container) {
                       const v1::Container* spec = FindSpec(record, container.name());
                       return spec != nullptr && CanBeResized(container) &&
                              container.has_granted() &&
                              !Same(spec->resources(), container.granted());
                     });
}

Room RoomFor(const v1::PodRecord& record, const NodeRoom& node) {
  const PodRequests wanted = WantedRequests(record);
  const PodRequests granted = GrantedRequests(record);
  Room room = Room::kEnough;
  for (int64_t PodRequests::*amount : {&PodRequests::cpu_milli, &PodRequests::memory_bytes}) {
    if (wanted.*amount <= granted.*amount || node.allocatable.*amount <= 0) continue;
    if (wanted.*amount > node.allocatable.*amount) return Room::kNever;
    if (wanted.*amount + node.others.*amount > node.allocatable.*amount) room = Room::kLater;
  }
  return room;
}

std::string RoomMessage(Room room, const v1::PodRecord& record, const NodeRoom& node) {
  const PodRequests wanted = WantedRequests(record);
  const bool never = room == Room::kNever;
  const int64_t cpu = node.allocatable.cpu_milli - (never ? 0 : node.others.cpu_milli);
  const int64_t memory = node.allocatable.memory_bytes - (never ? 0 : node.others.memory_bytes);
  std::string message =
      never ? "Node didn't have enough capacity:" : "Node didn't have enough room:";
  if (wanted.cpu_milli > cpu) {
    absl::StrAppend(&message, " cpu, requested: ", FormatMilli(wanted.cpu_milli),
                    ", there are: ", FormatMilli(std::max<int64_t>(0, cpu)), ".");
  }
  if (wanted.memory_bytes > memory) {
    absl::StrAppend(&message, " memory, requested: ", FormatBytes(wanted.memory_bytes),
                    ", there are: ", FormatBytes(std::max<int64_t>(0, memory)), ".");
  }
  return message;
}

void Grant(v1::PodRecord* record) {
  for (v1::ContainerRecord& container : *record->mutable_containers()) {
    const v1::Container* spec = FindSpec(*record, container.name());
    if (spec != nullptr) *container.mutable_granted() = spec->resources();
  }
}

std::vector<std::string> ContainersToRestart(const v1::PodRecord& record) {
  std::vector<std::string> names;
  for (const v1::ContainerRecord& container : record.containers()) {
    const v1::Container* spec = FindSpec(record, container.name());
    if (spec != nullptr && Differs(container) && WantsRestartFor(*spec, container)) {
      names.push_back(container.name());
    }
  }
  return names;
}

bool HasToResize(const v1::PodRecord& record) {
  if (record.pod_mark().empty()) return false;  // there is no sandbox yet
  if (record.pod_mark() != PodMark(record)) return true;
  return std::any_of(record.containers().begin(), record.containers().end(), Differs);
}

absl::StatusOr<ResizeSpec> ResizeSpecOf(const v1::PodRecord& record) {
  ResizeSpec spec;
  spec.pod_uid = record.uid();
  ASSIGN_OR_RETURN(spec.pod, ResourcesOf(GrantedSpec(record)));
  for (const v1::ContainerRecord& container : record.containers()) {
    if (!Differs(container)) continue;
    ASSIGN_OR_RETURN(Resources resources, ResourcesOf(container.granted()));
    spec.containers.push_back({container.name(), container.attempt(), std::move(resources)});
  }
  return spec;
}

PodRequests RequestsIn(const std::map<std::string, std::string>& allocatable) {
  PodRequests requests;
  const auto cpu = allocatable.find("cpu");
  const auto memory = allocatable.find("memory");
  if (cpu != allocatable.end()) requests.cpu_milli = QuantityMilli(cpu->second).value_or(0);
  if (memory != allocatable.end())
    requests.memory_bytes = QuantityBytes(memory->second).value_or(0);
  return requests;
}

void Revoke(v1::PodRecord* record) {
  for (v1::ContainerRecord& container : *record->mutable_containers()) {
    if (Differs(container)) *container.mutable_granted() = container.actual();
  }
}

std::string WantedMark(const v1::PodRecord& record) {
  return MarkOf(record.assignment().pod().spec());
}

void NoteSandbox(v1::PodRecord* record) { record->set_pod_mark(PodMark(*record)); }

void NoteResized(v1::PodRecord* record) {
  record->set_pod_mark(PodMark(*record));
  for (v1::ContainerRecord& container : *record->mutable_containers()) {
    if (Differs(container)) *container.mutable_actual() = container.granted();
  }
}

void NoteStarted(const std::string& name, v1::PodRecord* record) {
  v1::ContainerRecord* container = MutableContainer(name, record);
  const v1::Container* spec = FindSpec(*record, name);
  if (container == nullptr || spec == nullptr) return;
  if (!container->has_granted()) *container->mutable_granted() = spec->resources();
  *container->mutable_actual() = container->granted();
}

}  // namespace cluster::node
