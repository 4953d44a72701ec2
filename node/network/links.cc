#include "node/network/links.h"

#include <cerrno>
#include <map>

#include "node/network/lease.h"

namespace cluster::node {

std::vector<netlink::Message> HostMessages(const PodLinkSpec& spec) {
  std::vector<netlink::Message> messages;
  messages.push_back(netlink::CreateVeth({.name = spec.name,
                                          .up = false,
                                          .master = spec.bridge,
                                          .peer_name = kPodLink,
                                          .peer_mac = PodMac(spec.ip),
                                          .peer_netns_fd = spec.netns_fd,
                                          .mtu = spec.mtu}));
  messages.push_back(netlink::WithoutIpv6Address(spec.name));
  messages.push_back(netlink::SetHairpin(spec.name, true, true));
  // Permanent: others count against a limit that all namespaces of the machine share (1,024 by
  // default, arp(7) gc_thresh3). Deleted with the address (release.cc).
  messages.push_back(netlink::ReplaceNeighbour({spec.bridge, spec.ip, PodMac(spec.ip), true}));
  return messages;
}

std::vector<netlink::Message> InsideMessages(int eth0, const PodAddress& address,
                                             const Mac& gateway_mac) {
  std::vector<netlink::Message> messages;
  messages.push_back(netlink::ChangeLink("lo", {.up = true}));
  messages.push_back(netlink::WithoutIpv6Address(eth0));
  messages.push_back(netlink::ChangeLink(eth0, {.up = true}));
  messages.push_back(netlink::AddAddress({eth0, Cidr{address.ip, address.prefix}}).Allow(EEXIST));
  messages.push_back(
      netlink::AddRoute({.destination = Cidr{Ipv4{}, 0}, .gateway = address.gateway, .link = eth0})
          .Allow(EEXIST));
  messages.push_back(netlink::ReplaceNeighbour({eth0, address.gateway, gateway_mac, true}));
  return messages;
}

std::vector<netlink::Message> RouteChanges(const std::vector<netlink::Route>& present,
                                           const std::vector<NetworkPeer>& peers) {
  std::map<Cidr, Ipv4> wanted;
  for (const NetworkPeer& peer : peers) wanted[peer.pod_cidr.Network()] = peer.address;
  std::vector<netlink::Message> messages;
  for (const netlink::Route& route : present) {
    if (!route.gateway.has_value()) continue;
    const auto found = wanted.find(route.destination);
    if (found == wanted.end()) {
      messages.push_back(netlink::DeleteRoute(route).Allow(ESRCH));
    } else if (route.gateway == found->second) {
      wanted.erase(found);
    }
  }
  for (const auto& [destination, gateway] : wanted) {
    messages.push_back(netlink::ReplaceRoute(
        {.destination = destination, .gateway = gateway, .protocol = kRouteProtocol}));
  }
  return messages;
}

std::vector<netlink::Message> ServiceRouteChanges(const std::vector<netlink::Route>& present,
                                                  int bridge, const Cidr& service_cidr) {
  const netlink::Route wanted{
      .destination = service_cidr.Network(), .link = bridge, .protocol = kRouteProtocol};
  std::vector<netlink::Message> messages;
  bool found = false;
  for (const netlink::Route& route : present) {
    if (route.gateway.has_value()) continue;
    found |= route == wanted;
    if (route != wanted) messages.push_back(netlink::DeleteRoute(route).Allow(ESRCH));
  }
  if (!found) messages.push_back(netlink::ReplaceRoute(wanted));
  return messages;
}

}  // namespace cluster::node
