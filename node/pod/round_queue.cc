#include "node/pod/round_queue.h"

#include <algorithm>
#include <utility>

namespace cluster::node {

RoundQueue::RoundQueue(int threads, absl::Duration stuck_after)
    : most_leaving_(std::max(1, threads / 2)), stuck_after_(stuck_after) {}

void RoundQueue::Push(std::string uid, bool leaving) {
  (leaving ? leaving_ : coming_).push_back(std::move(uid));
}

void RoundQueue::PushFirst(std::string uid, bool leaving) {
  (leaving ? leaving_ : coming_).push_front(std::move(uid));
}

std::optional<bool> RoundQueue::NextIsLeaving(absl::Duration now) const {
  const auto leave = std::count_if(running_.begin(), running_.end(), [&](const auto& round) {
    return round.second.leaving && !IsStuck(round.second, now);
  });
  // A single thread takes turns.
  if (!leaving_.empty() && (coming_.empty() ? leave < most_leaving_ : leave == 0 && !last_left_)) {
    return true;
  }
  if (!coming_.empty()) return false;
  return std::nullopt;
}

std::optional<std::string> RoundQueue::Take(absl::Duration now) {
  const std::optional<bool> leaving = NextIsLeaving(now);
  if (!leaving.has_value()) return std::nullopt;
  std::deque<std::string>& from = *leaving ? leaving_ : coming_;
  std::string uid = std::move(from.front());
  from.pop_front();
  last_left_ = *leaving;
  running_[uid] = {now, *leaving};
  return uid;
}

int RoundQueue::Stuck(absl::Duration now) const {
  return static_cast<int>(std::count_if(running_.begin(), running_.end(), [&](const auto& round) {
    return IsStuck(round.second, now);
  }));
}

}  // namespace cluster::node
