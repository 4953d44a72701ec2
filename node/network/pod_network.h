// The network of one node's pods: one bridge, one veth and address per pod, host ports, services,
// and routes to the pods of other nodes. Everything happens in the network namespace of the thread
// that called Open, through netlink and nftables.
//
// A pod's life here: Reserve (journaled before anything uses it) - Attach - Release. Pod veths are
// never deleted on the way: the end of the pod's namespace takes them along, and only when the link
// is really gone does the address rest, then become free again (a link that outlives its pod for
// Config::linger is deleted by the watcher thread).
//
// All methods may be called from any thread and are idempotent. One mutex guards the tables and is
// not held over I/O; a second one keeps requests to nftables apart and is held over them.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/ipv4.h"
#include "base/mutex.h"
#include "base/netlink.h"
#include "base/unique_handle.h"
#include "node/journal/journal.h"
#include "node/network/address_pool.h"
#include "node/network/conntrack.h"
#include "node/network/firewall.h"
#include "node/network/lease.h"
#include "node/network/links.h"
#include "node/network/service_router.h"
#include "node/network/service_routes.h"

namespace cluster::node {

class PodNetwork {
 public:
  struct Config {
    std::string bridge = "cbr0";  // at most 15 characters; names the nftables table too
    std::string node;             // the bridge's MAC is derived from it
    Journal* journal = nullptr;   // outlives the network
    const Clock* clock = RealClock();
    uint32_t mtu = 0;                              // of pod links; 0 = the kernel's default
    absl::Duration hold_down = absl::Seconds(30);  // an address rests this long between two pods
    absl::Duration linger = absl::Seconds(5);
  };

  // Makes or adopts the bridge and the nftables table, turns IPv4 forwarding on, and takes over the
  // leases in the journal. The pods' range is what SetRange gave last time, if anything.
  static absl::StatusOr<std::unique_ptr<PodNetwork>> Open(Config config);
  ~PodNetwork();
  PodNetwork(const PodNetwork&) = delete;
  PodNetwork& operator=(const PodNetwork&) = delete;

  // The node's range (the bridge gets its first address) and that of all nodes together (not
  // masqueraded). FailedPrecondition when pods hold addresses of another range.
  absl::Status SetRange(const Cidr& pod_cidr, const Cidr& cluster_cidr);

  // The pods' range, whose first address is the bridge's; nothing: no range yet.
  std::optional<Cidr> pod_range() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The pod's address: the same one for the same uid, until Release. Durable when it returns.
  // Unavailable: no range yet. ResourceExhausted: every address is taken or rests.
  // FailedPrecondition: a host port is taken by another pod.
  absl::StatusOr<PodAddress> Reserve(const std::string& uid,
                                     const std::vector<PublishedPort>& ports);

  // The same ahead of time, for a namespace that no pod has yet: Attach it under this name, then
  // Hand it over. It is given up where it stands in the way of SetRange.
  absl::Status ReserveSpare(const std::string& name);
  // What was reserved (and attached) as a spare is the pod's from here on, with these ports.
  // NotFound: the spare is gone. FailedPrecondition: as of Reserve; the spare stays.
  absl::StatusOr<PodAddress> Hand(const std::string& spare, const std::string& uid,
                                  const std::vector<PublishedPort>& ports);

  // Joins the namespace to the bridge as eth0, with address, default route and a known gateway;
  // raises lo; publishes the pod's ports. NotFound: nothing reserved. `route_socket`, a fresh
  // NETLINK_ROUTE socket from inside, saves a thread that enters the namespace to open one.
  absl::Status Attach(const std::string& uid, int netns_fd, UniqueFd route_socket = UniqueFd());

  // Takes the pod's link off the bridge: nothing reaches the pod any more. Before its namespace
  // ends, as the kernel ends many namespaces in one go and holds RTNL, which every start needs, for
  // a grace period of RCU per port that is still in the bridge. Costs a quarter of what the end of
  // a pod does, so it is for when pods start beside. Ok when there is none.
  absl::Status Unplug(const std::string& uid);

  // Ends the pod's claim: its ports close now, its address is free once its link is gone and it has
  // rested. Ok when there is none.
  absl::Status Release(const std::string& uid);

  // The other nodes, whole: routes of ours that are not among them go (also those of an earlier
  // life). A peer that cannot be routed to does not keep the others back; the first refusal is
  // returned.
  absl::Status SetPeers(const std::vector<NetworkPeer>& peers);

  // The services, whole. What differs from what was set last goes to the kernel in one transaction;
  // the first time, what an earlier life left is replaced. When it returns, no new connection and
  // no UDP flow goes to a backend that is not listed any more; TCP connections stay where they are.
  // Remembered until there is a range. InvalidArgument: the range of services is no such thing or
  // overlaps the pods' (nothing changes), or a service claims what another one has (the others are
  // set).
  absl::Status SetServices(const Cidr& service_cidr, const std::vector<ServiceRoute>& services);

  // Once, after Open: releases every lease whose pod is not in `live`, deletes pod links without a
  // lease, and makes the published ports exactly those of the live pods.
  absl::Status Recover(const std::vector<std::string>& live);

  // Waits until no released pod's link is left. False at the deadline.
  bool AwaitReleased(absl::Duration timeout);

  // Takes bridge, table, routes and leases away: the end of a node, not of an agent.
  absl::Status RemoveAll();

 private:
  struct Tenant {
    AddressLease lease;
    bool spare = false;
    bool released = false;  // its link may still be there
    absl::Duration released_at;
    bool looked_at = false;  // for its link, since it was released
  };
  struct Range {
    Cidr pods;
    Cidr cluster;
    friend bool operator==(const Range&, const Range&) = default;
  };
  struct Sockets {
    netlink::Socket requests;  // of the callers, one at a time
    netlink::Socket listener;  // what happens to links; the watcher's
    netlink::Socket watcher;   // the watcher's requests
  };

  PodNetwork(Config config, Sockets sockets, std::unique_ptr<Firewall> firewall,
             std::unique_ptr<Conntrack> conntrack, UniqueFd wake);
  absl::Status PrepareBridge();
  absl::Status Load();
  absl::Status ApplyRange(const Range& range);
  absl::Status ApplyServices() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status RouteLocalnet(bool on);
  absl::Status CheckPorts(const std::string& uid, const std::vector<PublishedPort>& ports) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<AddressLease> Claim(const std::string& uid,
                                     const std::vector<PublishedPort>& ports);
  absl::Status SaveCursor() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<PodAddress> AddressOf(const AddressLease& lease) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Execute(const std::vector<netlink::Message>& messages);
  absl::Status CreateLink(const std::string& uid, const AddressLease& lease, int netns_fd,
                          netlink::Socket& inside);
  absl::Status DeleteStrayLinks();
  void Wake() const;
  void Watch();
  bool GiveUpSpares() ABSL_LOCKS_EXCLUDED(mutex_);
  // `gone`: links that are known to have ended; `all`: look for every one's.
  bool FinishReleases(const std::set<std::string>& gone, bool all) ABSL_LOCKS_EXCLUDED(mutex_);
  bool FinishRelease(const std::string& uid, const Tenant& tenant) ABSL_LOCKS_EXCLUDED(mutex_);

  const Config config_;
  int bridge_ = 0;  // link index, set by Open

  Mutex socket_mutex_;  // held over requests
  netlink::Socket socket_ ABSL_GUARDED_BY(socket_mutex_);
  netlink::Socket listener_;
  netlink::Socket watcher_socket_;
  const std::unique_ptr<Firewall> firewall_;
  const std::unique_ptr<Conntrack> conntrack_;
  ServiceRouter services_;
  UniqueFd localnet_;  // conf/all/route_localnet, of the namespace that Open was called in
  std::atomic<bool> localnet_on_ = false;  // by us, in this life
  std::atomic<bool> has_node_ports_ = false;
  const UniqueFd wake_;  // eventfd: the watcher should look

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Tenant> tenants_ ABSL_GUARDED_BY(mutex_);
  AddressPool pool_ ABSL_GUARDED_BY(mutex_);
  uint32_t until_save_ ABSL_GUARDED_BY(mutex_) = 0;  // addresses that the saved cursor covers yet
  std::optional<Range> range_ ABSL_GUARDED_BY(mutex_);
  std::vector<Ipv4> peers_ ABSL_GUARDED_BY(mutex_);
  std::thread watcher_;
};

}  // namespace cluster::node
