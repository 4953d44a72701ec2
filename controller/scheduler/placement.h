// The best node for pods that all ask for the same.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "controller/scheduler/cluster_state.h"
#include "controller/scheduler/filters.h"

namespace cluster::controller {

enum class Strategy {
  kSpread,  // over nodes and workloads
  kPack,    // as few nodes as can be
};

// Compared in this order, less is better.
struct Score {
  int unwelcome = 0;      // PreferNoSchedule taints not tolerated
  int64_t dislike = 0;    // preferences of the pod and of its neighbours, turned round
  int spread = 0;         // active pods of the same owner on the node (kSpread)
  int64_t allocated = 0;  // thousandths of cpu, memory and pod slots taken, added up, less what its
                          // images are worth; kPack: what is free
  int node = 0;           // index in the order of names
  auto operator<=>(const Score&) const = default;
};

// `scope`: of whose neighbours to ask; see neighbours.h.
struct ScoreInputs {
  const PodShape* shape = nullptr;
  const PodRequest* request = nullptr;
  const ClusterState* state = nullptr;
  Strategy strategy = Strategy::kSpread;
};
Score ScoreOf(const ScoreInputs& inputs, int node, bool with_wide_places);

// Nodes in the order in which pods of one shape want them, kept from one placement to the next.
//
// Nodes are held apart by the places of more than one node (zones) that rules are about: within one
// such bucket all nodes are the same to those rules, so these are asked once per bucket, and a heap
// has the rest. What is in a heap may be out of date to the good side alone, since a pod that comes
// makes a node worse; it is scored again when it comes up. Where a node may have become better, the
// state's logs say so.
class Placement {
 public:
  // All outlive this.
  Placement(const PodShape* shape, const ClusterState* state, Strategy strategy);

  // Index of the best node that fits, or kNowhere.
  int Best();
  // How many nodes it holds in mind.
  size_t size() const { return latest_.size(); }

 private:
  struct Candidate {
    Score score;
    int version = 0;
    bool operator<(const Candidate& other) const { return other.score < score; }  // for heaps
  };
  struct Bucket {
    std::vector<Candidate> heap;
  };

  void Build();
  void SortIntoBuckets();
  bool IsOutOfDate() const;
  void CatchUp();
  void Offer(int node);
  bool Fits(int node) const;
  bool WaitsForOthers() const;
  int64_t LeastOfAll() const;
  const Candidate* Top(Bucket* bucket);

  const PodShape* const shape_;
  const ClusterState* const state_;
  const PodNeeds needs_;
  ScoreInputs inputs_;

  bool has_rules_ = false;
  bool gains_from_pods_ = false;  // pods on a node may make it better
  bool was_first_ = false;
  int64_t terms_version_ = 0;
  int64_t images_version_ = 0;
  int64_t improved_seen_ = 0;
  int64_t filled_seen_ = 0;
  std::vector<int> bucket_of_;  // by node
  std::vector<int> latest_;     // by node: version of its newest candidate, or kNone
  std::vector<Bucket> buckets_;
  size_t held_ = 0;  // candidates in all heaps
  // Nodes that wait for other places of a spread constraint to fill up, until the fewest pods of a
  // place are no longer as many as they were.
  std::vector<int> parked_;
  int64_t parked_least_ = 0;
};

}  // namespace cluster::controller
