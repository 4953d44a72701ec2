#include "node/network/service_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ServiceBackend Backend(const char* address, bool local) {
  return {ParseIpv4(address).value(), 8080, local};
}
const ServiceBackend kHere = Backend("10.64.0.2", true);
const ServiceBackend kThere = Backend("10.64.4.2", false);

ServiceRoute Web(std::vector<ServiceBackend> backends, uint16_t node_port = 0) {
  ServiceRoute service;
  service.key = "shop/web";
  service.cluster_ip = ParseIpv4("10.96.0.10").value();
  service.ports = {{Protocol::kTcp, 80, node_port, std::move(backends)}};
  return service;
}

ServiceObjects ObjectsOf(const std::vector<ServiceRoute>& services) {
  ServiceObjects objects;
  Picks picks;
  for (const ServiceRoute& service : services) {
    AddObjects(service, objects);
    AddPicks(service, picks);
  }
  AddChains(picks, objects);
  return objects;
}

std::string Changes(const std::vector<ServiceRoute>& before,
                    const std::vector<ServiceRoute>& after) {
  return ServiceChanges("t", ObjectsOf(before), ObjectsOf(after));
}

TEST(ServiceTextTest, NewServiceIsElementsAndAChainForItsNumberOfBackends) {
  EXPECT_EQ(Changes({}, {Web({kHere, kThere}, 30080)}),
            "add chain ip t pick_node_tcp_2\n"
            "flush chain ip t pick_node_tcp_2\n"
            "add chain ip t pick_tcp_2\n"
            "flush chain ip t pick_tcp_2\n"
            "add rule ip t pick_node_tcp_2 dnat to tcp dport . numgen random mod 2 map "
            "@tcp_node_backends\n"
            "add rule ip t pick_node_tcp_2 dnat to tcp dport . numgen random mod 1 map "
            "@tcp_node_backends\n"
            "add rule ip t pick_tcp_2 dnat to ip daddr . tcp dport . numgen random mod 2 map "
            "@tcp_backends\n"
            "add rule ip t pick_tcp_2 dnat to ip daddr . tcp dport . numgen random mod 1 map "
            "@tcp_backends\n"
            "add element ip t tcp_backends { 10.96.0.10 . 80 . 0 : 10.64.0.2 . 8080, "
            "10.96.0.10 . 80 . 1 : 10.64.4.2 . 8080 }\n"
            "add element ip t tcp_node_backends { 30080 . 0 : 10.64.0.2 . 8080, "
            "30080 . 1 : 10.64.4.2 . 8080 }\n"
            "add element ip t tcp_node_ports { 30080 : goto pick_node_tcp_2 }\n"
            "add element ip t tcp_services { 10.96.0.10 . 80 : goto pick_tcp_2 }\n");
}

TEST(ServiceTextTest, NoChangeIsNoCommand) {
  EXPECT_EQ(Changes({Web({kHere})}, {Web({kHere})}), "");
}

TEST(ServiceTextTest, ServiceThatGoesTakesItsElementsAndChainsNobodyElseNeeds) {
  ServiceRoute other = Web({kHere});
  other.key = "shop/other";
  other.cluster_ip = ParseIpv4("10.96.0.11").value();
  EXPECT_EQ(Changes({Web({kHere}), other}, {other}),
            "delete element ip t tcp_backends { 10.96.0.10 . 80 . 0 }\n"
            "delete element ip t tcp_services { 10.96.0.10 . 80 }\n");
  EXPECT_EQ(Changes({other}, {}),
            "delete element ip t tcp_backends { 10.96.0.11 . 80 . 0 }\n"
            "delete element ip t tcp_services { 10.96.0.11 . 80 }\n"
            "flush chain ip t pick_tcp_1\n"
            "delete chain ip t pick_tcp_1\n");
}

TEST(ServiceTextTest, Behaviour62_TcpAndUdpOfOneNumberAreTwo) {
  ServiceRoute both = Web({kHere});
  both.ports.push_back({Protocol::kUdp, 80, 0, {kHere}});
  EXPECT_THAT(Changes({both}, {Web({kHere})}),
              AllOf(HasSubstr("delete element ip t udp_services { 10.96.0.10 . 80 }"),
                    Not(HasSubstr("tcp"))));
}

TEST(ServiceTextTest, NobodyThereIsRefusedAndNobodyHereIsDropped) {
  EXPECT_THAT(Changes({}, {Web({}, 30080)}),
              AllOf(HasSubstr("tcp_services { 10.96.0.10 . 80 : goto refuse }"),
                    HasSubstr("tcp_node_ports { 30080 : goto refuse }")));
  ServiceRoute local = Web({kThere}, 30080);
  local.external_local = true;
  EXPECT_THAT(Changes({}, {local}),
              AllOf(HasSubstr("tcp_services { 10.96.0.10 . 80 : goto pick_tcp_1 }"),
                    HasSubstr("tcp_node_ports { 30080 : drop }"), Not(HasSubstr("pick_node"))));
  local.external_local = false;
  local.internal_local = true;
  EXPECT_THAT(Changes({}, {local}),
              AllOf(HasSubstr("tcp_services { 10.96.0.10 . 80 : drop }"),
                    HasSubstr("tcp_node_ports { 30080 : goto pick_node_tcp_1 }")));
}

TEST(ServiceTextTest, Behaviour63_AffinityIsASetOfClientsPerBackend) {
  ServiceRoute service = Web({kHere, kThere});
  service.affinity = absl::Hours(3);
  const ServiceObjects objects = ObjectsOf({service});
  EXPECT_THAT(objects.client_sets, ElementsAre("clients_shop/web_tcp_80_10.64.0.2_8080",
                                               "clients_shop/web_tcp_80_10.64.4.2_8080"));
  EXPECT_EQ(objects.chains.at("sticky_shop/web_tcp_80"),
            "ip saddr @clients_shop/web_tcp_80_10.64.0.2_8080 meta l4proto tcp "
            "update @clients_shop/web_tcp_80_10.64.0.2_8080 { ip saddr timeout 10800s } "
            "dnat to 10.64.0.2:8080\n"
            "ip saddr @clients_shop/web_tcp_80_10.64.4.2_8080 meta l4proto tcp "
            "update @clients_shop/web_tcp_80_10.64.4.2_8080 { ip saddr timeout 10800s } "
            "dnat to 10.64.4.2:8080\n"
            "numgen random mod 2 0 meta l4proto tcp "
            "update @clients_shop/web_tcp_80_10.64.0.2_8080 { ip saddr timeout 10800s } "
            "dnat to 10.64.0.2:8080\n"
            "meta l4proto tcp "
            "update @clients_shop/web_tcp_80_10.64.4.2_8080 { ip saddr timeout 10800s } "
            "dnat to 10.64.4.2:8080\n"
            "goto pick_tcp_2\n");
}

TEST(ServiceTextTest, BackendThatGoesTakesItsClientsAlone) {
  ServiceRoute before = Web({kHere, kThere});
  before.affinity = absl::Hours(3);
  ServiceRoute after = before;
  after.ports[0].backends = {kThere};
  const std::string text = Changes({before}, {after});
  EXPECT_THAT(text, HasSubstr("delete set ip t clients_shop/web_tcp_80_10.64.0.2_8080\n"));
  EXPECT_THAT(text, Not(HasSubstr("set ip t clients_shop/web_tcp_80_10.64.4.2_8080")));
  EXPECT_LT(text.find("flush chain ip t sticky_shop/web_tcp_80"), text.find("delete set"));
}

TEST(ServiceTextTest, NamesAreKnownAgain) {
  ServiceRoute service = Web({kHere}, 30080);
  service.affinity = absl::Seconds(1);
  const ServiceObjects objects = ObjectsOf({service});
  for (const auto& [name, rules] : objects.chains) EXPECT_TRUE(IsServiceChain(name)) << name;
  for (const std::string& name : objects.client_sets) EXPECT_TRUE(IsClientSet(name)) << name;
  for (const char* name : {"services", "refuse", "unserved", "ports", "tcp_services"}) {
    EXPECT_FALSE(IsServiceChain(name) || IsClientSet(name)) << name;
  }
}

TEST(ServiceTextTest, SecondClaimOfAnAddressOrPortIsLeftOut) {
  ServiceRoute thief = Web({kThere});
  thief.key = "shop/thief";
  ServiceRoute neighbour = thief;
  neighbour.key = "shop/neighbour";
  neighbour.cluster_ip = ParseIpv4("10.96.0.11").value();
  absl::Status first;
  const auto sound = SoundServices({Web({kHere}), thief, neighbour}, {}, first);
  EXPECT_EQ(sound.size(), 2u);
  EXPECT_EQ(sound.count("shop/thief"), 0u);
  EXPECT_EQ(first.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(first.message()), HasSubstr("shop/thief"));

  ServiceRoute node_thief = neighbour;
  node_thief.ports[0].node_port = 30080;
  absl::Status second;
  EXPECT_EQ(SoundServices({Web({kHere}, 30080), node_thief}, {}, second).size(), 1u);
  EXPECT_FALSE(second.ok());
}

TEST(ServiceTextTest, ServiceThatClaimsAPortTwiceIsLeftOut) {
  ServiceRoute twice = Web({kHere});
  twice.ports.push_back(twice.ports[0]);
  absl::Status first;
  EXPECT_EQ(SoundServices({twice}, {}, first).size(), 0u);
  EXPECT_FALSE(first.ok());
}

TEST(ServiceTextTest, WhatDidNotChangeIsTheSameObject) {
  absl::Status first;
  const auto before = SoundServices({Web({kHere})}, {}, first);
  EXPECT_EQ(SoundServices({Web({kHere})}, before, first), before);
  EXPECT_NE(SoundServices({Web({kThere})}, before, first), before);
  EXPECT_EQ(first, absl::OkStatus());
}

TEST(ServiceTextTest, RangeOfServicesIsRefusedWhereNobodyTookIt) {
  EXPECT_EQ(UnservedRules("t", ParseCidr("10.96.0.0/16").value()),
            "flush chain ip t unserved\n"
            "add rule ip t unserved ip daddr 10.96.0.0/16 goto refuse\n");
}

}  // namespace
}  // namespace cluster::node
