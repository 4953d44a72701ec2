// Where services lead, on the real kernel: pods, nodes and strangers are network namespaces of the
// test's own, without a way out.
#include <optional>

#include <gmock/gmock.h>

#include "tests/root/node/network/service_world.h"

namespace cluster::node {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST_F(ServicesTest, Behaviour57_AddressLeadsToEachOfItsBackends) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  const Machine::Pod client = one_.AddPod("client");
  Set({Service({a.Local(), b.Remote()})});
  EXPECT_EQ(Reached(client.netns.get(), kWeb, 80, {&a, &b}), (std::set<const Server*>{&a, &b}));
  const UniqueFd udp = ConnectUdp(client.netns.get(), kWeb, 80);
  EXPECT_NE(AskUdp(udp, {&a, &b}).server, nullptr);
}

TEST_F(ServicesTest, NodeItselfReachesServicesWithoutADefaultRoute) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  Set({Service({a.Local(), b.Remote()})});
  EXPECT_EQ(Reached(one_.netns(), kWeb, 80, {&a, &b}), (std::set<const Server*>{&a, &b}));
  EXPECT_NE(AskUdp(ConnectUdp(one_.netns(), kWeb, 80), {&a, &b}).server, nullptr);
}

TEST_F(ServicesTest, Behaviour58_WithoutBackendsConnectionsAreRefusedAtOnce) {
  const Server a(one_.AddPod("a"));
  const Machine::Pod client = one_.AddPod("client");
  Set({Service({})});
  const Ipv4 nobodys = ParseIpv4("10.96.7.7").value();
  for (const int from : {client.netns.get(), one_.netns()}) {
    EXPECT_EQ(Ask(from, kWeb, 80, {&a}).error, ECONNREFUSED);
    EXPECT_EQ(Ask(from, kWeb, 81, {&a}).error, ECONNREFUSED) << "no such port";
    EXPECT_EQ(Ask(from, nobodys, 80, {&a}).error, ECONNREFUSED) << "no such service";
    EXPECT_EQ(Ask(from, Wire::AddressOf(1), kNodePort, {&a}).error, ECONNREFUSED);
    // A caller on the node hears of it from the call itself.
    const int refused = from == one_.netns() ? EPERM : ECONNREFUSED;
    EXPECT_EQ(AskUdp(ConnectUdp(from, kWeb, 80), {&a}).error, refused);
    EXPECT_EQ(AskUdp(ConnectUdp(from, nobodys, 80), {&a}).error, refused);
  }
  EXPECT_EQ(Ask(outside_.get(), Wire::AddressOf(1), kNodePort, {&a}).error, ECONNREFUSED);
  EXPECT_EQ(AskUdp(ConnectUdp(outside_.get(), Wire::AddressOf(1), kNodePort), {&a}).error,
            ECONNREFUSED);
  Set({Service({a.Local()})});
  EXPECT_EQ(Ask(client.netns.get(), kWeb, 80, {&a}).server, &a) << "the control";
}

TEST_F(ServicesTest, Behaviour62_TcpAndUdpOfOneNumberAreTwo) {
  const Server a(one_.AddPod("a"));
  const Machine::Pod client = one_.AddPod("client");
  ServiceRoute service = Service({a.Local()});
  Set({service});
  const auto tcp = [&] { return Ask(client.netns.get(), kWeb, 80, {&a}); };
  const auto udp = [&] { return AskUdp(ConnectUdp(client.netns.get(), kWeb, 80), {&a}); };
  EXPECT_EQ(tcp().server, &a);
  EXPECT_EQ(udp().server, &a);
  service.ports.pop_back();
  Set({service});
  EXPECT_EQ(tcp().server, &a);
  EXPECT_EQ(udp().error, ECONNREFUSED);
  service = Service({a.Local()});
  service.ports.erase(service.ports.begin());
  Set({service});
  EXPECT_EQ(tcp().error, ECONNREFUSED);
  EXPECT_EQ(udp().server, &a);
}

TEST_F(ServicesTest, Behaviour63_ClientStaysWithItsBackend) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  const Server c(two_.AddPod("c"));
  const std::vector<const Server*> all = {&a, &b, &c};
  const Machine::Pod client = one_.AddPod("client");
  ServiceRoute service = Service({a.Local(), b.Remote(), c.Remote()});
  Set({service});
  EXPECT_THAT(Reached(client.netns.get(), kWeb, 80, all), SizeIs(3)) << "the control: none";
  service.affinity = absl::Hours(3);
  Set({service});
  const Server* mine = Ask(client.netns.get(), kWeb, 80, all).server;
  EXPECT_EQ(Reached(client.netns.get(), kWeb, 80, all), (std::set<const Server*>{mine}));
  // Another service, another backend of this one, another life of the agent.
  Set({service, Other({a.Local()})});
  for (auto& port : service.ports) {
    std::erase_if(port.backends, [&](const ServiceBackend& backend) {
      return backend.address == (mine == &c ? b : c).pod.address.ip;
    });
  }
  Set({service});
  EXPECT_EQ(Reached(client.netns.get(), kWeb, 80, all), (std::set<const Server*>{mine}));
  one_.Start();
  Set({service});
  EXPECT_EQ(Reached(client.netns.get(), kWeb, 80, all), (std::set<const Server*>{mine}));
  // It goes, and comes back: nothing leads to it any more than to the other.
  ServiceRoute without = service;
  for (auto& port : without.ports) {
    std::erase_if(port.backends, [&](const ServiceBackend& backend) {
      return backend.address == mine->pod.address.ip;
    });
  }
  Set({without});
  const Server* next = Ask(client.netns.get(), kWeb, 80, all).server;
  EXPECT_NE(next, mine);
  Set({service});
  EXPECT_EQ(Reached(client.netns.get(), kWeb, 80, all), (std::set<const Server*>{next}));
}

TEST_F(ServicesTest, Behaviour63_AffinityLastsAsLongAsItSays) {
  const Server a(one_.AddPod("a"));
  const Machine::Pod client = one_.AddPod("client");
  ServiceRoute service = Service({a.Local()});
  service.affinity = absl::Hours(3);
  Set({service});
  EXPECT_EQ(Ask(client.netns.get(), kWeb, 80, {&a}).server, &a);
  EXPECT_THAT(one_.Ruleset(),
              HasSubstr(absl::StrCat(ToString(client.address.ip), " timeout 3h expires ")));
}

TEST_F(ServicesTest, NodePortIsReachedFromEverywhere) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  const Machine::Pod client = one_.AddPod("client");
  const Machine::Pod far = two_.AddPod("far");
  for (const bool local : {true, false}) {
    const Server* server = local ? &a : &b;
    Set({Service({local ? a.Local() : b.Remote()})});
    for (const int from : {outside_.get(), one_.netns(), client.netns.get(), far.netns.get()}) {
      EXPECT_EQ(Ask(from, Wire::AddressOf(1), kNodePort, {&a, &b}).server, server);
      EXPECT_EQ(AskUdp(ConnectUdp(from, Wire::AddressOf(1), kNodePort), {&a, &b}).server, server);
    }
    EXPECT_EQ(Ask(one_.netns(), kLoopback, kNodePort, {&a, &b}).server, server) << local;
    EXPECT_EQ(AskUdp(ConnectUdp(one_.netns(), kLoopback, kNodePort), {&a, &b}).server, server);
    EXPECT_EQ(Ask(client.netns.get(), client.address.gateway, kNodePort, {&a, &b}).server, server);
  }
}

TEST_F(ServicesTest, ExternalTrafficPolicyLocalStaysOnTheNodeAndKeepsTheCaller) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  const Machine::Pod client = one_.AddPod("client");
  ServiceRoute service = Service({a.Local(), b.Remote()});
  service.external_local = true;
  Set({service});
  for (int i = 0; i < kManyCalls; ++i) {
    const Answer answer = Ask(outside_.get(), Wire::AddressOf(1), kNodePort, {&a, &b});
    ASSERT_EQ(answer.server, &a);
    ASSERT_EQ(answer.client, Wire::AddressOf(9));
  }
  EXPECT_THAT(Reached(client.netns.get(), kWeb, 80, {&a, &b}), SizeIs(2)) << "by its address";
  service.ports[0].backends = {b.Remote()};
  Set({service});
  EXPECT_EQ(Ask(outside_.get(), Wire::AddressOf(1), kNodePort, {&b}, kShort).error, EINPROGRESS)
      << "dropped: somebody may have a pod at this moment";
  EXPECT_EQ(Ask(client.netns.get(), kWeb, 80, {&b}).server, &b);
}

TEST_F(ServicesTest, InternalTrafficPolicyLocalStaysOnTheNode) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  const Machine::Pod client = one_.AddPod("client");
  ServiceRoute service = Service({a.Local(), b.Remote()});
  service.internal_local = true;
  Set({service});
  EXPECT_EQ(Reached(client.netns.get(), kWeb, 80, {&a, &b}), (std::set<const Server*>{&a}));
  EXPECT_THAT(Reached(outside_.get(), Wire::AddressOf(1), kNodePort, {&a, &b}), SizeIs(2));
  service.ports[0].backends = {b.Remote()};
  Set({service});
  EXPECT_EQ(Ask(client.netns.get(), kWeb, 80, {&b}, kShort).error, EINPROGRESS);
}

TEST_F(ServicesTest, RestartedAgentKeepsRoutesUntilItIsToldOfOthers) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  const Machine::Pod client = one_.AddPod("client");
  ServiceRoute sticky = Other({a.Local(), a.Local(), a.Local()});
  sticky.affinity = absl::Hours(3);
  Set({Service({a.Local(), a.Local()}), sticky});
  const Call call = CallTcp(client.netns.get(), kWeb, 80, {&a});
  one_.Start();
  EXPECT_EQ(Ask(client.netns.get(), kWeb, 80, {&a}).server, &a);
  EXPECT_EQ(Ask(client.netns.get(), sticky.cluster_ip, 80, {&a}).server, &a);
  Set({Service({b.Remote()})});
  EXPECT_EQ(Ask(client.netns.get(), kWeb, 80, {&b}).server, &b);
  EXPECT_EQ(Ask(client.netns.get(), sticky.cluster_ip, 80, {&a}).error, ECONNREFUSED);
  EXPECT_TRUE(Talks(call)) << "of before";
  const std::string replaced = one_.Ruleset();
  EXPECT_THAT(replaced, Not(AnyOf(HasSubstr("sticky_"), HasSubstr("clients_"),
                                  HasSubstr("pick_tcp_2"), HasSubstr("10.96.0.11"))));
}

TEST_F(ServicesTest, ServicesThatGoLeaveNothingNorDoTheirPods) {
  Set({});
  const std::string before = one_.Inventory();
  std::optional<Server> a(one_.AddPod("a"));
  ServiceRoute sticky = Service({a->Local()});
  sticky.affinity = absl::Hours(3);
  Set({sticky, Other({a->Local()})});
  EXPECT_EQ(Ask(one_.netns(), kWeb, 80, {&*a}).server, &*a);
  Set({});
  ASSERT_EQ(one_.network().Release("a"), absl::OkStatus());
  a.reset();
  ASSERT_TRUE(one_.network().AwaitReleased(kPatience));
  EXPECT_EQ(one_.Inventory(), before);
}

TEST_F(ServicesTest, RouteOfServicesIsNoPeersAndGoesWithEverythingElse) {
  const Server a(one_.AddPod("a"));
  Set({Service({a.Local()})});
  ASSERT_EQ(one_.network().SetPeers({}), absl::OkStatus());
  EXPECT_EQ(Ask(one_.netns(), kWeb, 80, {&a}).server, &a);
  const Cidr others = ParseCidr("10.97.0.0/16").value();
  ASSERT_EQ(one_.network().SetServices(others, {}), absl::OkStatus());
  const auto routes = netlink::ListRoutes(one_.socket(), kRouteProtocol).value();
  ASSERT_THAT(routes, SizeIs(1));
  EXPECT_EQ(routes[0].destination, others);
  EXPECT_EQ(one_.network().RemoveAll(), absl::OkStatus());
  EXPECT_THAT(netlink::ListRoutes(one_.socket(), kRouteProtocol).value(), SizeIs(0));
  EXPECT_EQ(one_.Ruleset(), "");
}

TEST_F(ServicesTest, ServicesAreRememberedUntilThereIsARange) {
  Machine fresh("fresh");
  ServiceRoute service = Service({{ParseIpv4("10.64.8.2").value(), 8080, true}});
  ASSERT_EQ(fresh.network().SetServices(kServices, {service}), absl::OkStatus());
  EXPECT_EQ(fresh.Ruleset(), "");
  ASSERT_EQ(fresh.network().SetRange(ParseCidr("10.64.8.0/22").value(), kCluster),
            absl::OkStatus());
  const Server a(fresh.AddPod("a"));
  ASSERT_EQ(ToString(a.pod.address.ip), "10.64.8.2");
  const Machine::Pod client = fresh.AddPod("client");
  EXPECT_EQ(Ask(client.netns.get(), kWeb, 80, {&a}).server, &a);
}

TEST_F(ServicesTest, OneBadServiceDoesNotKeepTheOthersBack) {
  const Server a(one_.AddPod("a"));
  ServiceRoute thief = Other({});
  thief.cluster_ip = kWeb;
  EXPECT_EQ(one_.network().SetServices(kServices, {Service({a.Local()}), thief}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Ask(one_.netns(), kWeb, 80, {&a}).server, &a);
  EXPECT_EQ(one_.network().SetServices(kOne, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(one_.network().SetServices(ParseCidr("0.0.0.0/0").value(), {}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Ask(one_.netns(), kWeb, 80, {&a}).server, &a);
}

}  // namespace
}  // namespace cluster::node
