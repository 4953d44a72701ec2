// Bytes and packets of every link of the node, in two requests whatever their number. See
// rtnetlink(7), RTM_GETSTATS.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"

#include "base/netlink.h"

namespace cluster::node {

// As the link's own end counts.
struct LinkCounters {
  int64_t received_bytes = 0;
  int64_t sent_bytes = 0;
  int64_t received_packets = 0;
  int64_t sent_packets = 0;
  int64_t dropped_packets = 0;  // both ways
};

// By index.
absl::StatusOr<std::map<int, LinkCounters>> ReadLinkCounters(netlink::Socket& socket);

// Of a RTM_NEWSTATS message. Pure.
std::pair<int, LinkCounters> ParseLinkCounters(const netlink::Reply& reply);

}  // namespace cluster::node
