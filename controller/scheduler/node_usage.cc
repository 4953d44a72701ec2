#include "controller/scheduler/node_usage.h"

#include <algorithm>

#include "controller/reconcile/conditions.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

int64_t Allocatable(const v1::Node& node, const char* resource,
                    absl::StatusOr<int64_t> (*parse)(absl::string_view)) {
  const auto amount = node.status().allocatable().find(resource);
  if (amount == node.status().allocatable().end()) return 0;
  return parse(amount->second).value_or(0);
}

}  // namespace

void NodeUsage::Replace(const EntryPtr& replacement) {
  entry = replacement;
  ready =
      IsTrue(node().status().conditions(), "Ready") && !node().metadata().has_deletion_timestamp();
  allocatable_cpu_milli = Allocatable(node(), "cpu", QuantityMilli);
  allocatable_memory_bytes = Allocatable(node(), "memory", QuantityValue);
  allocatable_pods = Allocatable(node(), "pods", QuantityValue);
  allocatable_others.clear();
  for (const auto& [name, amount] : node().status().allocatable()) {
    if (name == "cpu" || name == "memory" || name == "pods") continue;
    allocatable_others[name] = QuantityValue(amount).value_or(0);
  }
  ++version;
}

void NodeUsage::Add(const PodRequest& request, OwnerId owner) {
  cpu_milli += request.cpu_milli;
  memory_bytes += request.memory_bytes;
  for (const auto& [name, amount] : request.others) others[name] += amount;
  ++pods;
  ports.insert(ports.end(), request.ports.begin(), request.ports.end());
  if (owner != 0) ++pods_of_owner[owner];
  ++version;
}

void NodeUsage::Remove(const PodRequest& request, OwnerId owner) {
  cpu_milli -= request.cpu_milli;
  memory_bytes -= request.memory_bytes;
  for (const auto& [name, amount] : request.others) others[name] -= amount;
  --pods;
  for (const HostPort& port : request.ports)
    ports.erase(std::find(ports.begin(), ports.end(), port));
  if (owner != 0 && --pods_of_owner[owner] == 0) pods_of_owner.erase(owner);
  ++version;
}

NodeUsage UsageOf(const EntryPtr& node) {
  NodeUsage usage;
  usage.Replace(node);
  return usage;
}

}  // namespace cluster::controller
