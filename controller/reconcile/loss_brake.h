// How many lost nodes may have their pods replaced: when very many are lost at once, it is more
// likely that the controller is the one cut off. Clusters of fewer than ten nodes have no brake.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace cluster::controller {

enum class BrakeState {
  kOpen,      // five nodes at once, then one every ten seconds
  kDegraded,  // 20 % (at least three) lost within 60 s: one node every thirty seconds
  kIsolated,  // 55 % lost: nothing is replaced
};

struct LostNode {
  std::string name;
  absl::Duration since;  // monotonic
};

// Plain state, owned by the loop; a copy behaves the same. Not thread-safe.
class LossBrake {
 public:
  struct Decision {
    BrakeState state = BrakeState::kOpen;
    std::vector<std::string> replace;  // names of lost nodes whose pods may be replaced, sorted
    // Monotonic time at which more may follow; infinite when only a change of nodes helps.
    absl::Duration next = absl::InfiniteDuration();
  };

  // `isolated_override`: the operator says that this controller is not the one cut off.
  explicit LossBrake(bool isolated_override = false) : isolated_override_(isolated_override) {}

  // A node that was let through stays so while it is lost; asking again costs nothing.
  Decision Decide(size_t cluster_size, std::vector<LostNode> lost, absl::Duration now);

 private:
  void Refill(BrakeState state, absl::Duration now);

  bool isolated_override_;
  double tokens_ = 5;
  absl::Duration refilled_;
  std::map<std::string, absl::Duration> granted_;  // node -> lost since
};

}  // namespace cluster::controller
