// Which pod goes when the node is short of something. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "node/eviction/thresholds.h"

namespace cluster::node {

// A pod that could be evicted.
struct Candidate {
  std::string uid;
  std::string name_space;
  std::string name;
  int32_t priority = 0;
  // What it uses of each, and what it was promised; nobody is promised inodes or processes.
  int64_t memory = 0;  // working set
  int64_t memory_request = 0;
  int64_t disk = 0;
  int64_t disk_request = 0;
  int64_t inodes = 0;
  int64_t pids = 0;
};

// The first to go first, as kubelet orders them: those that use more than they requested, then the
// lower priority, then the more use over the request. Pods of class BestEffort request nothing and
// Guaranteed ones never use more than they may, so this is the order of the classes too. Ties break
// by uid.
std::vector<Candidate> RankForEviction(Shortage shortage, std::vector<Candidate> candidates);

// "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. The pod was
// using 300Mi, its request is 64Mi."
std::string EvictionMessage(const Breach& breach, const Candidate& candidate);

}  // namespace cluster::node
