#include "proto/schema/pod_resources.h"

#include <algorithm>
#include <limits>
#include <string>

#include "proto/schema/scalars.h"

namespace cluster {
namespace {

int64_t Add(int64_t a, int64_t b) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  return a > kMost - b ? kMost : a + b;
}

bool SameResources(const google::protobuf::Map<std::string, std::string>& limits,
                   const google::protobuf::Map<std::string, std::string>& requests) {
  for (const char* resource : {"cpu", "memory"}) {
    const auto limit = limits.find(resource);
    if (limit == limits.end()) return false;
    const auto limit_value = QuantityMilli(limit->second);
    if (!limit_value.ok() || *limit_value <= 0) return false;
    const auto request = requests.find(resource);
    if (request == requests.end()) continue;  // defaults to the limit
    const auto request_value = QuantityMilli(request->second);
    if (!request_value.ok() || *limit_value != *request_value) return false;
  }
  return true;
}

bool AsksForAnything(const v1::ResourceRequirements& resources) {
  for (const auto* quantities : {&resources.limits(), &resources.requests()}) {
    for (const auto& [name, quantity] : *quantities) {
      const auto value = QuantityMilli(quantity);
      if ((name == "cpu" || name == "memory") && value.ok() && *value > 0) return true;
    }
  }
  return false;
}

}  // namespace

int64_t EffectiveAmount(const v1::PodSpec& spec,
                        absl::FunctionRef<int64_t(const v1::Container& container)> amount) {
  int64_t sidecars = 0;
  int64_t starting = 0;  // the most that is needed before the containers run
  for (const v1::Container& container : spec.init_containers()) {
    const int64_t own = amount(container);
    if (IsSidecar(container.restart_policy())) sidecars = Add(sidecars, own);
    starting =
        std::max(starting, IsSidecar(container.restart_policy()) ? sidecars : Add(sidecars, own));
  }
  int64_t running = sidecars;
  for (const v1::Container& container : spec.containers()) {
    running = Add(running, amount(container));
  }
  return std::max(starting, running);
}

bool EveryContainer(const v1::PodSpec& spec,
                    absl::FunctionRef<bool(const v1::Container& container)> holds) {
  for (const auto* containers : {&spec.init_containers(), &spec.containers()}) {
    for (const v1::Container& container : *containers) {
      if (!holds(container)) return false;
    }
  }
  return true;
}

v1::QosClass QosOf(const v1::PodSpec& spec) {
  const bool anything = !EveryContainer(
      spec, [](const v1::Container& container) { return !AsksForAnything(container.resources()); });
  if (!anything) return v1::QOS_CLASS_BEST_EFFORT;
  const bool guaranteed = EveryContainer(spec, [](const v1::Container& container) {
    return SameResources(container.resources().limits(), container.resources().requests());
  });
  return guaranteed ? v1::QOS_CLASS_GUARANTEED : v1::QOS_CLASS_BURSTABLE;
}

}  // namespace cluster
