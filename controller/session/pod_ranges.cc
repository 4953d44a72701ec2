#include "controller/session/pod_ranges.h"

#include <arpa/inet.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::controller {

std::string Range::ToString() const {
  return absl::StrCat(address >> 24, ".", (address >> 16) & 255, ".", (address >> 8) & 255, ".",
                      address & 255, "/", bits);
}

absl::StatusOr<Range> ParseRange(const std::string& text) {
  const size_t slash = text.find('/');
  in_addr address{};
  Range range;
  if (slash == std::string::npos ||
      inet_pton(AF_INET, text.substr(0, slash).c_str(), &address) != 1 ||
      !absl::SimpleAtoi(text.substr(slash + 1), &range.bits) || range.bits < 0 || range.bits > 32) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is no IPv4 range: write one like 10.64.0.0/10"));
  }
  range.address = ntohl(address.s_addr);
  const uint32_t mask = range.bits == 0 ? 0 : UINT32_MAX << (32 - range.bits);
  if ((range.address & ~mask) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" has address bits beyond its prefix"));
  }
  return range;
}

absl::StatusOr<PodRanges> PodRanges::Make(const std::string& cluster, int node_bits) {
  ASSIGN_OR_RETURN(const Range range, ParseRange(cluster));
  if (node_bits < range.bits || node_bits > 30) {
    return absl::InvalidArgumentError(
        absl::StrCat("a node's range of /", node_bits, " does not fit into ", cluster,
                     ": choose a prefix from ", range.bits, " to 30"));
  }
  return PodRanges(range, node_bits);
}

void PodRanges::Take(const std::string& node, const Range& range) {
  by_node_[node] = range;
  by_address_[range.address] = range;
}

std::string PodRanges::Find(const std::string& node) const {
  const auto found = by_node_.find(node);
  return found == by_node_.end() ? "" : found->second.ToString();
}

absl::StatusOr<Range> PodRanges::FindFree() const {
  const uint64_t step = uint64_t{1} << (32 - node_bits_);
  uint64_t address = cluster_.address;
  while (address + step - 1 <= cluster_.last()) {
    const Range candidate{static_cast<uint32_t>(address), node_bits_};
    // Ranges in use do not overlap each other, so only the nearest ones matter.
    auto next = by_address_.lower_bound(candidate.address);
    const Range* hit = nullptr;
    if (next != by_address_.end() && next->second.Overlaps(candidate)) hit = &next->second;
    if (hit == nullptr && next != by_address_.begin()) {
      const Range& before = std::prev(next)->second;
      if (before.Overlaps(candidate)) hit = &before;
    }
    if (hit == nullptr) return candidate;
    address = (uint64_t{hit->last()} + step) / step * step;  // the next multiple behind it
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("no range of /", node_bits_, " is left in ", cluster_.ToString(),
                   " for another node: start the controller with a larger --cluster-cidr"));
}

}  // namespace cluster::controller
