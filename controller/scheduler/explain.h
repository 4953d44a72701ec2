// Why a pod is where it is, or why it is nowhere: every node's verdict. For `why` and `describe`.
#pragma once

#include <string>
#include <vector>

#include "controller/scheduler/cluster_state.h"
#include "controller/scheduler/filters.h"
#include "controller/scheduler/scheduler.h"

namespace cluster::controller {

// Higher is better.
struct ScorePart {
  std::string name;
  int64_t value = 0;
};

struct NodeVerdict {
  std::string node;
  std::vector<Rejection> rejections;  // empty: it fits
  std::vector<ScorePart> score;       // most important first; the first that differs decides
};

struct PodVerdict {
  std::string node;       // where it is; "" = nowhere yet
  std::string nominated;  // where it waits for others to end
  std::string summary;    // one sentence
  // The best first, then those that cannot run it, by name.
  std::vector<NodeVerdict> nodes;
};

// Of a pod of the view, which has not ended. One that has a node is judged as if it were placed
// now, without itself.
PodVerdict ExplainPod(const View& view, const EntryPtr& pod, const SchedulerOptions& options);

// A score in words, in the order in which it is compared.
std::vector<ScorePart> PartsOf(const Score& score, const PodShape& shape, const ClusterState& state,
                               Strategy strategy);

// "spread of the workload (0 against -2)": the first part in which `winner` is ahead of `other`;
// by name where they are equal.
std::string LeadOf(const std::vector<ScorePart>& winner, const std::vector<ScorePart>& other);

}  // namespace cluster::controller
