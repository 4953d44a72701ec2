// Which nodes can run a pod, and why the others cannot.
#pragma once

#include <string>
#include <vector>

#include "controller/scheduler/claim_usage.h"
#include "controller/scheduler/node_usage.h"

namespace cluster::controller {

// One reason why a node cannot run a pod.
struct Rejection {
  std::string reason;       // "Insufficient cpu", "node(s) were unschedulable", ...
  std::string lacking;      // "500m" of what a resource is short of; empty for other reasons
  int64_t amount = 0;       // the same as a number, to compare
  std::string remedy = {};  // what change would let the pod in, as one clause

  // "Insufficient cpu (500m lacking)"
  std::string Text() const;
};

// What concerns one node and the pod alone; what pods of other nodes have to say: neighbours.h.
struct PodNeeds {
  const v1::PodSpec* spec = nullptr;
  PodRequest request;
  OwnerId owner = 0;
  std::vector<std::string> claims = {};     // store keys
  const ClaimUsage* claim_usage = nullptr;  // set where there are claims
};

// Fast answer of the filters below.
bool Fits(const PodNeeds& pod, const NodeUsage& node);

// Every reason; empty exactly when Fits. A node that is not ready has only that reason.
std::vector<Rejection> Rejections(const PodNeeds& pod, const NodeUsage& node);

// "0/3 nodes are available: 1 Insufficient cpu (500m lacking) on node1, 2 node(s) had untolerated
// taint {a: b} on node2, node3." Takes the nodes' rejections in the order of `nodes`.
std::string Summarize(const std::vector<NodeUsage>& nodes,
                      const std::vector<std::vector<Rejection>>& rejections);

}  // namespace cluster::controller
