#include "node/network/address_pool.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cluster::node {

AddressPool::AddressPool(const Cidr& range, absl::Duration hold_down)
    : range_(range.Network()), hold_down_(hold_down) {}

bool AddressPool::Usable(Ipv4 address) const {
  return range_.Contains(address) && address > gateway() && address < range_.Last();
}

uint32_t AddressPool::Size() const { return range_.Last().value - gateway().value - 1; }

Ipv4 AddressPool::Ahead(uint32_t steps) const {
  return Ipv4{gateway().value + 1 + (cursor_ + steps) % Size()};
}

void AddressPool::StartAt(Ipv4 cursor) {
  if (Usable(cursor)) cursor_ = cursor.value - gateway().value - 1;
}

absl::StatusOr<Ipv4> AddressPool::Take(absl::Duration now) {
  absl::Duration wait = absl::InfiniteDuration();
  for (uint32_t step = 0; step < Size(); ++step) {
    const Ipv4 address = Ahead(step);
    if (taken_.count(address) > 0) continue;
    const auto resting = resting_.find(address);
    if (resting != resting_.end() && now - resting->second < hold_down_) {
      wait = std::min(wait, hold_down_ - (now - resting->second));
      continue;
    }
    if (resting != resting_.end()) resting_.erase(resting);
    taken_.insert(address);
    cursor_ = (cursor_ + step + 1) % Size();
    return address;
  }
  if (resting_.empty()) {
    return absl::ResourceExhaustedError(absl::StrCat("no free address in ", ToString(range_),
                                                     ": all ", taken_.size(), " are in use"));
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("no free address in ", ToString(range_), ": ", taken_.size(), " are in use, ",
                   resting_.size(), " rest after their last pod, the next for another ",
                   absl::FormatDuration(absl::Ceil(wait, absl::Seconds(1)))));
}

bool AddressPool::TakeExactly(Ipv4 address) {
  if (!Usable(address) || !taken_.insert(address).second) return false;
  resting_.erase(address);
  return true;
}

void AddressPool::GiveBack(Ipv4 address, absl::Duration now) {
  if (taken_.erase(address) > 0) resting_[address] = now;
}

}  // namespace cluster::node
