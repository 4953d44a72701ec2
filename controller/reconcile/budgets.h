// Disruption budgets in numbers: how many pods of a selection may still be taken away. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/cache/view.h"
#include "controller/reconcile/changes.h"
#include "proto/schema/selector.h"

namespace cluster::controller {

struct BudgetState {
  int expected = 0;  // pods that there should be
  int healthy = 0;   // ready, and not being ended
  int desired = 0;   // healthy pods that the budget asks for
  int allowed = 0;   // disruptions
};

// As things are in the view, whatever the status says.
BudgetState StateOf(const View& view, const v1::PodDisruptionBudget& budget);

// A selector that is not there selects nothing, an empty one every pod of the namespace.
bool Guards(const v1::PodDisruptionBudget& budget, const v1::Pod& pod);

// Whether taking the pod away counts against the budget at all: it does while the pod is healthy,
// and for one that is not ready where the budget says so.
bool CountsAgainst(const v1::PodDisruptionBudget& budget, const BudgetState& state,
                   const v1::Pod& pod);

// All budgets, and what is left of them as pods are taken in thought.
class BudgetBook {
 public:
  explicit BudgetBook(const View& view);

  // By which budgets a pod may not be taken any more; the names, empty = it may.
  std::vector<std::string> Against(const v1::Pod& pod);
  void Spend(const v1::Pod& pod);
  // For a moment, in thought: each Take has its Return.
  void Take(const v1::Pod& pod);
  void Return(const v1::Pod& pod);
  bool empty() const { return budgets_.empty(); }
  // Grows with each Spend.
  int version() const { return version_; }

 private:
  struct Budget {
    EntryPtr entry;
    LabelMatcher matcher;
    bool has_selector = false;
    bool known = false;  // the state is computed
    BudgetState state;
  };
  // Budgets that the taking of the pod counts against.
  std::vector<Budget*> Of(const v1::Pod& pod);

  const View& view_;
  std::map<std::string, std::vector<Budget>> budgets_;  // by namespace
  int version_ = 0;
};

}  // namespace cluster::controller
