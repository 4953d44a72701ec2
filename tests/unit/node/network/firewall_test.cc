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
add chain ip cluster_cbr0 guard { type filter hook prerouting priority -300; policy accept; }
add chain ip cluster_cbr0 inbound { type nat hook prerouting priority -100; policy accept; }
add chain ip cluster_cbr0 local { type nat hook output priority -100; policy accept; }
add chain ip cluster_cbr0 outbound { type nat hook postrouting priority 100; policy accept; }
add chain ip cluster_cbr0 ports
flush chain ip cluster_cbr0 guard
flush chain ip cluster_cbr0 inbound
flush chain ip cluster_cbr0 local
flush chain ip cluster_cbr0 outbound
flush chain ip cluster_cbr0 ports
add rule ip cluster_cbr0 guard iifname != "lo" ip daddr 127.0.0.0/8 drop
add rule ip cluster_cbr0 guard iifname { "lo", "cbr0" } accept
add rule ip cluster_cbr0 guard ip daddr 10.64.0.0/22 ip saddr != 10.64.0.0/10 ip saddr != @peers drop
add rule ip cluster_cbr0 inbound fib daddr type local jump ports
add rule ip cluster_cbr0 local fib daddr type local jump ports
add rule ip cluster_cbr0 outbound ip daddr 10.64.0.0/22 ct status dnat ip saddr { 10.64.0.0/22, 127.0.0.0/8 } masquerade
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
)");
}

}  // namespace
}  // namespace cluster::node
