#include "node/network/service_router.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "node/network/served_pods.h"

namespace cluster::node {
namespace {

std::set<std::pair<Ipv4, uint16_t>> ServersOf(const std::vector<ServiceBackend>& backends) {
  std::set<std::pair<Ipv4, uint16_t>> servers;
  for (const ServiceBackend& backend : backends) servers.emplace(backend.address, backend.port);
  return servers;
}

// Where the service's UDP ports lead. `gone`: nowhere any more.
void AddUdpRoutes(const ServiceRoute& service, const std::vector<Ipv4>& local, bool gone,
                  UdpRoutes& routes) {
  for (const ServicePortRoute& port : service.ports) {
    if (port.protocol != Protocol::kUdp) continue;
    const auto within = ServersOf(BackendsWithin(service, port));
    routes.servers[{service.cluster_ip, port.port}] = gone ? ServersOf({}) : within;
    if (port.node_port == 0) continue;
    const auto outside = ServersOf(BackendsFromOutside(service, port));
    for (const Ipv4 address : local) {
      routes.servers[{address, port.node_port}] = gone ? ServersOf({}) : outside;
    }
  }
}

// Whether a flow that is right by `before` can be wrong by `after`. Where there was no backend,
// flows may go past the rules.
bool MayLeaveStaleFlows(const UdpRoutes& before, const UdpRoutes& after) {
  for (const auto& [place, servers] : after.servers) {
    const auto found = before.servers.find(place);
    if (found == before.servers.end() || found->second.empty()) return true;
    if (!std::includes(servers.begin(), servers.end(), found->second.begin(),
                       found->second.end())) {
      return true;
    }
  }
  return false;
}

}  // namespace

void ServiceRouter::Want(const Cidr& service_cidr, const std::vector<ServiceRoute>& services) {
  MutexLock lock(&mutex_);
  refusal_ = absl::OkStatus();
  wanted_ = State{
      service_cidr.Network(),
      SoundServices(services, wanted_.has_value() ? wanted_->services : ServiceTable{}, refusal_)};
}

std::optional<Cidr> ServiceRouter::cidr() {
  MutexLock lock(&mutex_);
  if (!wanted_.has_value()) return std::nullopt;
  return wanted_->cidr;
}

void ServiceRouter::PrepareBridge(const Cidr& pods, const Mac& mac) {
  MutexLock lock(&mutex_);
  const absl::Status made = firewall_->Run(ServedBridgeRules(table_, pods, mac));
  has_bridge_table_ = made.ok();
  if (made.ok()) return;
  LOG_WARN("pods do not see the address of a neighbour that calls by a service: {}",
           made.ToString());
}

absl::Status ServiceRouter::Remove() {
  MutexLock lock(&mutex_);
  wanted_.reset();
  refusal_ = absl::OkStatus();
  applied_.reset();
  served_.clear();
  return has_bridge_table_ ? firewall_->Run(DeleteServedBridgeRules(table_)) : absl::OkStatus();
}

absl::Status ServiceRouter::Forget(Ipv4 pod) {
  MutexLock lock(&mutex_);
  if (served_.count(pod) == 0) return absl::OkStatus();
  RETURN_IF_ERROR(firewall_->Run(RemoveServed(table_, pod)));
  served_.erase(pod);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ServiceRouter::Serve(const State& after, const ServiceNode& node,
                                                 bool anew) {
  if (!has_bridge_table_) return "";
  if (anew) {
    ASSIGN_OR_RETURN(const std::string listing, firewall_->Query(ListServed(table_)));
    served_ = ParseServed(listing);
    std::erase_if(served_, [&node](Ipv4 pod) { return node.taken.count(pod) == 0; });
  }
  std::set<Ipv4> added;
  for (const auto& [key, service] : after.services) {
    for (const ServicePortRoute& port : service->ports) {
      for (const ServiceBackend& backend : port.backends) {
        if (!backend.local || !node.pods.Contains(backend.address)) continue;
        if (served_.insert(backend.address).second) added.insert(backend.address);
      }
    }
  }
  return anew ? AllServed(table_, served_) : AddServed(table_, added);
}

absl::Status ServiceRouter::Apply(const ServiceNode& node) {
  MutexLock lock(&mutex_);
  if (!wanted_.has_value()) return absl::OkStatus();
  const std::optional<State> before = std::exchange(applied_, std::nullopt);
  // Whatever fails from here on, the next attempt starts from nothing.
  ASSIGN_OR_RETURN(const std::string served, Serve(*wanted_, node, !before.has_value()));
  Change change;
  if (before.has_value()) {
    change = Difference(*before, *wanted_, node);
  } else {
    ASSIGN_OR_RETURN(change, Everything(*wanted_, node));
  }
  RETURN_IF_ERROR(firewall_->Run(absl::StrCat(served, change.text)));
  RETURN_IF_ERROR(conntrack_->ForgetStale(change.udp));
  applied_ = wanted_;
  return refusal_;
}

ServiceRouter::Change ServiceRouter::Difference(const State& before, const State& after,
                                                const ServiceNode& node) const {
  Change change;
  ServiceObjects old_objects;
  ServiceObjects new_objects;
  Picks old_picks;
  Picks new_picks;
  UdpRoutes old_udp;
  for (const auto& [key, service] : before.services) {
    AddPicks(*service, old_picks);
    const auto found = after.services.find(key);
    if (found != after.services.end() && found->second == service) continue;
    AddObjects(*service, old_objects);
    AddUdpRoutes(*service, node.addresses, false, old_udp);
    AddUdpRoutes(*service, node.addresses, true, change.udp);
  }
  for (const auto& [key, service] : after.services) {
    AddPicks(*service, new_picks);
    const auto found = before.services.find(key);
    if (found != before.services.end() && found->second == service) continue;
    AddObjects(*service, new_objects);
    AddUdpRoutes(*service, node.addresses, false, change.udp);
  }
  AddChains(old_picks, old_objects);
  AddChains(new_picks, new_objects);
  if (before.cidr != after.cidr) change.text = UnservedRules(table_, after.cidr);
  change.text += ServiceChanges(table_, old_objects, new_objects);
  if (!MayLeaveStaleFlows(old_udp, change.udp)) change.udp = UdpRoutes{};
  return change;
}

absl::StatusOr<ServiceRouter::Change> ServiceRouter::Everything(const State& after,
                                                                const ServiceNode& node) const {
  ASSIGN_OR_RETURN(const TableNames names, firewall_->Names(table_));
  ServiceObjects present;
  for (const std::string& chain : names.chains) {
    // Rules that no chain has: it is written anew.
    if (IsServiceChain(chain)) present.chains[chain] = "?";
  }
  for (const std::string& set : names.sets) {
    if (IsClientSet(set)) present.client_sets.insert(set);
  }
  Change change;
  ServiceObjects objects;
  Picks picks;
  for (const auto& [key, service] : after.services) {
    AddObjects(*service, objects);
    AddPicks(*service, picks);
    AddUdpRoutes(*service, node.addresses, false, change.udp);
  }
  AddChains(picks, objects);
  change.udp.whole = after.cidr;
  change.text = absl::StrCat(FlushServiceMaps(table_), UnservedRules(table_, after.cidr),
                             ServiceChanges(table_, present, objects));
  return change;
}

}  // namespace cluster::node
