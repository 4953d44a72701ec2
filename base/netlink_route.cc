#include "base/netlink_route.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <cstring>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::netlink {
namespace {

constexpr uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;
constexpr uint16_t kReplace = NLM_F_CREATE | NLM_F_REPLACE;

std::string NameOf(const LinkRef& link) {
  return link.name.empty() ? absl::StrCat("number ", link.index) : link.name;
}

absl::string_view BytesOf(const Mac& mac) {
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

ifinfomsg LinkHeader(int index, std::optional<bool> up) {
  ifinfomsg header{};
  header.ifi_index = index;
  if (up.has_value()) {
    header.ifi_change = IFF_UP;
    header.ifi_flags = *up ? IFF_UP : 0;
  }
  return header;
}

void PutLinkRef(Message& message, const LinkRef& link) {
  if (link.index == 0) message.PutString(IFLA_IFNAME, link.name);
}

void PutAddress(Message& message, uint16_t attribute, Ipv4 address) {
  message.PutU32(attribute, htonl(address.value));
}

Ipv4 AddressOf(absl::string_view value) { return Ipv4{ntohl(NumberOf<uint32_t>(value))}; }

Message RouteMessage(std::string what, uint16_t type, uint16_t flags, const Route& route) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = static_cast<unsigned char>(route.destination.prefix);
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = route.protocol;
  const bool removal = type == RTM_DELROUTE;
  header.rtm_scope = removal                     ? RT_SCOPE_NOWHERE
                     : route.gateway.has_value() ? RT_SCOPE_UNIVERSE
                                                 : RT_SCOPE_LINK;
  header.rtm_type = removal ? RTN_UNSPEC : RTN_UNICAST;
  Message message(std::move(what), type, flags);
  message.Fixed(header);
  if (route.destination.prefix > 0) PutAddress(message, RTA_DST, route.destination.First());
  if (route.gateway.has_value()) PutAddress(message, RTA_GATEWAY, *route.gateway);
  if (route.link != 0) message.PutU32(RTA_OIF, static_cast<uint32_t>(route.link));
  return message;
}

std::string Describe(absl::string_view verb, const Route& route) {
  std::string what = absl::StrCat(verb, " route to ", ToString(route.destination));
  if (route.gateway.has_value()) absl::StrAppend(&what, " via ", ToString(*route.gateway));
  return what;
}

Message AddressMessage(absl::string_view verb, uint16_t type, uint16_t flags,
                       const Address& address) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = static_cast<unsigned char>(address.cidr.prefix);
  header.ifa_index = static_cast<uint32_t>(address.link);
  Message message(
      absl::StrCat(verb, " address ", ToString(address.cidr), " of link number ", address.link),
      type, flags);
  message.Fixed(header);
  PutAddress(message, IFA_LOCAL, address.cidr.address);
  PutAddress(message, IFA_ADDRESS, address.cidr.address);
  return message;
}

void ParseLinkKind(absl::string_view value, Link& link) {
  ForEachAttribute(value, [&link](uint16_t type, absl::string_view kind) {
    if (type == IFLA_INFO_KIND) link.kind = std::string(kind.substr(0, kind.find('\0')));
  });
}

// Left alone, the kernel makes a queue per possible cpu and then takes all but one out of use, for
// which it waits, under RTNL, for grace periods of RCU.
void PutOneQueue(Message& message) {
  message.PutU32(IFLA_NUM_TX_QUEUES, 1).PutU32(IFLA_NUM_RX_QUEUES, 1);
}

}  // namespace

Message CreateBridge(const std::string& name, const Mac& mac) {
  Message message(absl::StrCat("create bridge ", name), RTM_NEWLINK, kCreate);
  message.Fixed(LinkHeader(0, true)).PutString(IFLA_IFNAME, name).Put(IFLA_ADDRESS, BytesOf(mac));
  message.Begin(IFLA_LINKINFO).PutString(IFLA_INFO_KIND, "bridge").Begin(IFLA_INFO_DATA);
  message.PutU32(IFLA_BR_FORWARD_DELAY, 0).PutU32(IFLA_BR_STP_STATE, 0);
  message.PutU8(IFLA_BR_MCAST_SNOOPING, 0).End().End();
  return message;
}

Message CreateVeth(const Veth& veth) {
  Message message(absl::StrCat("create veth ", veth.name), RTM_NEWLINK, kCreate);
  message.Fixed(LinkHeader(0, veth.up)).PutString(IFLA_IFNAME, veth.name);
  if (veth.mac.has_value()) message.Put(IFLA_ADDRESS, BytesOf(*veth.mac));
  if (veth.mtu != 0) message.PutU32(IFLA_MTU, veth.mtu);
  if (veth.master != 0) message.PutU32(IFLA_MASTER, static_cast<uint32_t>(veth.master));
  PutOneQueue(message);
  message.Begin(IFLA_LINKINFO).PutString(IFLA_INFO_KIND, "veth").Begin(IFLA_INFO_DATA);
  message.Begin(VETH_INFO_PEER).Fixed(LinkHeader(0, std::nullopt));
  message.PutString(IFLA_IFNAME, veth.peer_name);
  PutOneQueue(message);
  if (veth.peer_mac.has_value()) message.Put(IFLA_ADDRESS, BytesOf(*veth.peer_mac));
  if (veth.mtu != 0) message.PutU32(IFLA_MTU, veth.mtu);
  if (veth.peer_netns_fd >= 0) {
    message.PutU32(IFLA_NET_NS_FD, static_cast<uint32_t>(veth.peer_netns_fd));
  }
  message.End().End().End();
  return message;
}

Message DeleteLink(const LinkRef& link) {
  Message message(absl::StrCat("delete link ", NameOf(link)), RTM_DELLINK, 0);
  message.Fixed(LinkHeader(link.index, std::nullopt));
  PutLinkRef(message, link);
  return message;
}

Message ChangeLink(const LinkRef& link, const LinkChange& change) {
  Message message(absl::StrCat("change link ", NameOf(link)), RTM_SETLINK, 0);
  message.Fixed(LinkHeader(link.index, change.up));
  PutLinkRef(message, link);
  if (change.name.has_value()) message.PutString(IFLA_IFNAME, *change.name);
  if (change.master.has_value()) {
    message.PutU32(IFLA_MASTER, static_cast<uint32_t>(*change.master));
  }
  if (change.mtu.has_value()) message.PutU32(IFLA_MTU, *change.mtu);
  if (change.mac.has_value()) message.Put(IFLA_ADDRESS, BytesOf(*change.mac));
  if (change.netns_fd.has_value()) {
    message.PutU32(IFLA_NET_NS_FD, static_cast<uint32_t>(*change.netns_fd));
  }
  return message;
}

Message SetHairpin(const LinkRef& port, bool on, bool up) {
  Message message(absl::StrCat("set hairpin of bridge port ", NameOf(port)), RTM_NEWLINK, 0);
  message.Fixed(LinkHeader(port.index, up ? std::optional(true) : std::nullopt));
  PutLinkRef(message, port);
  message.Begin(IFLA_LINKINFO).PutString(IFLA_INFO_SLAVE_KIND, "bridge");
  message.Begin(IFLA_INFO_SLAVE_DATA).PutU8(IFLA_BRPORT_MODE, on ? 1 : 0).End().End();
  return message;
}

Message WithoutIpv6Address(const LinkRef& link) {
  Message message(absl::StrCat("keep IPv6 off link ", NameOf(link)), RTM_SETLINK, 0);
  message.Fixed(LinkHeader(link.index, std::nullopt));
  PutLinkRef(message, link);
  message.Begin(IFLA_AF_SPEC).Begin(AF_INET6);
  message.PutU8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE).End().End();
  return std::move(message.Allow(EAFNOSUPPORT));
}

Link ParseLink(const Reply& reply) {
  const auto header = reply.As<ifinfomsg>();
  Link link;
  link.index = header.ifi_index;
  link.up = (header.ifi_flags & IFF_UP) != 0;
  link.running = (header.ifi_flags & IFF_RUNNING) != 0;
  if (reply.payload.size() < sizeof header) return link;
  ForEachAttribute(absl::string_view(reply.payload).substr(sizeof header),
                   [&link](uint16_t type, absl::string_view value) {
                     if (type == IFLA_IFNAME) {
                       link.name = std::string(value.substr(0, value.find('\0')));
                     } else if (type == IFLA_MASTER) {
                       link.master = NumberOf<int32_t>(value);
                     } else if (type == IFLA_LINK) {
                       link.peer = NumberOf<int32_t>(value);
                     } else if (type == IFLA_MTU) {
                       link.mtu = NumberOf<uint32_t>(value);
                     } else if (type == IFLA_ADDRESS) {
                       link.mac = NumberOf<Mac>(value);
                     } else if (type == IFLA_LINKINFO) {
                       ParseLinkKind(value, link);
                     }
                   });
  return link;
}

absl::StatusOr<std::vector<Link>> ListLinks(Socket& socket) {
  Message message("list links", RTM_GETLINK, NLM_F_DUMP);
  message.Fixed(LinkHeader(0, std::nullopt));
  ASSIGN_OR_RETURN(const std::vector<Reply> replies, socket.Dump(message));
  std::vector<Link> links;
  for (const Reply& reply : replies) {
    if (reply.type == RTM_NEWLINK) links.push_back(ParseLink(reply));
  }
  return links;
}

absl::StatusOr<Link> FindLink(Socket& socket, const LinkRef& link) {
  Message message(absl::StrCat("find link ", NameOf(link)), RTM_GETLINK, 0);
  message.Fixed(LinkHeader(link.index, std::nullopt));
  PutLinkRef(message, link);
  ASSIGN_OR_RETURN(const Reply reply, socket.Get(message));
  return ParseLink(reply);
}

Message AddAddress(const Address& address) {
  return AddressMessage("add", RTM_NEWADDR, kCreate, address);
}

Message DeleteAddress(const Address& address) {
  return AddressMessage("delete", RTM_DELADDR, 0, address);
}

absl::StatusOr<std::vector<Address>> ListAddresses(Socket& socket) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  Message message("list addresses", RTM_GETADDR, NLM_F_DUMP);
  message.Fixed(header);
  ASSIGN_OR_RETURN(const std::vector<Reply> replies, socket.Dump(message));
  std::vector<Address> addresses;
  for (const Reply& reply : replies) {
    if (reply.type != RTM_NEWADDR || reply.payload.size() < sizeof header) continue;
    const auto found = reply.As<ifaddrmsg>();
    Address address{static_cast<int>(found.ifa_index), Cidr{Ipv4{}, found.ifa_prefixlen}};
    ForEachAttribute(absl::string_view(reply.payload).substr(sizeof found),
                     [&address](uint16_t type, absl::string_view value) {
                       if (type == IFA_LOCAL) address.cidr.address = AddressOf(value);
                     });
    addresses.push_back(address);
  }
  return addresses;
}

Message AddRoute(const Route& route) {
  return RouteMessage(Describe("add", route), RTM_NEWROUTE, kCreate, route);
}

Message ReplaceRoute(const Route& route) {
  return RouteMessage(Describe("replace", route), RTM_NEWROUTE, kReplace, route);
}

Message DeleteRoute(const Route& route) {
  return RouteMessage(Describe("delete", route), RTM_DELROUTE, 0, route);
}

absl::StatusOr<std::vector<Route>> ListRoutes(Socket& socket, uint8_t protocol) {
  rtmsg wanted{};
  wanted.rtm_family = AF_INET;
  wanted.rtm_table = RT_TABLE_MAIN;
  wanted.rtm_protocol = protocol;
  Message message("list routes", RTM_GETROUTE, NLM_F_DUMP);
  message.Fixed(wanted);
  // The kernel says ENOENT when the table has never had a route.
  message.Allow(ENOENT);
  ASSIGN_OR_RETURN(const std::vector<Reply> replies, socket.Dump(message));
  std::vector<Route> routes;
  for (const Reply& reply : replies) {
    const auto header = reply.As<rtmsg>();
    if (reply.type != RTM_NEWROUTE || reply.payload.size() < sizeof header) continue;
    if (header.rtm_table != RT_TABLE_MAIN || header.rtm_type != RTN_UNICAST) continue;
    if (protocol != 0 && header.rtm_protocol != protocol) continue;
    Route route{Cidr{Ipv4{}, header.rtm_dst_len}, std::nullopt, 0, header.rtm_protocol};
    ForEachAttribute(absl::string_view(reply.payload).substr(sizeof header),
                     [&route](uint16_t type, absl::string_view value) {
                       if (type == RTA_DST) route.destination.address = AddressOf(value);
                       if (type == RTA_GATEWAY) route.gateway = AddressOf(value);
                       if (type == RTA_OIF) route.link = NumberOf<int32_t>(value);
                     });
    routes.push_back(route);
  }
  return routes;
}

Message ReplaceNeighbour(const Neighbour& neighbour) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = neighbour.link;
  header.ndm_state = neighbour.permanent ? NUD_PERMANENT : NUD_REACHABLE;
  Message message(absl::StrCat("set neighbour ", ToString(neighbour.address)), RTM_NEWNEIGH,
                  kReplace);
  message.Fixed(header);
  PutAddress(message, NDA_DST, neighbour.address);
  message.Put(NDA_LLADDR, BytesOf(neighbour.mac));
  return message;
}

Message DeleteNeighbour(int link, Ipv4 address) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = link;
  Message message(absl::StrCat("delete neighbour ", ToString(address)), RTM_DELNEIGH, 0);
  message.Fixed(header);
  PutAddress(message, NDA_DST, address);
  return message;
}

absl::StatusOr<std::vector<Neighbour>> ListNeighbours(Socket& socket) {
  ndmsg wanted{};
  wanted.ndm_family = AF_INET;
  Message message("list neighbours", RTM_GETNEIGH, NLM_F_DUMP);
  message.Fixed(wanted);
  ASSIGN_OR_RETURN(const std::vector<Reply> replies, socket.Dump(message));
  std::vector<Neighbour> neighbours;
  for (const Reply& reply : replies) {
    const auto header = reply.As<ndmsg>();
    if (reply.type != RTM_NEWNEIGH || reply.payload.size() < sizeof header) continue;
    Neighbour neighbour{header.ndm_ifindex, Ipv4{}, Mac{}, (header.ndm_state & NUD_PERMANENT) != 0};
    bool has_mac = false;
    ForEachAttribute(absl::string_view(reply.payload).substr(sizeof header),
                     [&](uint16_t type, absl::string_view value) {
                       if (type == NDA_DST) neighbour.address = AddressOf(value);
                       if (type == NDA_LLADDR) {
                         neighbour.mac = NumberOf<Mac>(value);
                         has_mac = true;
                       }
                     });
    if (has_mac) neighbours.push_back(neighbour);
  }
  return neighbours;
}

}  // namespace cluster::netlink
