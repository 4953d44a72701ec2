// Every node with what is taken of it: computed once per plan, then kept up with each placement.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "controller/cache/view.h"
#include "controller/scheduler/pod_request.h"

namespace cluster::controller {

// A controlling owner, interned; 0 stands for "none".
using OwnerId = int;

struct NodeUsage {
  EntryPtr entry;
  bool ready = false;

  // Of the node, for pods. What a node does not report it does not have.
  int64_t allocatable_cpu_milli = 0;
  int64_t allocatable_memory_bytes = 0;
  int64_t allocatable_pods = 0;
  absl::flat_hash_map<std::string, int64_t> allocatable_others;

  // Of all pods bound to it that have not ended; those being ended count until they are gone.
  int64_t cpu_milli = 0;
  int64_t memory_bytes = 0;
  int64_t pods = 0;
  absl::flat_hash_map<std::string, int64_t> others;
  std::vector<HostPort> ports;
  absl::flat_hash_map<OwnerId, int> pods_of_owner;  // active ones
  // Grows with each change, so that what was computed from it is known to be stale.
  int version = 0;

  const v1::Node& node() const { return entry->object.node(); }
  const std::string& name() const { return node().metadata().name(); }
  void Add(const PodRequest& request, OwnerId owner);
};

class ClusterUsage {
 public:
  explicit ClusterUsage(const View& view);

  // Ordered by name.
  std::vector<NodeUsage>& nodes() { return nodes_; }
  const std::vector<NodeUsage>& nodes() const { return nodes_; }
  OwnerId Intern(const v1::Pod& pod);

 private:
  std::vector<NodeUsage> nodes_;
  absl::flat_hash_map<std::string, OwnerId> owners_;
};

}  // namespace cluster::controller
