// Forgetting flows of connection tracking. A UDP client that keeps its port keeps its old
// translation too, to a pod that is gone or past one that is new, until the entry is deleted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "base/netlink.h"
#include "node/network/lease.h"

namespace cluster::node {

// An entry as its first packet saw it, before any translation, and where that led.
struct Flow {
  uint8_t protocol = 0;  // IPPROTO_*
  Ipv4 destination;
  uint16_t port = 0;  // of the destination
  // Who answers: the destination itself, or what it was translated to.
  Ipv4 server;
  uint16_t server_port = 0;
  std::string tuple;  // CTA_TUPLE_ORIG as the kernel sent it: what a deletion names
};

// Pure: the messages, and what they say. See linux/netfilter/nfnetlink_conntrack.h.
netlink::Message ListFlows();
std::optional<Flow> ParseFlow(const netlink::Reply& reply);
netlink::Message DeleteFlow(const Flow& flow);
// Whether a flow came through (or past) this published port.
bool Concerns(const Flow& flow, const PublishedPort& port);

// Where UDP packets to an address and port may lead. Nothing: nowhere.
struct UdpRoutes {
  std::map<std::pair<Ipv4, uint16_t>, std::set<std::pair<Ipv4, uint16_t>>> servers;
  // What goes to an address in here by no entry of `servers` leads nowhere.
  std::optional<Cidr> whole;
};
// Whether the flow leads elsewhere than it should. Flows that `routes` do not speak of are none.
bool IsStale(const Flow& flow, const UdpRoutes& routes);

// Thread-safe; the mutex is held over I/O.
class Conntrack {
 public:
  // In the calling thread's network namespace.
  static absl::StatusOr<std::unique_ptr<Conntrack>> Open();

  // Forgets the flows of those ports that are not TCP (a TCP connection to a pod that is gone ends
  // by itself). Costs a walk through the machine's whole table (10-20 ms), and nothing without
  // such a port.
  absl::Status Forget(const std::vector<PublishedPort>& ports);

  // Forgets the stale flows, those that no rule ever translated among them. Costs as much.
  absl::Status ForgetStale(const UdpRoutes& routes);

 private:
  absl::Status ForgetWhere(const std::function<bool(const Flow&)>& condition);

  explicit Conntrack(netlink::Socket socket) : socket_(std::move(socket)) {}

  Mutex mutex_;
  netlink::Socket socket_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::node
