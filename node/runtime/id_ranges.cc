#include "node/runtime/id_ranges.h"

#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cluster::node {

absl::StatusOr<IdRange> ParseIdRange(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  IdRange range;
  if (!absl::SimpleAtoi(parts.first, &range.first) ||
      !absl::SimpleAtoi(parts.second, &range.count)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "': write FIRST:COUNT, two numbers, as 1000000:6553600"));
  }
  if (range.first < kIdsOfPod) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "': ids below 65536 are the machine's own"));
  }
  // The last id of all, 4294967295, means "none" to the kernel.
  if (range.count < kIdsOfPod || range.count > UINT32_MAX - range.first) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "': the count is from 65536 to ",
                                                   UINT32_MAX - range.first,
                                                   " there; each pod takes 65536"));
  }
  return range;
}

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
