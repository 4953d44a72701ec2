#include "controller/reconcile/loss_brake.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace cluster::controller {
namespace {

constexpr size_t kSmallestBraked = 10;
constexpr double kBurst = 5;
constexpr absl::Duration kOpenInterval = absl::Seconds(10);
constexpr absl::Duration kDegradedInterval = absl::Seconds(30);
constexpr absl::Duration kLossWindow = absl::Seconds(60);

absl::Duration IntervalOf(BrakeState state) {
  return state == BrakeState::kOpen ? kOpenInterval : kDegradedInterval;
}

BrakeState StateOf(size_t cluster_size, const std::vector<LostNode>& lost, absl::Duration now,
                   bool isolated_override) {
  if (!isolated_override && lost.size() * 100 >= cluster_size * 55) return BrakeState::kIsolated;
  const auto recent =
      static_cast<size_t>(std::count_if(lost.begin(), lost.end(), [now](const LostNode& node) {
        return now - node.since <= kLossWindow;
      }));
  const size_t many = std::max<size_t>(3, (cluster_size + 4) / 5);
  return recent >= many ? BrakeState::kDegraded : BrakeState::kOpen;
}

}  // namespace

void LossBrake::Refill(BrakeState state, absl::Duration now) {
  const double gained = absl::FDivDuration(now - refilled_, IntervalOf(state));
  tokens_ = std::min(kBurst, tokens_ + std::max(0.0, gained));
  refilled_ = now;
}

LossBrake::Decision LossBrake::Decide(size_t cluster_size, std::vector<LostNode> lost,
                                      absl::Duration now) {
  std::sort(lost.begin(), lost.end(), [](const LostNode& a, const LostNode& b) {
    return std::tie(a.since, a.name) < std::tie(b.since, b.name);
  });
  std::map<std::string, absl::Duration> granted;
  Decision decision;
  if (cluster_size >= kSmallestBraked) {
    decision.state = StateOf(cluster_size, lost, now, isolated_override_);
  }
  Refill(decision.state, now);
  // What was saved up before the trouble is not spent in it.
  if (decision.state == BrakeState::kDegraded) tokens_ = std::min(tokens_, 1.0);
  for (const LostNode& node : lost) {
    const auto before = granted_.find(node.name);
    const bool again = before != granted_.end() && before->second == node.since;
    if (!again && cluster_size >= kSmallestBraked) {
      if (decision.state == BrakeState::kIsolated) continue;
      if (tokens_ < 1) {
        decision.next = now + (1 - tokens_) * IntervalOf(decision.state);
        continue;
      }
      tokens_ -= 1;
    }
    granted[node.name] = node.since;
  }
  granted_ = std::move(granted);
  for (const auto& [name, since] : granted_) decision.replace.push_back(name);
  // In isolation also those that were let through earlier stop: nothing is replaced.
  if (decision.state == BrakeState::kIsolated) decision.replace.clear();
  return decision;
}

}  // namespace cluster::controller
