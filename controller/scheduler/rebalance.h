// Which pods would be better off elsewhere by now: after a node came back, lost a taint, or grew.
#pragma once

#include <string>
#include <vector>

#include "controller/scheduler/scheduler.h"

namespace cluster::controller {

struct RebalanceOptions {
  std::string name_space;  // "" = all
  int max_moves = 0;       // 0: all
};

struct Move {
  std::string pod_key;
  std::string uid;
  std::string from;
  std::string to;
  std::string reason;     // what is better there, as one clause
  std::string held_back;  // why it cannot be made now; "" = it can
};

// Pods that a controller makes again, one after another by key, each as if those before it had
// moved. A pod moves for what matters: a rule that its node breaks, taints, preferences, the spread
// of its workload, or much more room; never for a tie. Disruption budgets hold moves back, and so
// does a quarter of a workload that is on the move.
std::vector<Move> ComputeRebalance(const View& view, const SchedulerOptions& scheduling,
                                   const RebalanceOptions& options);

}  // namespace cluster::controller
