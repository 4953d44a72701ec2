// The best node for pods that all ask for the same.
#pragma once

#include <compare>
#include <cstdint>
#include <queue>
#include <vector>

#include "controller/scheduler/filters.h"

namespace cluster::controller {

// Compared in this order, less is better.
struct Score {
  int unwelcome = 0;      // PreferNoSchedule taints not tolerated
  int spread = 0;         // active pods of the same owner on the node
  int64_t allocated = 0;  // thousandths of cpu, memory and pod slots taken, added up
  size_t node = 0;        // index in the order of names
  auto operator<=>(const Score&) const = default;
};

Score ScoreOf(const PodNeeds& pod, const NodeUsage& usage, size_t index);

// Nodes in the order in which pods of one shape (same owner, same spec) want them. A placement of
// any pod only ever makes a node worse for any other, so a node is scored again only when it comes
// up as the best with a stale score.
class Placement {
 public:
  // `spec` of `needs` outlives this.
  Placement(PodNeeds needs, const std::vector<NodeUsage>& nodes);

  // Index of the best node that fits, or -1.
  int Best(const std::vector<NodeUsage>& nodes);
  const PodNeeds& needs() const { return needs_; }

 private:
  struct Candidate {
    Score score;
    int version = 0;
    bool operator>(const Candidate& other) const { return score > other.score; }
  };

  PodNeeds needs_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates_;
};

}  // namespace cluster::controller
