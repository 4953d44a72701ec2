#include "node/stats/link_counters.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <utility>

#include "base/status.h"

namespace cluster::node {

std::pair<int, LinkCounters> ParseLinkCounters(const netlink::Reply& reply) {
  const auto header = reply.As<if_stats_msg>();
  LinkCounters counters;
  const size_t size = std::min(sizeof header, reply.payload.size());
  netlink::ForEachAttribute(
      absl::string_view(reply.payload).substr(size), [&](uint16_t type, absl::string_view value) {
        if (type != IFLA_STATS_LINK_64) return;
        const auto stats = netlink::NumberOf<rtnl_link_stats64>(value);
        counters.received_bytes = static_cast<int64_t>(stats.rx_bytes);
        counters.sent_bytes = static_cast<int64_t>(stats.tx_bytes);
        counters.received_packets = static_cast<int64_t>(stats.rx_packets);
        counters.sent_packets = static_cast<int64_t>(stats.tx_packets);
        counters.dropped_packets = static_cast<int64_t>(stats.rx_dropped + stats.tx_dropped);
      });
  return {static_cast<int>(header.ifindex), counters};
}

absl::StatusOr<std::map<int, LinkCounters>> ReadLinkCounters(netlink::Socket& socket) {
  if_stats_msg header{};
  header.family = AF_UNSPEC;
  header.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
  netlink::Message message("read counters of links", RTM_GETSTATS, NLM_F_DUMP);
  message.Fixed(header);
  ASSIGN_OR_RETURN(const std::vector<netlink::Reply> replies, socket.Dump(message));
  std::map<int, LinkCounters> counters;
  for (const netlink::Reply& reply : replies) {
    if (reply.type == RTM_NEWSTATS) counters.insert(ParseLinkCounters(reply));
  }
  return counters;
}

}  // namespace cluster::node
