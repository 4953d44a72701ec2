// The third part of PodNetwork: services.
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/netlink_route.h"
#include "base/status.h"
#include "node/network/pod_network.h"

namespace cluster::node {
namespace {

// Addresses that no service has are refused: a slip of the pen must not refuse the world.
constexpr int kShortestServicePrefix = 8;

bool HasNodePort(const ServiceRoute& service) {
  return std::any_of(service.ports.begin(), service.ports.end(),
                     [](const ServicePortRoute& port) { return port.node_port != 0; });
}

}  // namespace

absl::Status PodNetwork::SetServices(const Cidr& service_cidr,
                                     const std::vector<ServiceRoute>& services) {
  const auto overlap = [&service_cidr](const Cidr& pods) {
    return service_cidr.Contains(pods) || pods.Contains(service_cidr);
  };
  {
    MutexLock lock(&mutex_);
    if (service_cidr.prefix < kShortestServicePrefix ||
        (range_.has_value() && overlap(range_->pods))) {
      return absl::InvalidArgumentError(absl::StrCat("range of services ", ToString(service_cidr),
                                                     " must be a /", kShortestServicePrefix,
                                                     " or smaller and apart from the pods'"));
    }
  }
  services_.Want(service_cidr, services);
  // Asks for the range after Want: whoever sets it meanwhile finds the services.
  has_node_ports_ = std::any_of(services.begin(), services.end(), HasNodePort);
  return ApplyServices();
}

absl::Status PodNetwork::RouteLocalnet(bool on) {
  const bool was_on = localnet_on_.exchange(on);
  if (was_on == on) return absl::OkStatus();
  // At the start of the file: the kernel does not read on where it left off.
  if (::pwrite(localnet_.get(), on ? "1" : "0", 1, 0) == 1) return absl::OkStatus();
  localnet_on_ = was_on;
  return ErrnoStatus("let the node reach its ports by 127.0.0.1");
}

absl::Status PodNetwork::ApplyServices() {
  const std::optional<Cidr> cidr = services_.cidr();
  if (!cidr.has_value()) return absl::OkStatus();
  ServiceNode node;
  {
    MutexLock lock(&mutex_);
    if (!range_.has_value()) return absl::OkStatus();
    node.pods = range_->pods;
    for (const auto& [uid, tenant] : tenants_) node.taken.insert(tenant.lease.address);
  }
  {
    MutexLock lock(&socket_mutex_);
    ASSIGN_OR_RETURN(const auto addresses, netlink::ListAddresses(socket_));
    for (const netlink::Address& address : addresses) {
      node.addresses.push_back(address.cidr.address);
    }
    ASSIGN_OR_RETURN(const auto present, netlink::ListRoutes(socket_, kRouteProtocol));
    RETURN_IF_ERROR(socket_.Execute(ServiceRouteChanges(present, bridge_, *cidr)));
  }
  RETURN_IF_ERROR(services_.Apply(node));
  // 127.0.0.1:PORT of the node leads to pods of other nodes too, by whichever link. The guard came
  // with the range, and keeps others out of 127/8.
  return RouteLocalnet(has_node_ports_);
}

}  // namespace cluster::node
