#include "controller/services/ranges.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace cluster::controller {
namespace {

constexpr int kShortestPrefix = 12;
constexpr int kLongestPrefix = 28;
constexpr uint32_t kKeptBackPart = 16;
constexpr uint32_t kMostKeptBack = 256;

absl::StatusOr<Cidr> ParseAddresses(const std::string& text) {
  const auto range = ParseCidr(text);
  if (!range.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--service-cidr ", text, " is no IPv4 range: write one like ", kDefaultServiceCidr));
  }
  if (range->Network() != *range) {
    return absl::InvalidArgumentError(absl::StrCat("--service-cidr ", text,
                                                   " has address bits beyond its prefix: write ",
                                                   ToString(range->Network())));
  }
  if (range->prefix < kShortestPrefix || range->prefix > kLongestPrefix) {
    return absl::InvalidArgumentError(absl::StrCat("--service-cidr ", text,
                                                   " has no fitting size: choose a prefix from /",
                                                   kShortestPrefix, " to /", kLongestPrefix));
  }
  return *range;
}

absl::Status ParsePorts(const std::string& text, ServiceRanges* ranges) {
  const std::pair<std::string, std::string> ends = absl::StrSplit(text, absl::MaxSplits('-', 1));
  if (absl::SimpleAtoi(ends.first, &ranges->first_port) &&
      absl::SimpleAtoi(ends.second, &ranges->last_port) && ranges->first_port >= 1 &&
      ranges->first_port <= ranges->last_port && ranges->last_port <= 65535) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--node-ports ", text, " is no range of ports: write one like ", kDefaultNodePorts));
}

// FNV-1a: the same in every process, unlike absl::Hash.
uint64_t HashOf(absl::string_view text) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash ^ (hash >> 32);
}

}  // namespace

absl::StatusOr<ServiceRanges> ParseServiceRanges(const std::string& service_cidr,
                                                 const std::string& node_ports,
                                                 const std::string& cluster_cidr) {
  ServiceRanges ranges;
  ASSIGN_OR_RETURN(ranges.addresses, ParseAddresses(service_cidr));
  RETURN_IF_ERROR(ParsePorts(node_ports, &ranges));
  ASSIGN_OR_RETURN(const Cidr pods, ParseCidr(cluster_cidr));
  if (ranges.addresses.Contains(pods.address) || pods.Contains(ranges.addresses.address)) {
    return absl::InvalidArgumentError(absl::StrCat("--service-cidr ", service_cidr,
                                                   " overlaps the range of pods, --cluster-cidr ",
                                                   cluster_cidr, ": choose another one"));
  }
  return ranges;
}

std::optional<uint32_t> ChooseFree(uint32_t count, absl::string_view seed,
                                   absl::FunctionRef<bool(uint32_t)> is_free) {
  const uint32_t kept_back = std::min(count / kKeptBackPart, kMostKeptBack);
  const uint32_t rest = count - kept_back;
  const auto start = static_cast<uint32_t>(rest == 0 ? 0 : HashOf(seed) % rest);
  for (uint32_t i = 0; i < rest; ++i) {
    const uint32_t each = kept_back + (start + i) % rest;
    if (is_free(each)) return each;
  }
  for (uint32_t each = 0; each < kept_back; ++each) {
    if (is_free(each)) return each;
  }
  return std::nullopt;
}

}  // namespace cluster::controller
