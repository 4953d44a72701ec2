// What to do with what is found when the agent starts. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/v1/node_state.pb.h"
#include "node/runtime/runtime.h"

namespace cluster::node {

struct RecoveryPlan {
  // Uids whose sandbox lives and is wanted: looked at again, nothing restarted.
  std::vector<std::string> adopt;
  // Uids that have a record but no living sandbox: their instances ended unseen; the pod goes on
  // from its record.
  std::vector<std::string> lost;
  // Uids that the runtime knows and nobody wants: to be removed.
  std::vector<std::string> remove;
};

RecoveryPlan PlanRecovery(const std::map<std::string, v1::PodRecord>& records,
                          const std::vector<RecoveredPod>& found);

}  // namespace cluster::node
