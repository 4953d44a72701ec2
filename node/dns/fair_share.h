// How much of the name server's one thread each caller may take: a quarter of it over time, and a
// quarter of a second at once. Who takes more is not heard for a while, so that others are.
#pragma once

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/ipv4.h"

namespace cluster::node {

// Not thread-safe. `clock` outlives it.
class FairShare {
 public:
  explicit FairShare(const Clock* clock) : clock_(clock) {}

  const Clock* clock() const { return clock_; }
  bool MayTake(Ipv4 caller);
  void Took(Ipv4 caller, absl::Duration time);

 private:
  struct Account {
    absl::Duration left;
    absl::Duration at;  // when that was so
  };
  // As it is now.
  Account& Of(Ipv4 caller);

  const Clock* const clock_;
  absl::flat_hash_map<uint32_t, Account> accounts_;
};

}  // namespace cluster::node
