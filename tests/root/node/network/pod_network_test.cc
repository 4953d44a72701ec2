// Pods' networking on the real kernel: nodes, pods and the wire between them are network namespaces
// of the test's own, without a way out.
#include <gmock/gmock.h>

#include "tests/root/node/network/network_world.h"

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PodNetworkTest : public ::testing::Test {
 protected:
  PodNetworkTest() { EXPECT_EQ(one_.network().SetRange(kOne, kCluster), absl::OkStatus()); }
  const Cidr kOne = ParseCidr("10.64.0.0/22").value();
  const Cidr kTwo = ParseCidr("10.64.4.0/22").value();
  Machine one_{"node1"};
};

TEST_F(PodNetworkTest, PodHasItsAddressItsGatewayAndItsNeighbour) {
  const Machine::Pod pod = one_.AddPod("a");
  EXPECT_EQ(ToString(pod.address.ip), "10.64.0.2");
  netlink::Socket inside = netlink::Socket::OpenInNetns(pod.netns.get()).value();
  const netlink::Link eth0 = netlink::FindLink(inside, "eth0").value();
  EXPECT_TRUE(eth0.running);
  EXPECT_EQ(eth0.mac, PodMac(pod.address.ip));
  EXPECT_TRUE(netlink::FindLink(inside, "lo").value().up);
  const auto routes = netlink::ListRoutes(inside).value();
  EXPECT_TRUE(std::any_of(routes.begin(), routes.end(), [](const netlink::Route& route) {
    return route.destination.prefix == 0 && ToString(*route.gateway) == "10.64.0.1";
  }));
  EXPECT_THAT(netlink::ListNeighbours(inside).value(), SizeIs(1));
}

TEST_F(PodNetworkTest, PodsOfOneNodeAndTheNodeReachEachOther) {
  const Machine::Pod a = one_.AddPod("a");
  const Machine::Pod b = one_.AddPod("b");
  const UniqueFd listener = ListenIn(b.netns.get(), 80);
  EXPECT_EQ(Visit(a.netns.get(), listener, b.address.ip, 80).value(), a.address.ip);
  EXPECT_EQ(Visit(one_.netns(), listener, b.address.ip, 80).value(), a.address.gateway);
}

// Entries that are not permanent count against a limit of the whole machine: a full house beside
// others would be out of them.
TEST_F(PodNetworkTest, TheNodeKnowsWhereAPodIsUntilItsAddressIsGone) {
  Machine::Pod pod = one_.AddPod("a");
  const auto known = netlink::ListNeighbours(one_.socket()).value();
  ASSERT_THAT(known, SizeIs(1));
  EXPECT_EQ(known[0].address, pod.address.ip);
  EXPECT_TRUE(known[0].permanent);
  ASSERT_EQ(one_.network().Release("a"), absl::OkStatus());
  pod.netns.reset();
  ASSERT_TRUE(one_.network().AwaitReleased(kPatience));
  EXPECT_THAT(netlink::ListNeighbours(one_.socket()).value(), IsEmpty());
}

TEST_F(PodNetworkTest, AttachingTwiceIsOneLink) {
  const Machine::Pod pod = one_.AddPod("a");
  EXPECT_EQ(one_.network().Attach("a", pod.netns.get()), absl::OkStatus());
  EXPECT_EQ(one_.network().Reserve("a", {}).value().ip, pod.address.ip);
  EXPECT_THAT(netlink::ListLinks(one_.socket()).value(), SizeIs(3)) << "lo, bridge, one pod";
}

TEST_F(PodNetworkTest, ANewNamespaceOfTheSamePodReplacesTheOldLink) {
  const Machine::Pod before = one_.AddPod("a");
  const Machine::Pod after = one_.AddPod("a");
  EXPECT_EQ(before.address.ip, after.address.ip);
  const UniqueFd listener = ListenIn(after.netns.get(), 80);
  EXPECT_EQ(Visit(one_.netns(), listener, after.address.ip, 80).status(), absl::OkStatus());
}

TEST_F(PodNetworkTest, ForeignEth0IsNotTouched) {
  const UniqueFd netns = netlink::CreateNetns().value();
  netlink::Socket inside = netlink::Socket::OpenInNetns(netns.get()).value();
  ASSERT_EQ(inside.Execute(netlink::CreateVeth({.name = "eth0", .peer_name = "x"})),
            absl::OkStatus());
  ASSERT_TRUE(one_.network().Reserve("a", {}).ok());
  EXPECT_EQ(one_.network().Attach("a", netns.get()).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(PodNetworkTest, PodsOfDifferentNodesReachEachOtherWithTheirOwnAddresses) {
  Machine two("node2");
  ASSERT_EQ(two.network().SetRange(kTwo, kCluster), absl::OkStatus());
  Wire wire;
  wire.Join(one_.netns(), 1);
  wire.Join(two.netns(), 2);
  ASSERT_EQ(one_.network().SetPeers({{"node2", Wire::AddressOf(2), kTwo}}), absl::OkStatus());
  ASSERT_EQ(two.network().SetPeers({{"node1", Wire::AddressOf(1), kOne}}), absl::OkStatus());
  const Machine::Pod a = one_.AddPod("a");
  const Machine::Pod b = two.AddPod("b");
  const UniqueFd at_b = ListenIn(b.netns.get(), 80);
  const UniqueFd at_a = ListenIn(a.netns.get(), 80);
  EXPECT_EQ(Visit(a.netns.get(), at_b, b.address.ip, 80).value(), a.address.ip);
  EXPECT_EQ(Visit(b.netns.get(), at_a, a.address.ip, 80).value(), b.address.ip);
  EXPECT_EQ(Visit(one_.netns(), at_b, b.address.ip, 80).value(), Wire::AddressOf(1));
}

TEST_F(PodNetworkTest, Row28_StrangersOnTheWireReachPublishedPortsOnly) {
  Wire wire;
  wire.Join(one_.netns(), 1);
  const UniqueFd stranger = netlink::CreateNetns().value();
  wire.Join(stranger.get(), 9);
  netlink::Socket there = netlink::Socket::OpenInNetns(stranger.get()).value();
  ASSERT_EQ(there.Execute(netlink::AddRoute({.destination = kOne, .gateway = Wire::AddressOf(1)})),
            absl::OkStatus());
  const Machine::Pod pod = one_.AddPod("a", {{Protocol::kTcp, {}, 8080, 80}});
  const UniqueFd listener = ListenIn(pod.netns.get(), 80);
  EXPECT_EQ(Visit(stranger.get(), listener, Wire::AddressOf(1), 8080).value(), Wire::AddressOf(9));
  EXPECT_FALSE(Visit(stranger.get(), listener, pod.address.ip, 80, absl::Milliseconds(300)).ok());
  one_.DropGuard();
  EXPECT_EQ(Visit(stranger.get(), listener, pod.address.ip, 80).value(), Wire::AddressOf(9))
      << "the control: the way is there";
}

// A neighbour with a route for 127.0.0.1 by way of the node, as moby#45610 has it.
TEST_F(PodNetworkTest, Row28_APortOf127IsForTheNodeAlone) {
  Wire wire;
  wire.Join(one_.netns(), 1);
  const UniqueFd stranger = netlink::CreateNetns().value();
  wire.Join(stranger.get(), 9);
  const Ipv4 loopback = ParseIpv4("127.0.0.1").value();
  const auto allow = [] {
    return WriteControlAt(AT_FDCWD, "/proc/sys/net/ipv4/conf/all/route_localnet", "1");
  };
  ASSERT_EQ(netlink::RunInNetns(stranger.get(), allow), absl::OkStatus());
  netlink::Socket there = netlink::Socket::OpenInNetns(stranger.get()).value();
  // As long as it is the address of a link of its own, nothing for it leaves the stranger.
  const int lo = netlink::FindLink(there, "lo").value().index;
  ASSERT_EQ(there.Execute({netlink::DeleteAddress({lo, Cidr{loopback, 8}}),
                           netlink::AddRoute({.destination = Cidr{loopback, 32},
                                              .gateway = Wire::AddressOf(1)})}),
            absl::OkStatus());
  const Machine::Pod pod =
      one_.AddPod("a", {{Protocol::kTcp, loopback, 8080, 80}, {Protocol::kTcp, {}, 8081, 80}});
  const UniqueFd listener = ListenIn(pod.netns.get(), 80);
  EXPECT_TRUE(Visit(one_.netns(), listener, loopback, 8080).ok()) << "from the node itself";
  // As kube-proxy leaves its nodes.
  ASSERT_EQ(netlink::RunInNetns(one_.netns(), allow), absl::OkStatus());
  EXPECT_FALSE(Visit(stranger.get(), listener, loopback, 8080, absl::Milliseconds(300)).ok());
  EXPECT_TRUE(Visit(stranger.get(), listener, Wire::AddressOf(1), 8081).ok())
      << "the control: what is published to all";
  // Nor what the node itself has there.
  const UniqueFd service = ListenIn(one_.netns(), 9090);
  EXPECT_FALSE(Visit(stranger.get(), service, loopback, 9090, absl::Milliseconds(300)).ok());
  one_.DropGuard();
  EXPECT_TRUE(Visit(stranger.get(), service, loopback, 9090).ok())
      << "the control: the way is there";
}

// The name server's port on the bridge.
TEST_F(PodNetworkTest, Row28_NamesAreForPodsAloneAndAnsweredByNoneOfThem) {
  Wire wire;
  wire.Join(one_.netns(), 1);
  const UniqueFd stranger = netlink::CreateNetns().value();
  wire.Join(stranger.get(), 9);
  netlink::Socket there = netlink::Socket::OpenInNetns(stranger.get()).value();
  ASSERT_EQ(there.Execute(netlink::AddRoute({.destination = kOne, .gateway = Wire::AddressOf(1)})),
            absl::OkStatus());
  // It has that port of the node.
  const Machine::Pod pod = one_.AddPod("a", {{Protocol::kTcp, {}, 53, 53}});
  const Machine::Pod other = one_.AddPod("b");
  const UniqueFd at_pod = ListenIn(pod.netns.get(), 53);
  const UniqueFd at_node = ListenIn(one_.netns(), 53);
  const Ipv4 bridge = GatewayOf(kOne);
  EXPECT_EQ(Visit(other.netns.get(), at_node, bridge, 53).value(), other.address.ip);
  EXPECT_TRUE(Visit(pod.netns.get(), at_node, bridge, 53).ok());
  EXPECT_TRUE(Visit(one_.netns(), at_node, bridge, 53).ok()) << "who is in the node's network";
  EXPECT_TRUE(Visit(stranger.get(), at_pod, Wire::AddressOf(1), 53).ok()) << "its port";
  EXPECT_FALSE(Visit(stranger.get(), at_pod, bridge, 53, absl::Milliseconds(300)).ok());
  one_.DropGuard();
  EXPECT_TRUE(Visit(stranger.get(), at_pod, bridge, 53).ok())
      << "the control: the way is there, and leads to the pod";
}

TEST_F(PodNetworkTest, HostPortIsReachedFromEverywhereAndGoneAfterRelease) {
  Wire wire;
  wire.Join(one_.netns(), 1);
  const UniqueFd client = netlink::CreateNetns().value();
  wire.Join(client.get(), 9);
  const Machine::Pod a = one_.AddPod(
      "a", {{Protocol::kTcp, {}, 8080, 80}, {Protocol::kTcp, Wire::AddressOf(1), 8081, 80}});
  const Machine::Pod b = one_.AddPod("b");
  const UniqueFd listener = ListenIn(a.netns.get(), 80);
  const Ipv4 loopback = ParseIpv4("127.0.0.1").value();
  for (const uint16_t port : {uint16_t{8080}, uint16_t{8081}}) {
    EXPECT_TRUE(Visit(client.get(), listener, Wire::AddressOf(1), port).ok()) << "from outside";
    EXPECT_TRUE(Visit(one_.netns(), listener, Wire::AddressOf(1), port).ok()) << "from the node";
    EXPECT_TRUE(Visit(b.netns.get(), listener, Wire::AddressOf(1), port).ok()) << "from a pod";
    EXPECT_TRUE(Visit(a.netns.get(), listener, Wire::AddressOf(1), port).ok()) << "from itself";
  }
  EXPECT_TRUE(Visit(one_.netns(), listener, loopback, 8080).ok()) << "from the node by 127.0.0.1";
  EXPECT_FALSE(Visit(one_.netns(), listener, loopback, 8081).ok()) << "published elsewhere only";
  ASSERT_EQ(one_.network().Release("a"), absl::OkStatus());
  EXPECT_FALSE(Visit(client.get(), listener, Wire::AddressOf(1), 8080).ok());
}

// A UDP socket in a namespace, bound to a port.
UniqueFd BindIn(int netns, uint16_t port) {
  UniqueFd fd = SocketIn(netns, SOCK_DGRAM, kPatience).value();
  const sockaddr_in any = SocketAddress({}, port);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
  return fd;
}

// Whether a datagram from `client` to `ip`:`port` comes out of `server`.
bool Arrives(const UniqueFd& client, Ipv4 ip, uint16_t port, const UniqueFd& server) {
  const sockaddr_in to = SocketAddress(ip, port);
  char byte = 'x';
  // A port unreachable of the datagram before is told here, once.
  while (::sendto(client.get(), &byte, 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) <
         0) {
    if (errno != ECONNREFUSED) return false;
  }
  return ::recv(server.get(), &byte, 1, 0) == 1;
}

TEST_F(PodNetworkTest, UdpFlowFollowsItsHostPortToTheNextPod) {
  Wire wire;
  wire.Join(one_.netns(), 1);
  const UniqueFd outside = netlink::CreateNetns().value();
  wire.Join(outside.get(), 9);
  const PublishedPort port{Protocol::kUdp, {}, 5300, 53};
  const UniqueFd client = BindIn(outside.get(), 40000);
  const Machine::Pod first = one_.AddPod("first", {port});
  ASSERT_TRUE(Arrives(client, Wire::AddressOf(1), 5300, BindIn(first.netns.get(), 53)));
  // The first pod's namespace lives on, and would go on receiving.
  ASSERT_EQ(one_.network().Release("first"), absl::OkStatus());
  const Machine::Pod second = one_.AddPod("second", {port});
  EXPECT_TRUE(Arrives(client, Wire::AddressOf(1), 5300, BindIn(second.netns.get(), 53)));
}

TEST_F(PodNetworkTest, HostPortIsHeldByOnePodAtATime) {
  const PublishedPort port{Protocol::kTcp, {}, 8080, 80};
  ASSERT_TRUE(one_.network().Reserve("a", {port}).ok());
  const auto refused = one_.network().Reserve("b", {port});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("8080/tcp is taken by pod a"));
  ASSERT_EQ(one_.network().Release("a"), absl::OkStatus());
  EXPECT_TRUE(one_.network().Reserve("b", {port}).ok());
}

TEST_F(PodNetworkTest, AddressStaysTakenUntilTheLinkIsGoneThenRests) {
  one_.Start(absl::Hours(1), absl::Hours(1));
  Machine::Pod pod = one_.AddPod("a");
  ASSERT_EQ(one_.network().Release("a"), absl::OkStatus());
  EXPECT_FALSE(one_.network().AwaitReleased(absl::Milliseconds(50))) << "the namespace lives";
  EXPECT_EQ(one_.network().Reserve("a", {}).status().code(), absl::StatusCode::kUnavailable);
  pod.netns.reset();
  EXPECT_TRUE(one_.network().AwaitReleased(kPatience));
  EXPECT_NE(one_.network().Reserve("b", {}).value().ip, pod.address.ip);
  EXPECT_NE(one_.network().Reserve("a", {}).value().ip, pod.address.ip);
}

TEST_F(PodNetworkTest, LinkOfANamespaceThatWillNotDieIsDeletedAfterAWhile) {
  one_.Start(absl::ZeroDuration(), absl::Milliseconds(10));
  const Machine::Pod pod = one_.AddPod("a");
  ASSERT_EQ(one_.network().Release("a"), absl::OkStatus());
  EXPECT_TRUE(one_.network().AwaitReleased(kPatience));
  EXPECT_THAT(netlink::ListLinks(one_.socket()).value(), SizeIs(2));
}

TEST_F(PodNetworkTest, FullRangeSaysSo) {
  Machine small("small");
  ASSERT_EQ(small.network().SetRange(ParseCidr("10.65.0.0/29").value(), kCluster),
            absl::OkStatus());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(small.network().Reserve(absl::StrCat(i), {}).ok());
  const auto refused = small.network().Reserve("one more", {});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("no free address in 10.65.0.0/29: all 5 are in use"));
}

TEST_F(PodNetworkTest, RestartedAgentKeepsLivePodsAndSweepsTheRest) {
  const UniqueFd client = netlink::CreateNetns().value();
  Wire wire;
  wire.Join(one_.netns(), 1);
  wire.Join(client.get(), 9);
  const Machine::Pod live = one_.AddPod("live", {{Protocol::kTcp, {}, 8080, 80}});
  Machine::Pod dead = one_.AddPod("dead", {{Protocol::kTcp, {}, 8081, 80}});
  const UniqueFd listener = ListenIn(live.netns.get(), 80);
  // A link that nobody's journal knows.
  const UniqueFd stray = netlink::CreateNetns().value();
  const int bridge = netlink::FindLink(one_.socket(), "cbr0").value().index;
  ASSERT_EQ(one_.socket().Execute(netlink::CreateVeth({.name = PodLinkName("stray"),
                                                       .master = bridge,
                                                       .peer_name = "eth0",
                                                       .peer_netns_fd = stray.get()})),
            absl::OkStatus());
  one_.Start();
  EXPECT_TRUE(Visit(client.get(), listener, Wire::AddressOf(1), 8080).ok()) << "all the time";
  dead.netns.reset();
  ASSERT_EQ(one_.network().Recover({"live"}), absl::OkStatus());
  EXPECT_TRUE(one_.network().AwaitReleased(kPatience));
  EXPECT_TRUE(Visit(client.get(), listener, Wire::AddressOf(1), 8080).ok());
  EXPECT_EQ(one_.network().Reserve("live", {{Protocol::kTcp, {}, 8080, 80}}).value().ip,
            live.address.ip);
  EXPECT_FALSE(netlink::FindLink(one_.socket(), PodLinkName("stray")).ok());
  EXPECT_THAT(one_.Ruleset(), ::testing::Not(HasSubstr("8081")));
  EXPECT_THAT(one_.journal().All(RecordKind::kAddressLease), SizeIs(1));
}

TEST_F(PodNetworkTest, RoutesOfPeersThatLeftAreSweptAlsoAfterARestart) {
  Wire wire;
  wire.Join(one_.netns(), 1);
  const Cidr three = ParseCidr("10.64.8.0/22").value();
  ASSERT_EQ(one_.network().SetPeers(
                {{"node2", Wire::AddressOf(2), kTwo}, {"node3", Wire::AddressOf(3), three}}),
            absl::OkStatus());
  EXPECT_THAT(netlink::ListRoutes(one_.socket(), kRouteProtocol).value(), SizeIs(2));
  one_.Start();
  EXPECT_THAT(netlink::ListRoutes(one_.socket(), kRouteProtocol).value(), SizeIs(2));
  // node2 moved, node3 left.
  ASSERT_EQ(one_.network().SetPeers({{"node2", Wire::AddressOf(7), kTwo}}), absl::OkStatus());
  const auto routes = netlink::ListRoutes(one_.socket(), kRouteProtocol).value();
  ASSERT_THAT(routes, SizeIs(1));
  EXPECT_EQ(routes[0].destination, kTwo);
  EXPECT_EQ(routes[0].gateway, Wire::AddressOf(7));
}

TEST_F(PodNetworkTest, UnreachablePeerDoesNotKeepTheOthersBack) {
  Wire wire;
  wire.Join(one_.netns(), 1);
  const auto status = one_.network().SetPeers(
      {{"lost", ParseIpv4("198.51.100.1").value(), ParseCidr("10.64.8.0/22").value()},
       {"node2", Wire::AddressOf(2), kTwo},
       {"thief", Wire::AddressOf(3), kOne}});
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(netlink::ListRoutes(one_.socket(), kRouteProtocol).value(), SizeIs(1));
}

TEST_F(PodNetworkTest, RangeIsRememberedAndDoesNotChangeUnderPods) {
  const Machine::Pod pod = one_.AddPod("a");
  EXPECT_EQ(one_.network().SetRange(kTwo, kCluster).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(one_.network().SetRange(kOne, kCluster), absl::OkStatus());
  one_.Start();
  EXPECT_EQ(one_.network().Reserve("a", {}).value().ip, pod.address.ip);
  Machine fresh("fresh");
  EXPECT_EQ(fresh.network().Reserve("a", {}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(PodNetworkTest, TwoHundredRoundsLeaveNothing) {
  const std::string before = one_.Inventory();
  for (int round = 0; round < 200; ++round) {
    const std::string uid = absl::StrCat("pod-", round);
    const Machine::Pod pod =
        one_.AddPod(uid, {{round % 10 == 0 ? Protocol::kUdp : Protocol::kTcp, {}, 53, 5353}});
    ASSERT_EQ(one_.network().Release(uid), absl::OkStatus());
  }
  ASSERT_TRUE(one_.network().AwaitReleased(kPatience));
  EXPECT_EQ(one_.Inventory(), before);
}

TEST_F(PodNetworkTest, RestartedAgentDoesNotBeginWithTheAddressesJustGivenBack) {
  std::set<Ipv4> before;
  for (int i = 0; i < 5; ++i) {
    const std::string uid = absl::StrCat("before-", i);
    before.insert(one_.network().Reserve(uid, {}).value().ip);
    ASSERT_EQ(one_.network().Release(uid), absl::OkStatus());
  }
  ASSERT_TRUE(one_.network().AwaitReleased(kPatience));
  one_.Start();
  for (int i = 0; i < 100; ++i) {
    const Ipv4 ip = one_.network().Reserve(absl::StrCat("after-", i), {}).value().ip;
    EXPECT_EQ(before.count(ip), 0u) << ToString(ip);
  }
}

TEST_F(PodNetworkTest, RemoveAllLeavesAnEmptyNamespace) {
  one_.AddPod("a", {{Protocol::kTcp, {}, 8080, 80}});
  EXPECT_EQ(one_.network().RemoveAll(), absl::OkStatus());
  EXPECT_TRUE(one_.network().AwaitReleased(kPatience));
  EXPECT_THAT(netlink::ListLinks(one_.socket()).value(), SizeIs(1));
  EXPECT_EQ(one_.Ruleset(), "");
}

}  // namespace
}  // namespace cluster::node
