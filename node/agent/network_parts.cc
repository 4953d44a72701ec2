#include "node/agent/network_parts.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::node {
namespace {

Protocol ProtocolOf(v1::Protocol protocol) {
  if (protocol == v1::PROTOCOL_UDP) return Protocol::kUdp;
  return protocol == v1::PROTOCOL_SCTP ? Protocol::kSctp : Protocol::kTcp;
}

ServicePortRoute PortOf(const v1::ServicePortRoute& told, const std::string& node) {
  ServicePortRoute port;
  port.protocol = ProtocolOf(told.protocol());
  port.port = static_cast<uint16_t>(told.port());
  port.node_port = static_cast<uint16_t>(told.node_port());
  for (const v1::Backend& backend : told.backends()) {
    // Of a pod with an address of another family, for instance: it does not keep the others back.
    const absl::StatusOr<Ipv4> address = ParseIpv4(backend.address());
    if (!address.ok()) continue;
    ServiceBackend to;
    to.address = *address;
    to.port = static_cast<uint16_t>(backend.port());
    to.local = backend.node() == node;
    port.backends.push_back(to);
  }
  return port;
}

absl::StatusOr<ServiceRoute> RouteOf(const v1::ServiceRoute& told, const std::string& node) {
  ServiceRoute route;
  route.key = absl::StrCat(told.namespace_(), "/", told.name());
  ASSIGN_OR_RETURN(route.cluster_ip, ParseIpv4(told.cluster_ip()));
  for (const v1::ServicePortRoute& port : told.ports()) {
    route.ports.push_back(PortOf(port, node));
  }
  route.affinity = absl::Seconds(told.affinity_seconds());
  route.external_local = told.external_traffic_policy() == v1::SERVICE_TRAFFIC_POLICY_LOCAL;
  route.internal_local = told.internal_traffic_policy() == v1::SERVICE_TRAFFIC_POLICY_LOCAL;
  return route;
}

absl::Status SetRange(PodNetwork* network, const std::string& pod_cidr,
                      const std::string& cluster_cidr) {
  ASSIGN_OR_RETURN(const Cidr pods, ParseCidr(pod_cidr));
  ASSIGN_OR_RETURN(const Cidr cluster, ParseCidr(cluster_cidr));
  return network->SetRange(pods, cluster);
}

absl::Status SetPeers(PodNetwork* network, const std::vector<v1::Peer>& peers) {
  std::vector<NetworkPeer> routes;
  for (const v1::Peer& peer : peers) {
    // A node that never told its address, or has no range yet, cannot be routed to.
    const absl::StatusOr<Ipv4> address = ParseIpv4(peer.address());
    const absl::StatusOr<Cidr> cidr = ParseCidr(peer.pod_cidr());
    if (address.ok() && cidr.ok()) routes.push_back({peer.node(), *address, *cidr});
  }
  return network->SetPeers(routes);
}

void ServeNames(const PodNetwork& network, NameServer* server) {
  const std::optional<Cidr> range = network.pod_range();
  if (range.has_value()) server->Serve(GatewayOf(*range), *range);
}

// "": there is no range yet.
std::string NameServerAddress(const PodNetwork& network) {
  const std::optional<Cidr> range = network.pod_range();
  return range.has_value() ? ToString(GatewayOf(*range)) : "";
}

absl::Status SetServices(PodNetwork* network, const std::string& node, const KnownServices& table) {
  ASSIGN_OR_RETURN(const Cidr range, ParseCidr(table.service_cidr));
  std::vector<ServiceRoute> routes;
  for (const auto& [key, told] : table.all) {
    // Headless, or another name: names alone.
    if (told->cluster_ip().empty()) continue;
    ASSIGN_OR_RETURN(ServiceRoute route, RouteOf(*told, node));
    routes.push_back(std::move(route));
  }
  return network->SetServices(range, routes);
}

}  // namespace

void AddNetwork(PodNetwork* network, NameServer* names, const std::string& node,
                AgentParts* parts) {
  parts->set_range = [=](const std::string& pods, const std::string& cluster) -> absl::Status {
    RETURN_IF_ERROR(SetRange(network, pods, cluster));
    ServeNames(*network, names);
    return absl::OkStatus();
  };
  parts->set_peers = [network](const std::vector<v1::Peer>& peers) {
    return SetPeers(network, peers);
  };
  parts->set_services = [network, node](const KnownServices& table) {
    return SetServices(network, node, table);
  };
  parts->name_server = [network] { return NameServerAddress(*network); };
  ServeNames(*network, names);
}

}  // namespace cluster::node
