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

void ParseTuple(absl::string_view tuple, Flow& flow) {
  const auto address = [&flow](uint16_t type, absl::string_view value) {
    if (type == CTA_IP_V4_DST) flow.destination.value = ntohl(netlink::NumberOf<uint32_t>(value));
  };
  const auto transport = [&flow](uint16_t type, absl::string_view value) {
    if (type == CTA_PROTO_NUM) flow.protocol = netlink::NumberOf<uint8_t>(value);
    if (type == CTA_PROTO_DST_PORT) flow.port = ntohs(netlink::NumberOf<uint16_t>(value));
  };
  netlink::ForEachAttribute(tuple, [&](uint16_t type, absl::string_view value) {
    if (type == CTA_TUPLE_IP) netlink::ForEachAttribute(value, address);
    if (type == CTA_TUPLE_PROTO) netlink::ForEachAttribute(value, transport);
  });
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
  netlink::ForEachAttribute(absl::string_view(reply.payload).substr(sizeof(nfgenmsg)),
                            [&flow](uint16_t type, absl::string_view value) {
                              if (type == CTA_TUPLE_ORIG) flow.tuple = std::string(value);
                            });
  if (flow.tuple.empty()) return std::nullopt;
  ParseTuple(flow.tuple, flow);
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

absl::StatusOr<std::unique_ptr<Conntrack>> Conntrack::Open() {
  ASSIGN_OR_RETURN(netlink::Socket socket, netlink::Socket::Open(NETLINK_NETFILTER));
  return std::unique_ptr<Conntrack>(new Conntrack(std::move(socket)));
}

absl::Status Conntrack::Forget(const std::vector<PublishedPort>& ports) {
  std::vector<PublishedPort> lasting;
  std::copy_if(ports.begin(), ports.end(), std::back_inserter(lasting),
               [](const PublishedPort& port) { return port.protocol != Protocol::kTcp; });
  if (lasting.empty()) return absl::OkStatus();
  MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(const auto replies, socket_.Dump(ListFlows()));
  std::vector<netlink::Message> deletions;
  for (const netlink::Reply& reply : replies) {
    const std::optional<Flow> flow = ParseFlow(reply);
    if (!flow.has_value()) continue;
    const bool concerned =
        std::any_of(lasting.begin(), lasting.end(),
                    [&flow](const PublishedPort& port) { return Concerns(*flow, port); });
    if (concerned) deletions.push_back(DeleteFlow(*flow));
  }
  return socket_.Execute(deletions);
}

}  // namespace cluster::node
