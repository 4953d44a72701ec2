#include "tests/domain/invariants.h"

#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"

#include "proto/schema/scalars.h"

namespace cluster::domain {
namespace {

struct Taken {
  int64_t cpu = 0;
  int64_t memory = 0;
  int64_t pods = 0;
  std::set<std::tuple<int, int, std::string>> ports;  // port, protocol, address
  bool port_clash = false;
};

bool TakesRoom(const v1::Pod& pod) {
  return !pod.spec().node_name().empty() && pod.status().phase() != v1::POD_PHASE_SUCCEEDED &&
         pod.status().phase() != v1::POD_PHASE_FAILED;
}

void Add(const v1::Pod& pod, Taken* taken) {
  ++taken->pods;
  for (const v1::Container& container : pod.spec().containers()) {
    const auto& requests = container.resources().requests();
    if (requests.contains("cpu")) taken->cpu += QuantityMilli(requests.at("cpu")).value();
    if (requests.contains("memory")) taken->memory += QuantityValue(requests.at("memory")).value();
    for (const v1::ContainerPort& port : container.ports()) {
      if (port.host_port() == 0) continue;
      const std::string ip = port.host_ip().empty() ? "0.0.0.0" : port.host_ip();
      for (const auto& [number, protocol, address] : taken->ports) {
        if (number == port.host_port() && protocol == port.protocol() &&
            (address == ip || address == "0.0.0.0" || ip == "0.0.0.0")) {
          taken->port_clash = true;
        }
      }
      taken->ports.emplace(port.host_port(), port.protocol(), ip);
    }
  }
}

Taken TakenOf(const View& view, const std::string& node) {
  Taken taken;
  for (const auto& [key, entry] : view.All(v1::Object::kPod)) {
    const v1::Pod& pod = entry->object.pod();
    if (TakesRoom(pod) && pod.spec().node_name() == node) Add(pod, &taken);
  }
  return taken;
}

bool IsWithin(const Taken& taken, const v1::Node& node) {
  const auto& allocatable = node.status().allocatable();
  return !taken.port_clash && taken.cpu <= QuantityMilli(allocatable.at("cpu")).value() &&
         taken.memory <= QuantityValue(allocatable.at("memory")).value() &&
         taken.pods <= QuantityValue(allocatable.at("pods")).value();
}

bool ToleratesAll(const v1::Pod& pod, const v1::Node& node) {
  for (const v1::Taint& taint : node.spec().taints()) {
    bool covered = taint.effect() == v1::TAINT_EFFECT_PREFER_NO_SCHEDULE;
    for (const v1::Toleration& toleration : pod.spec().tolerations()) {
      const bool exists = toleration.operator_() == v1::TOLERATION_OPERATOR_EXISTS;
      covered = covered || ((toleration.key().empty() || toleration.key() == taint.key()) &&
                            (exists || toleration.value() == taint.value()) &&
                            (toleration.effect() == v1::TAINT_EFFECT_UNSPECIFIED ||
                             toleration.effect() == taint.effect()));
    }
    if (!covered) return false;
  }
  return true;
}

bool IsReady(const v1::Node& node) {
  for (const v1::Condition& condition : node.status().conditions()) {
    if (condition.type() == "Ready") return condition.status() == v1::CONDITION_STATUS_TRUE;
  }
  return false;
}

}  // namespace

std::string OvercommitProblem(const View& view) {
  for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
    const Taken taken = TakenOf(view, entry->object.node().metadata().name());
    if (IsWithin(taken, entry->object.node())) continue;
    return absl::StrCat(key, " holds ", taken.cpu, "m cpu, ", taken.memory, " bytes, ", taken.pods,
                        " pods", taken.port_clash ? ", one host port twice" : "");
  }
  return "";
}

bool CouldRun(const View& view, const v1::Pod& pod, const v1::Node& node) {
  if (!IsReady(node) || node.spec().unschedulable() || !ToleratesAll(pod, node)) return false;
  for (const auto& [key, value] : pod.spec().node_selector()) {
    const auto label = node.metadata().labels().find(key);
    if (label == node.metadata().labels().end() || label->second != value) return false;
  }
  Taken taken = TakenOf(view, node.metadata().name());
  Add(pod, &taken);
  return IsWithin(taken, node);
}

}  // namespace cluster::domain
