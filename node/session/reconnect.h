// When to dial again after a session ended: full jitter, so that many nodes do not come back at
// once.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/random/bit_gen_ref.h"
#include "absl/random/distributions.h"
#include "absl/time/time.h"

#include "proto/schema/session_terms.h"

namespace cluster::node {

class Reconnect {
 public:
  static constexpr absl::Duration kBase = absl::Milliseconds(100);

  // The longest wait grows with the cluster, as learned from Welcome.
  void SetClusterSize(int32_t nodes) {
    queue_ = absl::Seconds(nodes) / kSessionsPerSecond;
    cap_ = LongestDialPause(nodes);
  }
  // Until the controller has let in every other node of the cluster.
  absl::Duration longest_queue() const { return queue_; }
  void Succeeded() { failures_ = 0; }

  // Uniform between nothing and the bound, which doubles with every failure in a row.
  absl::Duration Next(absl::BitGenRef random) {
    const absl::Duration bound = Bound();
    if (failures_ < 30) ++failures_;
    return absl::Nanoseconds(
        absl::Uniform<int64_t>(random, 0, absl::ToInt64Nanoseconds(bound) + 1));
  }
  absl::Duration Bound() const { return std::min(cap_, kBase * (int64_t{1} << failures_)); }

 private:
  absl::Duration cap_ = LongestDialPause(0);
  absl::Duration queue_;
  int failures_ = 0;
};

}  // namespace cluster::node
