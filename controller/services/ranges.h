// Where services' addresses and ports of nodes come from, and in which order they are tried. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/ipv4.h"

namespace cluster::controller {

constexpr char kDefaultServiceCidr[] = "10.60.0.0/16";
constexpr char kDefaultNodePorts[] = "30000-32767";

struct ServiceRanges {
  // The first and the last address belong to nobody.
  Cidr addresses{Ipv4{10u << 24 | 60u << 16}, 16};
  int first_port = 30000;
  int last_port = 32767;
};

// From --service-cidr, --node-ports ("FROM-TO") and the range of pods, which the first may not
// overlap. InvalidArgument, one sentence.
absl::StatusOr<ServiceRanges> ParseServiceRanges(const std::string& service_cidr,
                                                 const std::string& node_ports,
                                                 const std::string& cluster_cidr);

// One of 0 to count - 1 that is free, or nullopt. Begins somewhere that the seed says, so that what
// was just given back is hardly ever the next to be given out. The first ones, a sixteenth of all
// and at most 256, are tried last: they are for those who say which one they want.
std::optional<uint32_t> ChooseFree(uint32_t count, absl::string_view seed,
                                   absl::FunctionRef<bool(uint32_t)> is_free);

}  // namespace cluster::controller
