#include "node/network/service_routes.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace cluster::node {
namespace {

constexpr char kClients[] = "clients_";
constexpr char kSticky[] = "sticky_";
constexpr char kStickyNode[] = "sticky_node_";
constexpr char kRefuse[] = "goto refuse";
constexpr char kDrop[] = "drop";

// $TABLE is filled in. A packet to the node itself has been looked up among the node's ports.
constexpr absl::string_view kServiceBase = R"(add chain ip $TABLE refuse
add chain ip $TABLE unserved
add chain ip $TABLE forwarded { type filter hook forward priority 0; policy accept; }
add chain ip $TABLE sent { type filter hook output priority 0; policy accept; }
flush chain ip $TABLE services
flush chain ip $TABLE refuse
flush chain ip $TABLE forwarded
flush chain ip $TABLE sent
add rule ip $TABLE refuse meta l4proto tcp reject with tcp reset
add rule ip $TABLE refuse reject
add rule ip $TABLE forwarded jump unserved
add rule ip $TABLE sent jump unserved
)";

// The type of a number out of numgen has no name: the maps are declared by example.
constexpr absl::string_view kServiceBasePerProtocol =
    R"(add map ip $TABLE $P_services { type ipv4_addr . inet_service : verdict; }
add map ip $TABLE $P_node_ports { type inet_service : verdict; }
add map ip $TABLE $P_backends { typeof ip daddr . $P dport . numgen random mod 2 : ip daddr . $P dport; }
add map ip $TABLE $P_node_backends { typeof $P dport . numgen random mod 2 : ip daddr . $P dport; }
add rule ip $TABLE services ip daddr . $P dport vmap @$P_services
add rule ip $TABLE ports $P dport vmap @$P_node_ports
)";

std::string PickChain(bool node, Protocol protocol, size_t size) {
  return absl::StrCat("pick_", node ? "node_" : "", NameOf(protocol), "_", size);
}

// The second rule is for the packet that meets a change in the middle: it was told of more backends
// than there are now, but one there is.
std::string PickRules(bool node, Protocol protocol, size_t size) {
  const absl::string_view name = NameOf(protocol);
  std::string rules;
  for (const size_t choices : {size, size_t{1}}) {
    absl::StrAppend(&rules, "dnat to ", node ? "" : "ip daddr . ", name,
                    " dport . numgen random mod ", choices, " map @", name,
                    node ? "_node_backends" : "_backends", "\n");
  }
  return rules;
}

std::string ClientSet(const ServiceRoute& service, const ServicePortRoute& port,
                      const ServiceBackend& backend) {
  return absl::StrCat(kClients, service.key, "_", NameOf(port.protocol), "_", port.port, "_",
                      ToString(backend.address), "_", backend.port);
}

// A client of old goes where it went; a new one is dealt to a backend with equal chances, first to
// last. Both renew the client's time. Where a set has no room, the last line takes over.
std::string StickyRules(const ServiceRoute& service, const ServicePortRoute& port,
                        const std::vector<ServiceBackend>& backends,
                        const std::string& pick_chain) {
  const int64_t seconds = std::max<int64_t>(1, absl::ToInt64Seconds(service.affinity));
  std::string known;
  std::string fresh;
  for (size_t i = 0; i < backends.size(); ++i) {
    const std::string set = ClientSet(service, port, backends[i]);
    const std::string go = absl::StrCat("meta l4proto ", NameOf(port.protocol), " update @", set,
                                        " { ip saddr timeout ", seconds, "s } dnat to ",
                                        ToString(backends[i].address), ":", backends[i].port, "\n");
    absl::StrAppend(&known, "ip saddr @", set, " ", go);
    const size_t left = backends.size() - i;
    absl::StrAppend(&fresh, left > 1 ? absl::StrCat("numgen random mod ", left, " 0 ") : "", go);
  }
  return absl::StrCat(known, fresh, "goto ", pick_chain, "\n");
}

// One way into one port: by the service's address, or by a port of the node.
struct Entrance {
  std::string map;           // of verdicts
  std::string backends_map;  // by `key` and number
  std::string key;
  std::string sticky_chain;
  bool node = false;
};

Entrance AddressEntrance(const ServiceRoute& service, const ServicePortRoute& port) {
  const absl::string_view name = NameOf(port.protocol);
  return {absl::StrCat(name, "_services"), absl::StrCat(name, "_backends"),
          absl::StrCat(ToString(service.cluster_ip), " . ", port.port),
          absl::StrCat(kSticky, service.key, "_", name, "_", port.port), false};
}

Entrance NodeEntrance(const ServicePortRoute& port) {
  const absl::string_view name = NameOf(port.protocol);
  return {absl::StrCat(name, "_node_ports"), absl::StrCat(name, "_node_backends"),
          absl::StrCat(port.node_port), absl::StrCat(kStickyNode, name, "_", port.node_port), true};
}

void AddEntrance(const ServiceRoute& service, const ServicePortRoute& port,
                 const Entrance& entrance, const std::vector<ServiceBackend>& backends,
                 ServiceObjects& objects) {
  std::string& verdict = objects.elements[{entrance.map, entrance.key}];
  if (backends.empty()) {
    verdict = port.backends.empty() ? kRefuse : kDrop;
    return;
  }
  for (size_t i = 0; i < backends.size(); ++i) {
    objects.elements[{entrance.backends_map, absl::StrCat(entrance.key, " . ", i)}] =
        absl::StrCat(ToString(backends[i].address), " . ", backends[i].port);
  }
  const std::string pick = PickChain(entrance.node, port.protocol, backends.size());
  if (service.affinity <= absl::ZeroDuration()) {
    verdict = absl::StrCat("goto ", pick);
    return;
  }
  verdict = absl::StrCat("goto ", entrance.sticky_chain);
  objects.chains[entrance.sticky_chain] = StickyRules(service, port, backends, pick);
  for (const ServiceBackend& backend : backends) {
    objects.client_sets.insert(ClientSet(service, port, backend));
  }
}

std::vector<ServiceBackend> LocalOnes(const std::vector<ServiceBackend>& backends, bool only) {
  if (!only) return backends;
  std::vector<ServiceBackend> local;
  std::copy_if(backends.begin(), backends.end(), std::back_inserter(local),
               [](const ServiceBackend& backend) { return backend.local; });
  return local;
}

bool HasAddress(const ServiceRoute& service) { return service.cluster_ip != Ipv4{}; }

// What only one can have: an address (0: the node's) and a port of a protocol.
using Claim = std::tuple<uint32_t, uint8_t, uint16_t>;

// Sorted; twice the same where the service is at odds with itself.
std::vector<Claim> ClaimsOf(const ServiceRoute& service) {
  std::vector<Claim> claims;
  for (const ServicePortRoute& port : service.ports) {
    const auto protocol = static_cast<uint8_t>(port.protocol);
    if (HasAddress(service)) claims.emplace_back(service.cluster_ip.value, protocol, port.port);
    if (port.node_port != 0) claims.emplace_back(0, protocol, port.node_port);
  }
  std::sort(claims.begin(), claims.end());
  return claims;
}

void AppendRules(std::string& text, const std::string& table, const std::string& chain,
                 absl::string_view rules) {
  for (const absl::string_view rule : absl::StrSplit(rules, '\n', absl::SkipEmpty())) {
    absl::StrAppend(&text, "add rule ip ", table, " ", chain, " ", rule, "\n");
  }
}

using Element = std::pair<const std::pair<std::string, std::string>, std::string>;

// One command per map: `elements` are sorted by it.
void AppendElements(std::string& text, absl::string_view verb, const std::string& table,
                    const std::vector<const Element*>& elements) {
  const std::string* map = nullptr;
  for (const Element* element : elements) {
    const auto& [place, value] = *element;
    if (map != nullptr && *map == place.first) {
      text += ", ";
    } else {
      if (map != nullptr) text += " }\n";
      absl::StrAppend(&text, verb, " element ip ", table, " ", place.first, " { ");
      map = &place.first;
    }
    text += place.second;
    if (verb == "add") absl::StrAppend(&text, " : ", value);
  }
  if (map != nullptr) text += " }\n";
}

// Those of `from` that `other` does not have just so.
std::vector<const Element*> Differing(const ServiceObjects& from, const ServiceObjects& other) {
  std::vector<const Element*> differing;
  for (const Element& element : from.elements) {
    const auto found = other.elements.find(element.first);
    if (found == other.elements.end() || found->second != element.second) {
      differing.push_back(&element);
    }
  }
  return differing;
}

// All chains are there before a rule of one names another.
void AppendChains(std::string& text, const std::string& table, const ServiceObjects& before,
                  const ServiceObjects& after) {
  std::string rules;
  for (const auto& [name, wanted] : after.chains) {
    const auto found = before.chains.find(name);
    if (found != before.chains.end() && found->second == wanted) continue;
    absl::StrAppend(&text, "add chain ip ", table, " ", name, "\nflush chain ip ", table, " ", name,
                    "\n");
    AppendRules(rules, table, name, wanted);
  }
  text += rules;
}

void AppendRemovals(std::string& text, const std::string& table, const ServiceObjects& before,
                    const ServiceObjects& after) {
  std::string deletions;
  for (const auto& [name, rules] : before.chains) {
    if (after.chains.count(name) > 0) continue;
    absl::StrAppend(&text, "flush chain ip ", table, " ", name, "\n");
    absl::StrAppend(&deletions, "delete chain ip ", table, " ", name, "\n");
  }
  text += deletions;
  for (const std::string& name : before.client_sets) {
    if (after.client_sets.count(name) == 0) {
      absl::StrAppend(&text, "delete set ip ", table, " ", name, "\n");
    }
  }
}

}  // namespace

ServiceTable SoundServices(const std::vector<ServiceRoute>& services, const ServiceTable& before,
                           absl::Status& first) {
  ServiceTable sound;
  absl::flat_hash_set<Claim> taken;
  for (const ServiceRoute& service : services) {
    const std::vector<Claim> claims = ClaimsOf(service);
    const bool clashes = sound.count(service.key) > 0 ||
                         std::adjacent_find(claims.begin(), claims.end()) != claims.end() ||
                         std::any_of(claims.begin(), claims.end(), [&taken](const Claim& claim) {
                           return taken.contains(claim);
                         });
    if (clashes) {
      first.Update(absl::InvalidArgumentError(absl::StrCat(
          "service ", service.key, " claims an address and port that another one has")));
      continue;
    }
    taken.insert(claims.begin(), claims.end());
    const auto known = before.find(service.key);
    sound[service.key] = known != before.end() && *known->second == service
                             ? known->second
                             : std::make_shared<const ServiceRoute>(service);
  }
  return sound;
}

std::vector<ServiceBackend> BackendsWithin(const ServiceRoute& service,
                                           const ServicePortRoute& port) {
  return LocalOnes(port.backends, service.internal_local);
}

std::vector<ServiceBackend> BackendsFromOutside(const ServiceRoute& service,
                                                const ServicePortRoute& port) {
  return LocalOnes(port.backends, service.external_local);
}

void AddObjects(const ServiceRoute& service, ServiceObjects& objects) {
  for (const ServicePortRoute& port : service.ports) {
    if (HasAddress(service)) {
      AddEntrance(service, port, AddressEntrance(service, port), BackendsWithin(service, port),
                  objects);
    }
    if (port.node_port != 0) {
      AddEntrance(service, port, NodeEntrance(port), BackendsFromOutside(service, port), objects);
    }
  }
}

void AddPicks(const ServiceRoute& service, Picks& picks) {
  const auto local = [](const ServicePortRoute& port) {
    return static_cast<size_t>(std::count_if(port.backends.begin(), port.backends.end(),
                                             [](const auto& backend) { return backend.local; }));
  };
  for (const ServicePortRoute& port : service.ports) {
    const size_t all = port.backends.size();
    const size_t within = service.internal_local ? local(port) : all;
    if (HasAddress(service) && within > 0) picks.emplace(false, port.protocol, within);
    const size_t outside = service.external_local ? local(port) : all;
    if (port.node_port != 0 && outside > 0) picks.emplace(true, port.protocol, outside);
  }
}

void AddChains(const Picks& picks, ServiceObjects& objects) {
  for (const auto& [node, protocol, size] : picks) {
    objects.chains[PickChain(node, protocol, size)] = PickRules(node, protocol, size);
  }
}

bool IsServiceChain(absl::string_view name) {
  return absl::StartsWith(name, "pick_") || absl::StartsWith(name, kSticky);
}

bool IsClientSet(absl::string_view name) { return absl::StartsWith(name, kClients); }

std::string ServiceBaseRules(const std::string& table) {
  std::string text = absl::StrReplaceAll(kServiceBase, {{"$TABLE", table}});
  for (const Protocol protocol : kProtocols) {
    absl::StrAppend(&text, absl::StrReplaceAll(kServiceBasePerProtocol,
                                               {{"$TABLE", table}, {"$P", NameOf(protocol)}}));
  }
  return text;
}

std::string UnservedRules(const std::string& table, const Cidr& service_cidr) {
  return absl::StrCat("flush chain ip ", table, " unserved\nadd rule ip ", table,
                      " unserved ip daddr ", ToString(service_cidr.Network()), " goto refuse\n");
}

std::string FlushServiceMaps(const std::string& table) {
  std::string text;
  for (const Protocol protocol : kProtocols) {
    for (const char* suffix : {"_services", "_node_ports", "_backends", "_node_backends"}) {
      absl::StrAppend(&text, "flush map ip ", table, " ", NameOf(protocol), suffix, "\n");
    }
  }
  return text;
}

std::string ServiceChanges(const std::string& table, const ServiceObjects& before,
                           const ServiceObjects& after) {
  std::string text;
  for (const std::string& set : after.client_sets) {
    if (before.client_sets.count(set) > 0) continue;
    absl::StrAppend(&text, "add set ip ", table, " ", set,
                    " { type ipv4_addr; flags dynamic,timeout; size 65536; }\n");
  }
  AppendChains(text, table, before, after);
  AppendElements(text, "delete", table, Differing(before, after));
  AppendElements(text, "add", table, Differing(after, before));
  AppendRemovals(text, table, before, after);
  return text;
}

}  // namespace cluster::node
