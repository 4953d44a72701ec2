// The cluster's DNS, answered by each node for its own pods: their names from what the controller
// told of services (names.h), everybody else's from the name servers of the machine (upstream.h).
// It listens on the bridge's own address, which pods reach without translation and without the
// kernel tracking their packets.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/ipv4.h"
#include "node/dns/fair_share.h"
#include "node/dns/listeners.h"
#include "node/dns/names.h"
#include "node/dns/packet.h"
#include "node/dns/reactor.h"
#include "node/dns/upstream.h"
#include "node/services/service_book.h"

namespace cluster::node {

// Thread-safe.
class NameServer {
 public:
  struct Options {
    const ServiceBook* services = nullptr;  // outlives the server
    std::string domain = "cluster.local";
    Upstream::ListServers upstreams;
    const Clock* clock = RealClock();
    uint16_t port = 53;
    uint16_t upstream_port = 53;
  };

  // Errors: what epoll_create(2) says.
  static absl::StatusOr<std::unique_ptr<NameServer>> Start(Options options);
  ~NameServer();

  // From now on there and for those callers. Where it cannot be (somebody else has the port), that
  // is logged once and tried again each second.
  void Serve(Ipv4 address, const Cidr& callers);

 private:
  explicit NameServer(Options options)
      : options_(std::move(options)),
        started_(options_.clock->Monotonic()),
        share_(options_.clock) {}
  void Open();
  absl::Status Listen();
  void Handle(const std::string& message, const NameCaller& caller, const NameReply& reply);
  // Later, where the controller's word is to come soon.
  void Answer(const std::string& message, const NameQuery& query, const NameCaller& caller,
              const NameReply& reply);
  NameAnswer Find(const NameQuery& query);
  void AskForAlias(const NameQuery& query, const NameCaller& caller, size_t limit,
                   std::shared_ptr<const NameAnswer> answer, bool by_stream, NameReply reply);
  void Forward(const std::string& message, const NameQuery& query, const NameCaller& caller,
               NameReply reply);

  const Options options_;
  const absl::Duration started_;
  std::unique_ptr<Reactor> reactor_;
  // Of the reactor's thread.
  FairShare share_;
  std::unique_ptr<Upstream> upstream_;
  std::optional<Names> names_;
  std::shared_ptr<DatagramListener> datagrams_;
  std::shared_ptr<StreamListener> streams_;
  Ipv4 address_;
  Cidr callers_;
  absl::Status last_;
  Reactor::TimerId retry_;
  int held_ = 0;  // queries that wait for the controller's word
  std::minstd_rand dice_{std::random_device()()};
};

}  // namespace cluster::node
