// A node with what is taken of it.
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
  // Takes back an Add of the same.
  void Remove(const PodRequest& request, OwnerId owner);
  // Another state of the same node; what is taken stays.
  void Replace(const EntryPtr& node);
};

// An empty node.
NodeUsage UsageOf(const EntryPtr& node);

}  // namespace cluster::controller
