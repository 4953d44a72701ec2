// The node's pressure conditions over time: set at once, taken back only when the shortage has
// stayed away for a while, so that a node at the edge does not take on a pod and throw it out again
// and again. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "cluster/v1/meta.pb.h"
#include "node/eviction/thresholds.h"

namespace cluster::node {

class PressureConditions {
 public:
  explicit PressureConditions(absl::Duration hold) : hold_(hold) {}

  // What was seen at this moment of the monotonic clock. True when a condition changed.
  bool Observe(const std::vector<Breach>& breaches, absl::Duration now, absl::Time wall);

  // MemoryPressure, DiskPressure and PIDPressure, each True or False.
  const std::vector<v1::Condition>& conditions() const { return conditions_; }
  // When one of them may be taken back (monotonic); infinite: none is set.
  absl::Duration NextChange() const;

 private:
  const absl::Duration hold_;
  std::map<std::string, absl::Duration> last_breach_;  // by condition, while it is True
  std::vector<v1::Condition> conditions_;
};

}  // namespace cluster::node
