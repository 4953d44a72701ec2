// What nodes and controller agree on about many nodes that come back at once.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace cluster {

// Sessions that a controller lets in per second.
inline constexpr int kSessionsPerSecond = 400;

// How long a node of a cluster of this size pauses at most before it dials again. A controller that
// starts adds it to the lease that it gives each node: 5 s, and 20 s from 10,000 nodes on.
inline absl::Duration LongestDialPause(int64_t nodes) {
  return std::clamp(absl::Seconds(nodes) / 500, absl::Seconds(5), absl::Seconds(20));
}

}  // namespace cluster
