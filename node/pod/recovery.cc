#include "node/pod/recovery.h"

#include <algorithm>

namespace cluster::node {

RecoveryPlan PlanRecovery(const std::map<std::string, v1::PodRecord>& records,
                          const std::vector<RecoveredPod>& found) {
  RecoveryPlan plan;
  std::map<std::string, bool> alive;
  for (const RecoveredPod& pod : found) {
    alive[pod.spec.uid] = pod.alive;
    const auto record = records.find(pod.spec.uid);
    if (record == records.end() || record->second.gone()) plan.remove.push_back(pod.spec.uid);
  }
  for (const auto& [uid, record] : records) {
    if (record.gone()) continue;
    const auto sandbox = alive.find(uid);
    if (sandbox != alive.end() && sandbox->second) {
      plan.adopt.push_back(uid);
    } else {
      plan.lost.push_back(uid);
    }
  }
  std::sort(plan.remove.begin(), plan.remove.end());
  return plan;
}

}  // namespace cluster::node
