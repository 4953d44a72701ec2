// When to dial again after a session ended: full jitter, so that many nodes do not come back at
// once.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/random/bit_gen_ref.h"
#include "absl/random/distributions.h"
#include "absl/time/time.h"

namespace cluster::node {

class Reconnect {
 public:
  static constexpr absl::Duration kBase = absl::Milliseconds(100);

  // The longest wait grows with the cluster, as learned from Welcome: 10,000 nodes = 25 s.
  void SetClusterSize(int32_t nodes) {
    cap_ = std::max(absl::Seconds(5), absl::Seconds(nodes) / 400);
  }
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
  absl::Duration cap_ = absl::Seconds(5);
  int failures_ = 0;
};

}  // namespace cluster::node
