#include "controller/scheduler/pod_request.h"

#include <algorithm>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/resource_names.h"

namespace cluster::controller {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 4;

using Amounts = google::protobuf::Map<std::string, std::string>;

int64_t AmountOf(const v1::ResourceRequirements& resources, const std::string& name) {
  for (const Amounts* amounts : {&resources.requests(), &resources.limits()}) {
    const auto amount = amounts->find(name);
    if (amount == amounts->end()) continue;
    const auto value = ResourceAmount(name, amount->second);
    return value.ok() ? std::min(*value, kMost) : kMost;
  }
  return 0;
}

// As its node has set it; nothing before it runs.
const v1::ResourceRequirements* ActualOf(const v1::PodStatus& status,
                                         const std::string& container) {
  for (const auto* statuses : {&status.container_statuses(), &status.init_container_statuses()}) {
    for (const v1::ContainerStatus& each : *statuses) {
      if (each.name() == container && each.has_resources()) return &each.resources();
    }
  }
  return nullptr;
}

bool IsInfeasible(const v1::PodStatus& status) {
  return std::any_of(status.conditions().begin(), status.conditions().end(), [](const auto& each) {
    return each.type() == "PodResizePending" && each.reason() == "Infeasible";
  });
}

int64_t AmountOf(const v1::Container& container, const v1::PodStatus* status,
                 const std::string& name) {
  const int64_t wanted = AmountOf(container.resources(), name);
  const v1::ResourceRequirements* actual =
      status == nullptr ? nullptr : ActualOf(*status, container.name());
  // What a node sets is cpu and memory; nothing else changes while a container runs.
  if (actual == nullptr || (name != "cpu" && name != "memory")) return wanted;
  const int64_t set = AmountOf(*actual, name);
  return IsInfeasible(*status) ? set : std::max(wanted, set);
}

void AddPorts(const v1::Container& container, std::vector<HostPort>* ports) {
  for (const v1::ContainerPort& port : container.ports()) {
    if (port.host_port() == 0) continue;
    ports->push_back(
        {port.host_ip().empty() ? "0.0.0.0" : port.host_ip(),
         port.protocol() == v1::PROTOCOL_UNSPECIFIED ? v1::PROTOCOL_TCP : port.protocol(),
         port.host_port()});
  }
}

// What containers name besides cpu and memory.
std::set<std::string> OtherNames(const v1::PodSpec& spec) {
  std::set<std::string> names;
  for (const auto* containers : {&spec.containers(), &spec.init_containers()}) {
    for (const v1::Container& container : *containers) {
      for (const auto* amounts :
           {&container.resources().requests(), &container.resources().limits()}) {
        for (const auto& [name, amount] : *amounts) names.insert(name);
      }
    }
  }
  names.erase("cpu");
  names.erase("memory");
  return names;
}

bool EveryAddress(const HostPort& port) { return port.ip == "0.0.0.0" || port.ip == "::"; }

}  // namespace

bool Clash(const HostPort& a, const HostPort& b) {
  return a.port == b.port && a.protocol == b.protocol &&
         (a.ip == b.ip || EveryAddress(a) || EveryAddress(b));
}

std::string PortText(const HostPort& port) {
  return absl::StrCat(EveryAddress(port) ? "" : absl::StrCat(port.ip, ":"), port.port, "/",
                      EnumText(port.protocol));
}

PodRequest RequestOf(const v1::PodSpec& spec, const v1::PodStatus* status) {
  PodRequest request;
  const auto amount_of = [&](const std::string& name) {
    return std::min(kMost, EffectiveAmount(spec, [&](const v1::Container& container) {
                      return AmountOf(container, status, name);
                    }));
  };
  request.cpu_milli = amount_of("cpu");
  request.memory_bytes = amount_of("memory");
  for (const std::string& name : OtherNames(spec)) {
    request.others.emplace_back(name, amount_of(name));
  }
  for (const v1::Container& container : spec.containers()) AddPorts(container, &request.ports);
  for (const v1::Container& container : spec.init_containers()) {
    if (IsSidecar(container.restart_policy())) AddPorts(container, &request.ports);
  }
  return request;
}

}  // namespace cluster::controller
