#include "controller/scheduler/node_usage.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

int64_t Allocatable(const v1::Node& node, const char* resource,
                    absl::StatusOr<int64_t> (*parse)(absl::string_view)) {
  const auto amount = node.status().allocatable().find(resource);
  if (amount == node.status().allocatable().end()) return 0;
  return parse(amount->second).value_or(0);
}

NodeUsage EmptyUsage(const EntryPtr& entry) {
  NodeUsage usage;
  usage.entry = entry;
  const v1::Node& node = usage.node();
  usage.ready =
      IsTrue(node.status().conditions(), "Ready") && !node.metadata().has_deletion_timestamp();
  usage.allocatable_cpu_milli = Allocatable(node, "cpu", QuantityMilli);
  usage.allocatable_memory_bytes = Allocatable(node, "memory", QuantityValue);
  usage.allocatable_pods = Allocatable(node, "pods", QuantityValue);
  for (const auto& [name, amount] : node.status().allocatable()) {
    if (name == "cpu" || name == "memory" || name == "pods") continue;
    usage.allocatable_others[name] = QuantityValue(amount).value_or(0);
  }
  return usage;
}

}  // namespace

void NodeUsage::Add(const PodRequest& request, OwnerId owner) {
  cpu_milli += request.cpu_milli;
  memory_bytes += request.memory_bytes;
  for (const auto& [name, amount] : request.others) others[name] += amount;
  ++pods;
  ports.insert(ports.end(), request.ports.begin(), request.ports.end());
  if (owner != 0) ++pods_of_owner[owner];
  ++version;
}

ClusterUsage::ClusterUsage(const View& view) {
  absl::flat_hash_map<std::string, size_t> index;
  for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
    index[entry->object.node().metadata().name()] = nodes_.size();
    nodes_.push_back(EmptyUsage(entry));
  }
  for (const auto& [key, entry] : view.All(v1::Object::kPod)) {
    const v1::Pod& pod = entry->object.pod();
    if (!HoldsResources(pod)) continue;
    const auto node = index.find(pod.spec().node_name());
    if (node == index.end()) continue;
    nodes_[node->second].Add(RequestOf(pod.spec(), &pod.status()),
                             IsTerminating(pod) ? 0 : Intern(pod));
  }
}

OwnerId ClusterUsage::Intern(const v1::Pod& pod) {
  const v1::OwnerReference* owner = ControllerOf(pod.metadata());
  if (owner == nullptr) return 0;
  const auto next = static_cast<OwnerId>(owners_.size()) + 1;
  return owners_.try_emplace(owner->uid(), next).first->second;
}

}  // namespace cluster::controller
