// The free addresses of a range. Pure: time comes in as an argument.
#pragma once

#include <cstddef>
#include <map>
#include <set>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/ipv4.h"

namespace cluster::node {

// The first address of a range: the bridge's.
inline Ipv4 GatewayOf(const Cidr& range) { return Ipv4{range.First().value + 1}; }

// Addresses go out in a ring, so that one that was given back comes up again as late as possible,
// also when only the cursor is known (after a restart). Not thread-safe.
class AddressPool {
 public:
  AddressPool() = default;
  // Network address, gateway (the first) and broadcast address are never given out.
  AddressPool(const Cidr& range, absl::Duration hold_down);

  // The next address that is free, and for hold_down at least if we saw it given back.
  // ResourceExhausted with a sentence that counts. Linear in the size of the range when it is full.
  absl::StatusOr<Ipv4> Take(absl::Duration now);
  // Takes this very one (found in the journal); false when it is not in the range or taken.
  bool TakeExactly(Ipv4 address);
  // Gives it back; it rests from `now` on.
  void GiveBack(Ipv4 address, absl::Duration now);

  // Where Take looks first; one outside the range is ignored.
  void StartAt(Ipv4 cursor);
  // The address that is `steps` behind the last one taken, in the ring.
  Ipv4 Ahead(uint32_t steps) const;

  size_t taken() const { return taken_.size(); }
  Ipv4 gateway() const { return GatewayOf(range_); }

 private:
  bool Usable(Ipv4 address) const;
  uint32_t Size() const;  // usable addresses

  Cidr range_;
  absl::Duration hold_down_;
  uint32_t cursor_ = 0;                     // 0 = the address after the gateway
  std::map<Ipv4, absl::Duration> resting_;  // since when
  std::set<Ipv4> taken_;
};

}  // namespace cluster::node
