#include "node/runtime/id_ranges.h"

#include "absl/strings/str_cat.h"

namespace cluster::node {

// Held ranges need not be aligned with ours: they may come from another configuration.
bool IdRanges::IsFree(uint32_t first_id) const {
  const auto above = held_.lower_bound(first_id);
  if (above != held_.end() && *above - first_id < kIdsOfPod) return false;
  return above == held_.begin() || first_id - *std::prev(above) >= kIdsOfPod;
}

absl::StatusOr<uint32_t> IdRanges::Take() {
  for (uint32_t tried = 0; tried < count_; ++tried) {
    const uint32_t number = next_;
    next_ = (next_ + 1) % count_;
    const uint32_t first_id = first_id_ + number * kIdsOfPod;
    if (!IsFree(first_id)) continue;
    held_.insert(first_id);
    return first_id;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("all ", count_, " ranges of user ids from ", first_id_, " on are held by pods"));
}

}  // namespace cluster::node
