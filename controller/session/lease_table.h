// When each node counts as lost. Plain state over monotonic times; nothing of it is stored.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace cluster::controller {

// Not thread-safe.
class LeaseTable {
 public:
  // A sign of life that was received at `at`; `length`: from then until the loss. Never shortens
  // what was granted before.
  void Renew(const std::string& node, absl::Duration at, absl::Duration length);
  void Forget(const std::string& node);
  // Every lease lasts so much longer.
  void Prolong(absl::Duration by);
  // Nodes whose lease is over; each is told once per loss.
  std::vector<std::string> TakeExpired(absl::Duration now);
  // When TakeExpired has something next; infinite when no lease runs.
  absl::Duration next() const;

 private:
  absl::flat_hash_map<std::string, absl::Duration> ends_;
  std::set<std::pair<absl::Duration, std::string>> by_end_;
};

}  // namespace cluster::controller
