// The pod range of each node. A range once given belongs to its node's name for ever.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace cluster::controller {

constexpr char kRangePrefix[] = "podcidrs/";

// An IPv4 range.
struct Range {
  uint32_t address = 0;  // host byte order, bits beyond the prefix are 0
  int bits = 0;

  uint32_t last() const {
    return bits == 0 ? UINT32_MAX
                     : address | static_cast<uint32_t>((uint64_t{1} << (32 - bits)) - 1);
  }
  bool Overlaps(const Range& other) const {
    return address <= other.last() && other.address <= last();
  }
  std::string ToString() const;  // "10.64.4.0/22"
};

// InvalidArgument for what is no range, or has address bits beyond its prefix.
absl::StatusOr<Range> ParseRange(const std::string& text);

// Not thread-safe.
class PodRanges {
 public:
  // InvalidArgument when no range of `node_bits` fits into `cluster`.
  static absl::StatusOr<PodRanges> Make(const std::string& cluster, int node_bits);

  // A range that was given out, perhaps under other settings.
  void Take(const std::string& node, const Range& range);
  // The node's, or "" when it has none.
  std::string Find(const std::string& node) const;
  // The lowest that overlaps no other. ResourceExhausted when there is none. Nothing is taken yet.
  absl::StatusOr<Range> FindFree() const;
  std::string cluster() const { return cluster_.ToString(); }

 private:
  PodRanges(Range cluster, int node_bits) : cluster_(cluster), node_bits_(node_bits) {}

  Range cluster_;
  int node_bits_;
  std::map<std::string, Range> by_node_;
  std::map<uint32_t, Range> by_address_;
};

}  // namespace cluster::controller
