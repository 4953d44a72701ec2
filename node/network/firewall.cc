#include "node/network/firewall.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include <nftables/libnftables.h>

#include "base/status.h"
#include "node/network/address_pool.h"
#include "node/network/service_routes.h"

namespace cluster::node {
namespace {

// $TABLE, $BRIDGE, $PODS, $GATEWAY and $CLUSTER are filled in. Chains are flushed first, so that
// the rules are the same however often this is applied; elements of sets and maps are not touched.
constexpr absl::string_view kBase = R"(add table ip $TABLE
add set ip $TABLE peers { type ipv4_addr; }
add set ip $TABLE served { type ipv4_addr; }
add set ip $TABLE hairpins { type ipv4_addr . ipv4_addr; }
add chain ip $TABLE guard { type filter hook prerouting priority -300; policy accept; }
add chain ip $TABLE answers { type filter hook output priority -300; policy accept; }
add chain ip $TABLE inbound { type nat hook prerouting priority -100; policy accept; }
add chain ip $TABLE local { type nat hook output priority -100; policy accept; }
add chain ip $TABLE outbound { type nat hook postrouting priority 100; policy accept; }
add chain ip $TABLE ports
add chain ip $TABLE services
flush chain ip $TABLE guard
flush chain ip $TABLE answers
flush chain ip $TABLE inbound
flush chain ip $TABLE local
flush chain ip $TABLE outbound
flush chain ip $TABLE ports
add rule ip $TABLE guard iifname != "lo" ip daddr 127.0.0.0/8 drop
add rule ip $TABLE guard iifname != "lo" ip saddr 127.0.0.0/8 drop
add rule ip $TABLE guard iifname != { "lo", "$BRIDGE" } ip daddr $GATEWAY meta l4proto { tcp, udp } th dport 53 drop
add rule ip $TABLE guard ip daddr $GATEWAY meta l4proto { tcp, udp } th dport 53 notrack
add rule ip $TABLE answers ip daddr $GATEWAY meta l4proto { tcp, udp } th dport 53 notrack
add rule ip $TABLE answers ip saddr $GATEWAY meta l4proto { tcp, udp } th sport 53 notrack
add rule ip $TABLE guard iifname { "lo", "$BRIDGE" } accept
add rule ip $TABLE guard ip daddr $PODS ip saddr != $CLUSTER ip saddr != @peers drop
add rule ip $TABLE inbound jump services
add rule ip $TABLE inbound fib daddr type local jump ports
add rule ip $TABLE local jump services
add rule ip $TABLE local fib daddr type local jump ports
add rule ip $TABLE outbound ip daddr $PODS ct status dnat ip saddr 127.0.0.0/8 masquerade
add rule ip $TABLE outbound ip daddr $PODS ct status dnat ip saddr $PODS ip daddr != @served masquerade
add rule ip $TABLE outbound ct status dnat ip saddr . ip daddr @hairpins masquerade
add rule ip $TABLE outbound ct status dnat ip saddr != $PODS oifname != "$BRIDGE" ip daddr $CLUSTER masquerade
add rule ip $TABLE outbound ct status dnat ip saddr != $PODS oifname != "$BRIDGE" ip daddr @peers masquerade
add rule ip $TABLE outbound ip saddr $PODS ip daddr != $CLUSTER oifname != "$BRIDGE" masquerade
)";

constexpr absl::string_view kBasePerProtocol =
    R"(add map ip $TABLE $PROTOCOL_ports { type inet_service : ipv4_addr . inet_service; }
add map ip $TABLE $PROTOCOL_ports_at { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
add rule ip $TABLE ports dnat to ip daddr . $PROTOCOL dport map @$PROTOCOL_ports_at
add rule ip $TABLE ports dnat to $PROTOCOL dport map @$PROTOCOL_ports
)";

std::string MapOf(const PublishedPort& port) {
  return absl::StrCat(NameOf(port.protocol), port.host_ip == Ipv4{} ? "_ports" : "_ports_at");
}

std::string KeyOf(const PublishedPort& port) {
  if (port.host_ip == Ipv4{}) return absl::StrCat(port.host_port);
  return absl::StrCat(ToString(port.host_ip), " . ", port.host_port);
}

void AppendAdd(std::string& text, const std::string& table, const PortTarget& target) {
  absl::StrAppend(&text, "add element ip ", table, " ", MapOf(target.port), " { ",
                  KeyOf(target.port), " : ", ToString(target.address), " . ", target.port.pod_port,
                  " }\n");
}

}  // namespace

std::string TableName(const std::string& bridge) { return absl::StrCat("cluster_", bridge); }

std::string BaseRules(const std::string& bridge, const Cidr& pod_cidr, const Cidr& cluster_cidr) {
  const std::string table = TableName(bridge);
  std::string text = absl::StrReplaceAll(kBase, {{"$TABLE", table},
                                                 {"$BRIDGE", bridge},
                                                 {"$PODS", ToString(pod_cidr.Network())},
                                                 {"$GATEWAY", ToString(GatewayOf(pod_cidr))},
                                                 {"$CLUSTER", ToString(cluster_cidr.Network())}});
  for (const Protocol protocol : kProtocols) {
    absl::StrAppend(&text,
                    absl::StrReplaceAll(kBasePerProtocol,
                                        {{"$TABLE", table}, {"$PROTOCOL", NameOf(protocol)}}));
  }
  return absl::StrCat(text, ServiceBaseRules(table));
}

std::string PortRules(const std::string& table, const std::vector<PortTarget>& removed,
                      const std::vector<PortTarget>& added) {
  std::string text;
  for (const PortTarget& target : removed) {
    // Added first: deleting what is not there would refuse the whole.
    AppendAdd(text, table, target);
    absl::StrAppend(&text, "delete element ip ", table, " ", MapOf(target.port), " { ",
                    KeyOf(target.port), " }\n");
  }
  for (const PortTarget& target : added) AppendAdd(text, table, target);
  return text;
}

std::string AllPortRules(const std::string& table, const std::vector<PortTarget>& ports) {
  std::string text;
  for (const Protocol protocol : kProtocols) {
    for (const char* suffix : {"_ports", "_ports_at"}) {
      absl::StrAppend(&text, "flush map ip ", table, " ", NameOf(protocol), suffix, "\n");
    }
  }
  for (const PortTarget& target : ports) AppendAdd(text, table, target);
  return text;
}

std::string PeerRules(const std::string& table, const std::vector<Ipv4>& peers) {
  std::string text = absl::StrCat("flush set ip ", table, " peers\n");
  if (peers.empty()) return text;
  absl::StrAppend(
      &text, "add element ip ", table, " peers { ",
      absl::StrJoin(peers, ", ", [](std::string* out, Ipv4 peer) { *out += ToString(peer); }),
      " }\n");
  return text;
}

std::string DeleteTableRules(const std::string& table) {
  return absl::StrCat("add table ip ", table, "\ndelete table ip ", table, "\n");
}

TableNames ParseTableNames(absl::string_view listing) {
  TableNames names;
  for (const absl::string_view line : absl::StrSplit(listing, '\n')) {
    // "<tab>chain NAME {"; rules and elements are further in.
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words.size() != 3 || words[2] != "{") continue;
    if (words[0] == "\tchain") names.chains.insert(words[1]);
    if (words[0] == "\tset" || words[0] == "\tmap") names.sets.insert(words[1]);
  }
  return names;
}

absl::StatusOr<std::unique_ptr<Firewall>> Firewall::Open() {
  nft_ctx* context = ::nft_ctx_new(NFT_CTX_DEFAULT);
  if (context == nullptr) {
    return absl::UnavailableError("nftables: the library cannot be set up");
  }
  auto firewall = std::unique_ptr<Firewall>(new Firewall(context));
  ::nft_ctx_buffer_output(context);
  ::nft_ctx_buffer_error(context);
  return firewall;
}

Firewall::~Firewall() { ::nft_ctx_free(context_); }

absl::Status Firewall::Run(const std::string& commands) {
  return commands.empty() ? absl::OkStatus() : Query(commands).status();
}

absl::StatusOr<std::string> Firewall::Query(const std::string& commands) {
  MutexLock lock(&mutex_);
  return QueryLocked(commands);
}

absl::StatusOr<TableNames> Firewall::Names(const std::string& table) {
  MutexLock lock(&mutex_);
  ::nft_ctx_output_set_flags(context_, NFT_CTX_OUTPUT_TERSE);
  const auto listing = QueryLocked(absl::StrCat("list table ip ", table));
  ::nft_ctx_output_set_flags(context_, 0);
  RETURN_IF_ERROR(listing.status());
  return ParseTableNames(*listing);
}

absl::StatusOr<std::string> Firewall::QueryLocked(const std::string& commands) {
  const int result = ::nft_run_cmd_from_buffer(context_, commands.c_str());
  // Both buffers are emptied by being read.
  const std::string error = ::nft_ctx_get_error_buffer(context_);
  std::string output = ::nft_ctx_get_output_buffer(context_);
  if (result == 0) return output;
  const std::vector<std::string> lines = absl::StrSplit(error, '\n', absl::SkipEmpty());
  return absl::InternalError(
      absl::StrCat("nftables: ", lines.empty() ? "refused without a reason" : lines.front(),
                   lines.size() > 1 ? absl::StrCat(" at '", lines[1], "'") : ""));
}

}  // namespace cluster::node
