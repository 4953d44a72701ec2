// How often nodes beat and how long a lease is, by the size of the cluster: what all beats together
// cost the controller stays bounded, and small clusters notice a loss soon.
#pragma once

#include <algorithm>
#include <cstddef>

#include "absl/time/time.h"

#include "controller/session/options.h"

namespace cluster::controller {

struct Pace {
  absl::Duration beat;
  absl::Duration ttl;  // the lease that a node is told

  friend bool operator==(const Pace& a, const Pace& b) {
    return a.beat == b.beat && a.ttl == b.ttl;
  }
};

inline Pace PaceOfFactor(const SessionOptions& options, int factor) {
  return {options.beat * factor, options.ttl() * factor};
}

// 1 for the first options.nodes_per_beat nodes, one more for each further so many, at most
// options.slowest_beats.
inline int PaceFactor(const SessionOptions& options, size_t nodes) {
  const size_t factor = (nodes + options.nodes_per_beat - 1) / options.nodes_per_beat;
  return static_cast<int>(std::clamp<size_t>(factor, 1, options.slowest_beats));
}

// The same for a cluster that has `before` now: it becomes quicker only once a tenth less would be
// enough too, so that a cluster at the edge does not go to and fro.
inline int NextPaceFactor(const SessionOptions& options, size_t nodes, int before) {
  const int factor = PaceFactor(options, nodes);
  return factor >= before ? factor : std::min(before, PaceFactor(options, nodes + nodes / 10));
}

}  // namespace cluster::controller
