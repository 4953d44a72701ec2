// What NETLINK_ROUTE can do for us: links, addresses, routes and neighbours of one network
// namespace, that of the socket. Builders are pure; the functions that take a Socket talk to the
// kernel. See rtnetlink(7). Only IPv4.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/ipv4.h"
#include "base/netlink.h"

namespace cluster::netlink {

// A link by index, or by name where the index is 0.
struct LinkRef {
  int index = 0;
  std::string name;

  LinkRef(int link_index) : index(link_index) {}                  // NOLINT: implicit
  LinkRef(std::string link_name) : name(std::move(link_name)) {}  // NOLINT: implicit
  LinkRef(const char* link_name) : name(link_name) {}             // NOLINT: implicit
};

struct Link {
  int index = 0;
  std::string name;
  std::string kind;      // "bridge", "veth", ...; empty for hardware and lo
  int master = 0;        // index of its bridge, 0 = none
  int peer = 0;          // veth: index of the other end, in the other end's namespace
  bool up = false;       // IFF_UP
  bool running = false;  // IFF_RUNNING: has carrier
  uint32_t mtu = 0;
  Mac mac{};
};

// ---- Links ----

// A bridge, up, that keeps its MAC (a bridge otherwise takes over the lowest of its ports' and
// stalls everybody when that port leaves), forwards from the first moment and does no STP or
// multicast snooping. AlreadyExists when the name is taken.
Message CreateBridge(const std::string& name, const Mac& mac);

struct Veth {
  std::string name;
  std::optional<Mac> mac = std::nullopt;  // otherwise the kernel makes one up
  bool up = true;
  int master = 0;
  std::string peer_name;
  std::optional<Mac> peer_mac = std::nullopt;
  int peer_netns_fd = -1;  // where the peer is born; -1 = here
  uint32_t mtu = 0;        // of both; 0 = the kernel's default
};

// A pair in one message, the peer born inside its namespace: moving it there later costs 50 times
// as much. The peer starts down (the kernel cannot raise it before the pair is joined).
Message CreateVeth(const Veth& veth);

// Takes the other end of a veth with it. Slow (tens of milliseconds): keep it off hot paths, and
// let the end of a namespace do it where that is possible.
Message DeleteLink(const LinkRef& link);

struct LinkChange {
  std::optional<bool> up = std::nullopt;
  // Only with a LinkRef by index; old kernels want the link down.
  std::optional<std::string> name = std::nullopt;
  std::optional<int> master = std::nullopt;  // 0 = leave the bridge
  std::optional<uint32_t> mtu = std::nullopt;
  std::optional<Mac> mac = std::nullopt;
  std::optional<int> netns_fd = std::nullopt;
};
Message ChangeLink(const LinkRef& link, const LinkChange& change);

// Hairpin: frames may leave by the port they came in (a pod reaches itself through its host port).
// `up`: raises the port in the same message.
Message SetHairpin(const LinkRef& port, bool on, bool up = false);

// The link makes itself no IPv6 address. Before it goes up: otherwise it probes for, reports and
// asks routers about one, and a bridge floods all of it to every port. EAFNOSUPPORT, which is
// allowed, where the kernel has no IPv6.
Message WithoutIpv6Address(const LinkRef& link);

absl::StatusOr<std::vector<Link>> ListLinks(Socket& socket);
// NotFound when there is none.
absl::StatusOr<Link> FindLink(Socket& socket, const LinkRef& link);
// Of a RTM_NEWLINK or RTM_DELLINK message.
Link ParseLink(const Reply& reply);

// ---- Addresses ----

struct Address {
  int link = 0;
  Cidr cidr;  // the host's own address with the network's prefix length
};
Message AddAddress(const Address& address);
Message DeleteAddress(const Address& address);
absl::StatusOr<std::vector<Address>> ListAddresses(Socket& socket);

// ---- Routes of the main table ----

struct Route {
  Cidr destination;                            // 0.0.0.0/0 = default
  std::optional<Ipv4> gateway = std::nullopt;  // none = directly on the link
  int link = 0;                                // 0 = the kernel finds it by the gateway
  uint8_t protocol = 4;  // who made it; RTPROT_STATIC = 4, ours are told apart by their own
  friend auto operator<=>(const Route&, const Route&) = default;
};
// AlreadyExists when the destination has a route.
Message AddRoute(const Route& route);
Message ReplaceRoute(const Route& route);
// Only where destination, gateway, link (those given) and protocol agree.
Message DeleteRoute(const Route& route);
// Unicast ones of the main table; `protocol` 0 = all.
absl::StatusOr<std::vector<Route>> ListRoutes(Socket& socket, uint8_t protocol = 0);

// ---- Neighbours ----

struct Neighbour {
  int link = 0;
  Ipv4 address;
  Mac mac{};
  bool permanent = true;  // false: as if just confirmed; ages like one that was learned
};
Message ReplaceNeighbour(const Neighbour& neighbour);
Message DeleteNeighbour(int link, Ipv4 address);
// Those with a MAC.
absl::StatusOr<std::vector<Neighbour>> ListNeighbours(Socket& socket);

}  // namespace cluster::netlink
