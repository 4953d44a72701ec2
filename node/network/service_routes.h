// Where services lead, as plain values, and what the node's nftables table holds for them. Pure.
//
// A port of a service is an element of "<protocol>_services" (or "_node_ports"), whose verdict is
// one of four: pick a backend, stick to one, drop, refuse. Chains that pick are shared by all ports
// with as many backends; the backends are elements of "<protocol>_backends", by number. So no
// lookup grows with the number of services, and a change of one is a handful of elements. Only a
// port with affinity has a chain of its own, and a set of clients per backend.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/ipv4.h"
#include "node/network/lease.h"

namespace cluster::node {

struct ServiceBackend {
  Ipv4 address;
  uint16_t port = 0;
  bool local = false;  // a pod of this node
  friend auto operator<=>(const ServiceBackend&, const ServiceBackend&) = default;
};

struct ServicePortRoute {
  Protocol protocol = Protocol::kTcp;
  uint16_t port = 0;
  uint16_t node_port = 0;                // 0: none
  std::vector<ServiceBackend> backends;  // empty: connections are refused
  friend auto operator<=>(const ServicePortRoute&, const ServicePortRoute&) = default;
};

struct ServiceRoute {
  std::string key;  // "namespace/name"
  Ipv4 cluster_ip;  // 0.0.0.0: only the ports of the node
  std::vector<ServicePortRoute> ports;
  absl::Duration affinity;      // how long a client keeps its backend; zero: not at all
  bool external_local = false;  // ports of the node lead to pods of this node only
  bool internal_local = false;  // the address leads to pods of this node only
  friend bool operator==(const ServiceRoute&, const ServiceRoute&) = default;
};

// Services by key; each is made once and shared by whatever holds it.
using ServiceTable = std::map<std::string, std::shared_ptr<const ServiceRoute>>;

// The services that can stand beside each other. Those that are as in `before` are the same
// objects. Of two that claim one address and port, one port of the node, or one key, the first
// stays; `first` tells of the first that did not (InvalidArgument).
ServiceTable SoundServices(const std::vector<ServiceRoute>& services, const ServiceTable& before,
                           absl::Status& first);

// The backends that packets to the service's address (to the node's port) have a choice of.
std::vector<ServiceBackend> BackendsWithin(const ServiceRoute& service,
                                           const ServicePortRoute& port);
std::vector<ServiceBackend> BackendsFromOutside(const ServiceRoute& service,
                                                const ServicePortRoute& port);

// What the table holds for services, apart from what BaseRules made.
struct ServiceObjects {
  // By map and key; the value of an element.
  std::map<std::pair<std::string, std::string>, std::string> elements;
  std::map<std::string, std::string> chains;  // by name, the rules: a line each
  std::set<std::string> client_sets;          // clients that keep to one backend
};

// Adds what is the service's alone.
void AddObjects(const ServiceRoute& service, ServiceObjects& objects);

// The shared chains: for packets to a port of the node?, protocol, number of backends (from 1).
using Picks = std::set<std::tuple<bool, Protocol, size_t>>;
void AddPicks(const ServiceRoute& service, Picks& picks);
void AddChains(const Picks& picks, ServiceObjects& objects);

// Whether a chain or a set of the table is one that ServiceObjects name.
bool IsServiceChain(absl::string_view name);
bool IsClientSet(absl::string_view name);

// The part of BaseRules; chains that are hooked in have to be there.
std::string ServiceBaseRules(const std::string& table);
// Refuses what goes to an address of the range that no service took.
std::string UnservedRules(const std::string& table, const Cidr& service_cidr);
// Commands that empty the maps of services.
std::string FlushServiceMaps(const std::string& table);
// Commands that turn `before` into `after`; empty for no change. A chain of `before` whose rules
// are not the same is written anew; sets in both keep their clients.
std::string ServiceChanges(const std::string& table, const ServiceObjects& before,
                           const ServiceObjects& after);

}  // namespace cluster::node
