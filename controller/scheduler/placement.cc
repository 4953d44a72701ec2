#include "controller/scheduler/placement.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "controller/scheduler/taints.h"

namespace cluster::controller {
namespace {

constexpr int64_t kFull = 1000;

// In 128 bits: bytes times a thousand leaves 64.
int64_t Thousandths(int64_t taken, int64_t total) {
  if (total <= 0) return kFull;
  return static_cast<int64_t>(static_cast<__int128>(taken) * kFull / total);
}

}  // namespace

Score ScoreOf(const PodNeeds& pod, const NodeUsage& usage, size_t index) {
  Score score;
  score.unwelcome = UnwelcomeTaints(*pod.spec, usage.node());
  if (pod.owner != 0) {
    const auto same = usage.pods_of_owner.find(pod.owner);
    if (same != usage.pods_of_owner.end()) score.spread = same->second;
  }
  const PodRequest& request = pod.request;
  score.allocated =
      Thousandths(usage.cpu_milli + request.cpu_milli, usage.allocatable_cpu_milli) +
      Thousandths(usage.memory_bytes + request.memory_bytes, usage.allocatable_memory_bytes) +
      Thousandths(usage.pods + 1, usage.allocatable_pods);
  score.node = index;
  return score;
}

Placement::Placement(PodNeeds needs, const std::vector<NodeUsage>& nodes)
    : needs_(std::move(needs)) {
  std::vector<Candidate> fitting;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (Fits(needs_, nodes[i])) fitting.push_back({ScoreOf(needs_, nodes[i], i), nodes[i].version});
  }
  candidates_ = decltype(candidates_)(std::greater<>(), std::move(fitting));
}

int Placement::Best(const std::vector<NodeUsage>& nodes) {
  while (!candidates_.empty()) {
    const Candidate best = candidates_.top();
    const NodeUsage& node = nodes[best.score.node];
    if (best.version == node.version) return static_cast<int>(best.score.node);
    candidates_.pop();
    if (Fits(needs_, node)) {
      candidates_.push({ScoreOf(needs_, node, best.score.node), node.version});
    }
  }
  return -1;
}

}  // namespace cluster::controller
