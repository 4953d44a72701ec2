#include "node/network/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::node {
namespace {

constexpr uint16_t TypeOf(int message) {
  return static_cast<uint16_t>((NFNL_SUBSYS_CTNETLINK << 8) | message);
}

nfgenmsg Header() {
  nfgenmsg header{};
  header.nfgen_family = AF_INET;
  header.version = NFNETLINK_V0;
  return header;
}

uint8_t NumberOfProtocol(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return IPPROTO_TCP;
    case Protocol::kUdp:
      return IPPROTO_UDP;
    case Protocol::kSctp:
      return IPPROTO_SCTP;
  }
  return 0;
}

struct Tuple {
  Ipv4 source;
  uint16_t source_port = 0;
  Ipv4 destination;
  uint16_t port = 0;
  uint8_t protocol = 0;
};

Tuple ParseTuple(absl::string_view bytes) {
  Tuple tuple;
  const auto address = [&tuple](uint16_t type, absl::string_view value) {
    const Ipv4 ip{ntohl(netlink::NumberOf<uint32_t>(value))};
    if (type == CTA_IP_V4_SRC) tuple.source = ip;
    if (type == CTA_IP_V4_DST) tuple.destination = ip;
  };
  const auto transport = [&tuple](uint16_t type, absl::string_view value) {
    if (type == CTA_PROTO_NUM) tuple.protocol = netlink::NumberOf<uint8_t>(value);
    const uint16_t port = ntohs(netlink::NumberOf<uint16_t>(value));
    if (type == CTA_PROTO_SRC_PORT) tuple.source_port = port;
    if (type == CTA_PROTO_DST_PORT) tuple.port = port;
  };
  netlink::ForEachAttribute(bytes, [&](uint16_t type, absl::string_view value) {
    if (type == CTA_TUPLE_IP) netlink::ForEachAttribute(value, address);
    if (type == CTA_TUPLE_PROTO) netlink::ForEachAttribute(value, transport);
  });
  return tuple;
}

}  // namespace

netlink::Message ListFlows() {
  netlink::Message message("list tracked flows", TypeOf(IPCTNL_MSG_CT_GET), NLM_F_DUMP);
  message.Fixed(Header());
  return message;
}

std::optional<Flow> ParseFlow(const netlink::Reply& reply) {
  if (reply.type != TypeOf(IPCTNL_MSG_CT_NEW) || reply.payload.size() < sizeof(nfgenmsg)) {
    return std::nullopt;
  }
  Flow flow;
  Tuple answer;
  netlink::ForEachAttribute(absl::string_view(reply.payload).substr(sizeof(nfgenmsg)),
                            [&flow, &answer](uint16_t type, absl::string_view value) {
                              if (type == CTA_TUPLE_ORIG) flow.tuple = std::string(value);
                              if (type == CTA_TUPLE_REPLY) answer = ParseTuple(value);
                            });
  if (flow.tuple.empty()) return std::nullopt;
  const Tuple first = ParseTuple(flow.tuple);
  flow.protocol = first.protocol;
  flow.destination = first.destination;
  flow.port = first.port;
  flow.server = answer.source;
  flow.server_port = answer.source_port;
  return flow;
}

netlink::Message DeleteFlow(const Flow& flow) {
  netlink::Message message(
      absl::StrCat("forget flow to ", ToString(flow.destination), ":", flow.port),
      TypeOf(IPCTNL_MSG_CT_DELETE), 0);
  message.Fixed(Header()).Put(CTA_TUPLE_ORIG | NLA_F_NESTED, flow.tuple);
  // It ended by itself meanwhile.
  return message.Allow(ENOENT);
}

bool Concerns(const Flow& flow, const PublishedPort& port) {
  return flow.protocol == NumberOfProtocol(port.protocol) && flow.port == port.host_port &&
         (port.host_ip == Ipv4{} || port.host_ip == flow.destination);
}

bool IsStale(const Flow& flow, const UdpRoutes& routes) {
  if (flow.protocol != IPPROTO_UDP) return false;
  const auto found = routes.servers.find({flow.destination, flow.port});
  if (found != routes.servers.end()) {
    return found->second.count({flow.server, flow.server_port}) == 0;
  }
  return routes.whole.has_value() && routes.whole->Contains(flow.destination);
}

absl::StatusOr<std::unique_ptr<Conntrack>> Conntrack::Open() {
  ASSIGN_OR_RETURN(netlink::Socket socket, netlink::Socket::Open(NETLINK_NETFILTER));
  return std::unique_ptr<Conntrack>(new Conntrack(std::move(socket)));
}

absl::Status Conntrack::Forget(const std::vector<PublishedPort>& ports) {
  std::vector<PublishedPort> lasting;
  std::copy_if(ports.begin(), ports.end(), std::back_inserter(lasting),
               [](const PublishedPort& port) { return port.protocol != Protocol::kTcp; });
  if (lasting.empty()) return absl::OkStatus();
  return ForgetWhere([&lasting](const Flow& flow) {
    return std::any_of(lasting.begin(), lasting.end(),
                       [&flow](const PublishedPort& port) { return Concerns(flow, port); });
  });
}

absl::Status Conntrack::ForgetStale(const UdpRoutes& routes) {
  if (routes.servers.empty() && !routes.whole.has_value()) return absl::OkStatus();
  return ForgetWhere([&routes](const Flow& flow) { return IsStale(flow, routes); });
}

absl::Status Conntrack::ForgetWhere(const std::function<bool(const Flow&)>& condition) {
  MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const auto replies, socket_.Dump(ListFlows()));
  std::vector<netlink::Message> deletions;
  for (const netlink::Reply& reply : replies) {
    const std::optional<Flow> flow = ParseFlow(reply);
    if (flow.has_value() && condition(*flow)) deletions.push_back(DeleteFlow(*flow));
  }
  return socket_.Execute(deletions);
}

}  // namespace cluster::node
