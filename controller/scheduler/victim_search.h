// Which pods of less priority have to end so that a pod can run.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_set.h"

#include "controller/reconcile/budgets.h"
#include "controller/scheduler/cluster_state.h"
#include "controller/scheduler/filters.h"

namespace cluster::controller {

// Compared in this order, less is better: as Kubernetes chooses.
struct VictimCost {
  int violations = 0;            // victims that a disruption budget would keep
  int64_t highest_priority = 0;  // of the victims
  int64_t priorities = 0;        // of all victims, added up
  int64_t victims = 0;
  int64_t age = 0;  // the earlier the most important victim started, the more is lost
  int node = 0;     // index in the order of names
  auto operator<=>(const VictimCost&) const = default;
};

struct VictimChoice {
  VictimCost cost;
  // Empty: what is needed is being freed already.
  std::vector<PodRecord*> victims;
};

// For pods of one shape, for the time of a plan.
class VictimSearch {
 public:
  // All outlive this. `claims` may be nullptr where the shape has none.
  VictimSearch(const PodShape* shape, ClusterState* state, BudgetBook* budgets,
               const ClaimUsage* claims);

  // The fewest and least important victims on any node.
  std::optional<VictimChoice> Best();
  // On this node alone.
  std::optional<VictimChoice> On(int node);

 private:
  struct Candidate {
    VictimCost cost;
    int version = 0;
    int budgets = 0;
    bool operator<(const Candidate& other) const { return other.cost < cost; }  // for heaps
  };
  struct Lower {
    PodRecord* pod = nullptr;
    bool violates = false;
  };

  bool CouldEverRun(int node) const;
  std::vector<PodRecord*> LowerOn(int node, bool* any_ending) const;
  std::vector<Lower> InOrderOfMercy(std::vector<PodRecord*> active) const;
  std::vector<PodRecord*> Spare(int node, const std::vector<PodRecord*>& going,
                                const std::vector<Lower>& active);
  bool FitsNow(int node) const;
  VictimCost CostOf(int node, const std::vector<PodRecord*>& victims,
                    const std::vector<Lower>& judged) const;
  void Offer(int node);
  void CatchUp();
  std::optional<VictimChoice> BestOfAll();

  const PodShape* const shape_;
  ClusterState* const state_;
  BudgetBook* const budgets_;
  const PodNeeds needs_;
  bool has_rules_ = false;
  bool built_ = false;
  int64_t improved_seen_ = 0;
  int64_t found_none_at_ = -1;  // nothing was found when so many were leaving
  std::vector<int> latest_;
  std::vector<Candidate> heap_;
};

}  // namespace cluster::controller
