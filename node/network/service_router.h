// Keeps the node's nftables tables at what the services want, by differences.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "base/ipv4.h"
#include "base/mutex.h"
#include "node/network/conntrack.h"
#include "node/network/firewall.h"
#include "node/network/service_routes.h"

namespace cluster::node {

// What the routes of services need to know of the node.
struct ServiceNode {
  std::vector<Ipv4> addresses;  // where its ports are
  Cidr pods;
  std::set<Ipv4> taken;  // addresses that pods have
};

// Thread-safe: one change at a time; its mutex is held over I/O.
class ServiceRouter {
 public:
  // Of this table; both outlive the router.
  ServiceRouter(std::string table, Firewall* firewall, Conntrack* conntrack)
      : table_(std::move(table)), firewall_(firewall), conntrack_(conntrack) {}

  // What Apply makes true.
  void Want(const Cidr& service_cidr, const std::vector<ServiceRoute>& services);

  // The range of services, once it is known.
  std::optional<Cidr> cidr();

  // Makes the bridge's table. A kernel that has no such tables is no failure, but then pods do not
  // see the address of a neighbour that calls by a service.
  void PrepareBridge(const Cidr& pods, const Mac& mac);

  // Brings the table, which BaseRules made, up to date in one transaction and then forgets the UDP
  // flows that lead elsewhere. The first time, and after a failure, everything is written anew;
  // affinities stay. Ok when nothing is wanted yet. InvalidArgument: a service claims what another
  // one has; the others are applied.
  absl::Status Apply(const ServiceNode& node);

  // The address is nobody's any more.
  absl::Status Forget(Ipv4 pod);

  // Takes the bridge's table away; the other one goes with what else is in it. Nothing is wanted
  // any more.
  absl::Status Remove();

 private:
  // What the kernel holds, or shall hold.
  struct State {
    Cidr cidr;
    ServiceTable services;
  };
  struct Change {
    std::string text;
    UdpRoutes udp;
  };

  Change Difference(const State& before, const State& after, const ServiceNode& node) const;
  absl::StatusOr<Change> Everything(const State& after, const ServiceNode& node) const;
  // Adds the local backends to served_ and says what that takes. `anew`: nothing is known of the
  // sets; what they held of pods that still are there stays.
  absl::StatusOr<std::string> Serve(const State& after, const ServiceNode& node, bool anew)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string table_;
  Firewall* const firewall_;
  Conntrack* const conntrack_;

  Mutex mutex_;
  std::optional<State> wanted_ ABSL_GUARDED_BY(mutex_);
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);  // of services that are not in wanted_
  std::optional<State> applied_ ABSL_GUARDED_BY(mutex_);
  bool has_bridge_table_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<Ipv4> served_ ABSL_GUARDED_BY(mutex_);  // pods, see served_pods.h
};

}  // namespace cluster::node
