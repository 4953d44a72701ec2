// The node's side of its lease: until when the controller surely still counts it as alive.
//
// Counted from when an acknowledged beat was sent, never from when its answer came, and a little
// short: the controller's clock may run 2 % faster. Times are CLOCK_BOOTTIME (Clock::Monotonic).
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

#include "absl/time/time.h"

namespace cluster::node {

class SessionLease {
 public:
  static constexpr double kShortened = 0.98;

  void Begin(absl::Duration ttl) {
    ttl_ = ttl;
    sent_.clear();
  }
  // For what is acknowledged from now on.
  void SetTtl(absl::Duration ttl) { ttl_ = ttl; }
  void Sent(int64_t sequence, absl::Duration now) { sent_[sequence] = now; }
  // An acknowledgement also covers every earlier beat.
  void Acknowledged(int64_t sequence) {
    const auto beat = sent_.find(sequence);
    if (beat == sent_.end()) return;
    end_ = std::max(end_, beat->second + ttl_ * kShortened);
    sent_.erase(sent_.begin(), std::next(beat));
  }
  absl::Duration end() const { return end_; }
  bool Holds(absl::Duration now) const { return now < end_; }

 private:
  absl::Duration ttl_;
  absl::Duration end_ = -absl::InfiniteDuration();
  std::map<int64_t, absl::Duration> sent_;
};

}  // namespace cluster::node
