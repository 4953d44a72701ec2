// The netlink messages of a pod's link and of the routes to other nodes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ipv4.h"
#include "base/netlink.h"
#include "base/netlink_route.h"

namespace cluster::node {

// What a pod gets: eth0's address, its network's prefix length, the way out.
struct PodAddress {
  Ipv4 ip;
  int prefix = 0;
  Ipv4 gateway;
  Mac mac{};
};

struct NetworkPeer {
  std::string node;
  Ipv4 address;   // of the node, on a link that we share
  Cidr pod_cidr;  // of its pods
};

// rtm_protocol of our routes; the numbers from 192 on are nobody's (iproute2's rt_protos).
inline constexpr uint8_t kRouteProtocol = 99;
inline constexpr char kPodLink[] = "eth0";

struct PodLinkSpec {
  std::string name;  // host end
  int bridge = 0;    // link index
  uint32_t mtu = 0;
  Ipv4 ip;
  int netns_fd = -1;
};

// On the node: the pair, its hairpin flag, and the pod in the bridge's neighbour table.
std::vector<netlink::Message> HostMessages(const PodLinkSpec& spec);

// In the pod's namespace, where eth0 has this index: lo and eth0 up, address, default route, and
// the gateway as a known neighbour. What is there already stays.
std::vector<netlink::Message> InsideMessages(int eth0, const PodAddress& address,
                                             const Mac& gateway_mac);

// What turns our routes as they are into one per peer: deletions first. Peers have a gateway; the
// route of the services has none and is left alone.
std::vector<netlink::Message> RouteChanges(const std::vector<netlink::Route>& present,
                                           const std::vector<NetworkPeer>& peers);
// What makes the services' range lead to the bridge (a link index), and no other: the node has a
// source address for what it sends there, whether or not it has a default route.
std::vector<netlink::Message> ServiceRouteChanges(const std::vector<netlink::Route>& present,
                                                  int bridge, const Cidr& service_cidr);

}  // namespace cluster::node
