#include "node/network/firewall.h"

#include <gtest/gtest.h>

namespace cluster::node {
namespace {

const PortTarget kWeb{{Protocol::kTcp, {}, 8080, 80}, ParseIpv4("10.64.0.2").value()};
const PortTarget kDns{{Protocol::kUdp, ParseIpv4("192.0.2.1").value(), 53, 5353},
                      ParseIpv4("10.64.0.3").value()};

TEST(FirewallTextTest, PortsAreSingleElements) {
  EXPECT_EQ(PortRules("t", {}, {kWeb, kDns}),
            "add element ip t tcp_ports { 8080 : 10.64.0.2 . 80 }\n"
            "add element ip t udp_ports_at { 192.0.2.1 . 53 : 10.64.0.3 . 5353 }\n");
  EXPECT_EQ(PortRules("t", {}, {}), "");
}

TEST(FirewallTextTest, RemovalWorksWhetherOrNotTheElementIsThere) {
  EXPECT_EQ(PortRules("t", {kDns}, {}),
            "add element ip t udp_ports_at { 192.0.2.1 . 53 : 10.64.0.3 . 5353 }\n"
            "delete element ip t udp_ports_at { 192.0.2.1 . 53 }\n");
}

TEST(FirewallTextTest, WholeMapsAreReplacedInOneGo) {
  EXPECT_EQ(AllPortRules("t", {kWeb}),
            "flush map ip t tcp_ports\n"
            "flush map ip t tcp_ports_at\n"
            "flush map ip t udp_ports\n"
            "flush map ip t udp_ports_at\n"
            "flush map ip t sctp_ports\n"
            "flush map ip t sctp_ports_at\n"
            "add element ip t tcp_ports { 8080 : 10.64.0.2 . 80 }\n");
}

TEST(FirewallTextTest, PeersAreOneSet) {
  EXPECT_EQ(PeerRules("t", {}), "flush set ip t peers\n");
  EXPECT_EQ(PeerRules("t", {ParseIpv4("192.0.2.1").value(), ParseIpv4("192.0.2.2").value()}),
            "flush set ip t peers\nadd element ip t peers { 192.0.2.1, 192.0.2.2 }\n");
}

TEST(FirewallTextTest, BaseRulesGolden) {
  EXPECT_EQ(BaseRules("cbr0", ParseCidr("10.64.0.0/22").value(), ParseCidr("10.64.0.0/10").value()),
            R"(add table ip cluster_cbr0
add set ip cluster_cbr0 peers { type ipv4_addr; }
add set ip cluster_cbr0 served { type ipv4_addr; }
add set ip cluster_cbr0 hairpins { type ipv4_addr . ipv4_addr; }
add chain ip cluster_cbr0 guard { type filter hook prerouting priority -300; policy accept; }
add chain ip cluster_cbr0 answers { type filter hook output priority -300; policy accept; }
add chain ip cluster_cbr0 inbound { type nat hook prerouting priority -100; policy accept; }
add chain ip cluster_cbr0 local { type nat hook output priority -100; policy accept; }
add chain ip cluster_cbr0 outbound { type nat hook postrouting priority 100; policy accept; }
add chain ip cluster_cbr0 ports
add chain ip cluster_cbr0 services
flush chain ip cluster_cbr0 guard
flush chain ip cluster_cbr0 answers
flush chain ip cluster_cbr0 inbound
flush chain ip cluster_cbr0 local
flush chain ip cluster_cbr0 outbound
flush chain ip cluster_cbr0 ports
add rule ip cluster_cbr0 guard iifname != "lo" ip daddr 127.0.0.0/8 drop
add rule ip cluster_cbr0 guard iifname != "lo" ip saddr 127.0.0.0/8 drop
add rule ip cluster_cbr0 guard iifname != { "lo", "cbr0" } ip daddr 10.64.0.1 meta l4proto { tcp, udp } th dport 53 drop
add rule ip cluster_cbr0 guard ip daddr 10.64.0.1 meta l4proto { tcp, udp } th dport 53 notrack
add rule ip cluster_cbr0 answers ip daddr 10.64.0.1 meta l4proto { tcp, udp } th dport 53 notrack
add rule ip cluster_cbr0 answers ip saddr 10.64.0.1 meta l4proto { tcp, udp } th sport 53 notrack
add rule ip cluster_cbr0 guard iifname { "lo", "cbr0" } accept
add rule ip cluster_cbr0 guard ip daddr 10.64.0.0/22 ip saddr != 10.64.0.0/10 ip saddr != @peers drop
add rule ip cluster_cbr0 inbound jump services
add rule ip cluster_cbr0 inbound fib daddr type local jump ports
add rule ip cluster_cbr0 local jump services
add rule ip cluster_cbr0 local fib daddr type local jump ports
add rule ip cluster_cbr0 outbound ip daddr 10.64.0.0/22 ct status dnat ip saddr 127.0.0.0/8 masquerade
add rule ip cluster_cbr0 outbound ip daddr 10.64.0.0/22 ct status dnat ip saddr 10.64.0.0/22 ip daddr != @served masquerade
add rule ip cluster_cbr0 outbound ct status dnat ip saddr . ip daddr @hairpins masquerade
add rule ip cluster_cbr0 outbound ct status dnat ip saddr != 10.64.0.0/22 oifname != "cbr0" ip daddr 10.64.0.0/10 masquerade
add rule ip cluster_cbr0 outbound ct status dnat ip saddr != 10.64.0.0/22 oifname != "cbr0" ip daddr @peers masquerade
add rule ip cluster_cbr0 outbound ip saddr 10.64.0.0/22 ip daddr != 10.64.0.0/10 oifname != "cbr0" masquerade
add map ip cluster_cbr0 tcp_ports { type inet_service : ipv4_addr . inet_service; }
add map ip cluster_cbr0 tcp_ports_at { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
add rule ip cluster_cbr0 ports dnat to ip daddr . tcp dport map @tcp_ports_at
add rule ip cluster_cbr0 ports dnat to tcp dport map @tcp_ports
add map ip cluster_cbr0 udp_ports { type inet_service : ipv4_addr . inet_service; }
add map ip cluster_cbr0 udp_ports_at { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
add rule ip cluster_cbr0 ports dnat to ip daddr . udp dport map @udp_ports_at
add rule ip cluster_cbr0 ports dnat to udp dport map @udp_ports
add map ip cluster_cbr0 sctp_ports { type inet_service : ipv4_addr . inet_service; }
add map ip cluster_cbr0 sctp_ports_at { type ipv4_addr . inet_service : ipv4_addr . inet_service; }
add rule ip cluster_cbr0 ports dnat to ip daddr . sctp dport map @sctp_ports_at
add rule ip cluster_cbr0 ports dnat to sctp dport map @sctp_ports
add chain ip cluster_cbr0 refuse
add chain ip cluster_cbr0 unserved
add chain ip cluster_cbr0 forwarded { type filter hook forward priority 0; policy accept; }
add chain ip cluster_cbr0 sent { type filter hook output priority 0; policy accept; }
flush chain ip cluster_cbr0 services
flush chain ip cluster_cbr0 refuse
flush chain ip cluster_cbr0 forwarded
flush chain ip cluster_cbr0 sent
add rule ip cluster_cbr0 refuse meta l4proto tcp reject with tcp reset
add rule ip cluster_cbr0 refuse reject
add rule ip cluster_cbr0 forwarded jump unserved
add rule ip cluster_cbr0 sent jump unserved
add map ip cluster_cbr0 tcp_services { type ipv4_addr . inet_service : verdict; }
add map ip cluster_cbr0 tcp_node_ports { type inet_service : verdict; }
add map ip cluster_cbr0 tcp_backends { typeof ip daddr . tcp dport . numgen random mod 2 : ip daddr . tcp dport; }
add map ip cluster_cbr0 tcp_node_backends { typeof tcp dport . numgen random mod 2 : ip daddr . tcp dport; }
add rule ip cluster_cbr0 services ip daddr . tcp dport vmap @tcp_services
add rule ip cluster_cbr0 ports tcp dport vmap @tcp_node_ports
add map ip cluster_cbr0 udp_services { type ipv4_addr . inet_service : verdict; }
add map ip cluster_cbr0 udp_node_ports { type inet_service : verdict; }
add map ip cluster_cbr0 udp_backends { typeof ip daddr . udp dport . numgen random mod 2 : ip daddr . udp dport; }
add map ip cluster_cbr0 udp_node_backends { typeof udp dport . numgen random mod 2 : ip daddr . udp dport; }
add rule ip cluster_cbr0 services ip daddr . udp dport vmap @udp_services
add rule ip cluster_cbr0 ports udp dport vmap @udp_node_ports
add map ip cluster_cbr0 sctp_services { type ipv4_addr . inet_service : verdict; }
add map ip cluster_cbr0 sctp_node_ports { type inet_service : verdict; }
add map ip cluster_cbr0 sctp_backends { typeof ip daddr . sctp dport . numgen random mod 2 : ip daddr . sctp dport; }
add map ip cluster_cbr0 sctp_node_backends { typeof sctp dport . numgen random mod 2 : ip daddr . sctp dport; }
add rule ip cluster_cbr0 services ip daddr . sctp dport vmap @sctp_services
add rule ip cluster_cbr0 ports sctp dport vmap @sctp_node_ports
)");
}

TEST(FirewallTextTest, NamesAreReadFromAListing) {
  const TableNames names = ParseTableNames(
      "table ip t {\n\tset clients_a/b {\n\t\ttype ipv4_addr\n\t}\n\n\tmap m {\n\t\ttype x : y\n"
      "\t\telements = { 1 : goto c }\n\t}\n\n\tchain pick_tcp_1 {\n\t\tset x {\n\t}\n}\n");
  EXPECT_EQ(names.chains, (std::set<std::string>{"pick_tcp_1"}));
  EXPECT_EQ(names.sets, (std::set<std::string>{"clients_a/b", "m"}));
}

}  // namespace
}  // namespace cluster::node
