// How connections to services travel on the real kernel: whom a backend sees, how its answers find
// back, and what becomes of connections when backends change.
#include <netinet/in.h>

#include <gmock/gmock.h>

#include "tests/root/node/network/service_world.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST_F(ServicesTest, PacketsFromElsewhereAreRoutedTooAndAnsweredThisWay) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  netlink::Socket there = netlink::Socket::OpenInNetns(outside_.get()).value();
  ASSERT_EQ(
      there.Execute(netlink::AddRoute({.destination = kServices, .gateway = Wire::AddressOf(1)})),
      absl::OkStatus());
  Set({Service({a.Local()})});
  EXPECT_EQ(Ask(outside_.get(), kWeb, 80, {&a}).client, Wire::AddressOf(9));
  Set({Service({b.Remote()})});
  EXPECT_EQ(Ask(outside_.get(), kWeb, 80, {&b}).client, Wire::AddressOf(1));
}

TEST_F(ServicesTest, PodOfAnotherNodeSeesTheClientsOwnAddress) {
  const Server b(two_.AddPod("b"));
  const Machine::Pod client = one_.AddPod("client");
  Set({Service({b.Remote()})});
  EXPECT_EQ(Ask(client.netns.get(), kWeb, 80, {&b}).client, client.address.ip);
  EXPECT_EQ(AskUdp(ConnectUdp(client.netns.get(), kWeb, 80), {&b}).client, client.address.ip);
}

TEST_F(ServicesTest, PodOfTheSameNodeSeesTheClientsOwnAddress) {
  const Server a(one_.AddPod("a"));
  const Machine::Pod client = one_.AddPod("client");
  Set({Service({a.Local()})});
  for (const bool calls : {false, true}) {
    CallRulesForBridgedFrames(one_.netns(), calls);
    EXPECT_EQ(Ask(client.netns.get(), kWeb, 80, {&a}).client, client.address.ip);
    EXPECT_EQ(AskUdp(ConnectUdp(client.netns.get(), kWeb, 80), {&a}).client, client.address.ip);
    EXPECT_EQ(Ask(client.netns.get(), Wire::AddressOf(1), kNodePort, {&a}).client,
              client.address.ip);
    EXPECT_EQ(Ask(client.netns.get(), a.pod.address.ip, 8080, {&a}).client, client.address.ip)
        << "past the service";
  }
}

// From one port by the service and past it: the answers differ in nothing but where they belong.
TEST_F(ServicesTest, DirectConnectionBesideATranslatedOneOfTheSamePort) {
  const Server a(one_.AddPod("a"));
  const Machine::Pod client = one_.AddPod("client");
  Set({Service({a.Local()})});
  for (const bool calls : {false, true}) {
    CallRulesForBridgedFrames(one_.netns(), calls);
    const uint16_t port = calls ? 40000 : 40001;
    const Call by_service = CallTcp(client.netns.get(), kWeb, 80, {&a}, kPatience, port);
    const Call direct = CallTcp(client.netns.get(), a.pod.address.ip, 8080, {&a}, kPatience, port);
    ASSERT_EQ(by_service.answer.server, &a);
    ASSERT_EQ(direct.answer.server, &a) << direct.answer.error;
    EXPECT_TRUE(Talks(by_service));
    EXPECT_TRUE(Talks(direct));
  }
}

// By a shorter way, answers would come from an address that the client does not know.
TEST_F(ServicesTest, PodsAreNotRedirectedToEachOther) {
  const Server a(one_.AddPod("a"));
  const Machine::Pod client = one_.AddPod("client");
  Set({Service({a.Local()})});
  EXPECT_THAT(Reached(client.netns.get(), kWeb, 80, {&a}), SizeIs(1));
  EXPECT_THAT(Reached(client.netns.get(), a.pod.address.ip, 8080, {&a}), SizeIs(1));
  std::string counters;
  ASSERT_EQ(netlink::RunInNetns(one_.netns(),
                                [&counters]() -> absl::Status {
                                  ASSIGN_OR_RETURN(counters,
                                                   ReadFile("/proc/thread-self/net/snmp"));
                                  return absl::OkStatus();
                                }),
            absl::OkStatus());
  EXPECT_THAT(counters, Not(HasSubstr("OutType5"))) << "redirects sent";
}

// As of RFC 9260, appendix A.
uint32_t Crc32c(const std::string& bytes) {
  uint32_t crc = ~uint32_t{0};
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

// The first packet of an association: from port 40000.
std::string SctpInit(uint16_t port) {
  const uint16_t numbers[] = {htons(40000), htons(port), 0, 0, 0, 0, htons(0x0100), htons(20), 0,
                              htons(7),     1,           0, 1, 1, 0, htons(1)};
  std::string packet(reinterpret_cast<const char*>(numbers), sizeof numbers);
  const uint32_t checksum = Crc32c(packet);  // little-endian on the wire
  for (size_t i = 0; i < 4; ++i) packet[8 + i] = static_cast<char>(checksum >> (8 * i));
  return packet;
}

// By raw sockets: not every kernel speaks SCTP, but all of them translate it.
TEST_F(ServicesTest, SctpReachesABackend) {
  const Machine::Pod server = two_.AddPod("server");
  const Machine::Pod client = one_.AddPod("client");
  ServiceRoute service = Service({});
  service.ports = {{Protocol::kSctp, 80, 0, {{server.address.ip, 8080, false}}}};
  Set({service});
  UniqueFd ear;
  UniqueFd mouth;
  const auto open = [](UniqueFd& fd) {
    fd.reset(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_SCTP));
    const timeval limit = absl::ToTimeval(kPatience);
    if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) {
      return ErrnoStatus("open a raw socket");
    }
    return absl::OkStatus();
  };
  ASSERT_EQ(netlink::RunInNetns(server.netns.get(), [&] { return open(ear); }), absl::OkStatus());
  ASSERT_EQ(netlink::RunInNetns(client.netns.get(), [&] { return open(mouth); }), absl::OkStatus());
  const std::string packet = SctpInit(80);
  const sockaddr_in to = SocketAddress(kWeb, 0);
  ASSERT_EQ(::sendto(mouth.get(), packet.data(), packet.size(), 0,
                     reinterpret_cast<const sockaddr*>(&to), sizeof to),
            static_cast<ssize_t>(packet.size()));
  std::string heard(128, '\0');
  const ssize_t size = ::recv(ear.get(), heard.data(), heard.size(), 0);
  ASSERT_EQ(size, 20 + static_cast<ssize_t>(packet.size())) << "behind an IP header";
  EXPECT_EQ(heard.substr(20, static_cast<size_t>(size) - 20), SctpInit(8080));
}

TEST_F(ServicesTest, PodReachesItselfByItsService) {
  const Server a(one_.AddPod("a"));
  Set({Service({a.Local()})});
  for (const bool calls : {false, true}) {
    CallRulesForBridgedFrames(one_.netns(), calls);
    EXPECT_EQ(Ask(a.pod.netns.get(), kWeb, 80, {&a}).server, &a);
    EXPECT_EQ(AskUdp(ConnectUdp(a.pod.netns.get(), kWeb, 80), {&a}).server, &a);
  }
}

// Pods in the network of their node.
TEST_F(ServicesTest, BackendsCanHaveTheAddressOfANode) {
  const auto on = [](const Machine& machine, int number) {
    Machine::Pod pod;
    pod.netns.reset(::dup(machine.netns()));
    pod.address.ip = Wire::AddressOf(number);
    return pod;
  };
  const Server here(on(one_, 1));
  const Server there(on(two_, 2));
  const Machine::Pod client = one_.AddPod("client");
  for (const Server* server : {&here, &there}) {
    Set({Service({server == &here ? here.Local() : there.Remote()})});
    for (const int from : {client.netns.get(), one_.netns()}) {
      EXPECT_EQ(Ask(from, kWeb, 80, {server}).server, server);
      EXPECT_EQ(AskUdp(ConnectUdp(from, kWeb, 80), {server}).server, server);
    }
    EXPECT_EQ(Ask(outside_.get(), Wire::AddressOf(1), kNodePort, {server}).server, server);
  }
}

TEST_F(ServicesTest, NodePortHidesTheCallerOnlyWhereTheAnswerWouldGoAnotherWay) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  Set({Service({a.Local()})});
  EXPECT_EQ(Ask(outside_.get(), Wire::AddressOf(1), kNodePort, {&a}).client, Wire::AddressOf(9));
  Set({Service({b.Remote()})});
  EXPECT_EQ(Ask(outside_.get(), Wire::AddressOf(1), kNodePort, {&b}).client, Wire::AddressOf(1));
}

TEST_F(ServicesTest, UdpFlowLeavesABackendThatIsGone) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  const Machine::Pod client = one_.AddPod("client");
  const UniqueFd by_address = ConnectUdp(client.netns.get(), kWeb, 80);
  const UniqueFd by_node = ConnectUdp(outside_.get(), Wire::AddressOf(1), kNodePort);
  // A redirect to the stranger (all are on one wire) would use up its share of ICMP errors.
  ASSERT_EQ(netlink::RunInNetns(one_.netns(),
                                [] {
                                  return WriteControlAt(
                                      AT_FDCWD, "/proc/sys/net/ipv4/conf/uplink/send_redirects",
                                      "0");
                                }),
            absl::OkStatus());
  for (const UniqueFd* flow : {&by_address, &by_node}) {
    SCOPED_TRACE(flow == &by_address ? "by the service's address" : "by the node's port");
    Set({Service({a.Local()})});
    EXPECT_EQ(AskUdp(*flow, {&a, &b}).server, &a);
    Set({Service({b.Remote()})});
    EXPECT_EQ(AskUdp(*flow, {&a, &b}).server, &b);
    Set({Service({})});
    EXPECT_EQ(AskUdp(*flow, {&a, &b}).error, ECONNREFUSED) << "also when the last one goes";
    Set({Service({a.Local()})});
    EXPECT_EQ(AskUdp(*flow, {&a, &b}).server, &a);
    Set({});
    EXPECT_EQ(AskUdp(*flow, {&a, &b}).error, ECONNREFUSED) << "and when the service goes";
  }
}

// Tracked as going to the address itself: no rule was there.
TEST_F(ServicesTest, UdpFlowOfBeforeTheServiceFindsItsBackend) {
  const Server a(one_.AddPod("a"));
  const Machine::Pod client = one_.AddPod("client");
  const UniqueFd flow = ConnectUdp(client.netns.get(), kWeb, 80);
  // Where it went, nobody heard it.
  netlink::Socket sockets = netlink::Socket::OpenInNetns(one_.netns()).value();
  ASSERT_EQ(sockets.Execute(
                {netlink::AddRoute({.destination = kServices, .gateway = Wire::AddressOf(9)})}),
            absl::OkStatus());
  const UniqueFd witness = SocketIn(outside_.get(), SOCK_DGRAM, kPatience).value();
  netlink::Socket there = netlink::Socket::OpenInNetns(outside_.get()).value();
  const int uplink = netlink::FindLink(there, "uplink").value().index;
  ASSERT_EQ(there.Execute(netlink::AddAddress({uplink, Cidr{kWeb, 32}})), absl::OkStatus());
  const sockaddr_in any = SocketAddress({}, 80);
  ASSERT_EQ(::bind(witness.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
  char byte = 'x';
  ASSERT_EQ(::send(flow.get(), &byte, 1, 0), 1);
  ASSERT_EQ(::recv(witness.get(), &byte, 1, 0), 1);
  ASSERT_EQ(sockets.Execute(
                {netlink::DeleteRoute({.destination = kServices, .gateway = Wire::AddressOf(9)})}),
            absl::OkStatus());
  Set({Service({a.Local()})});
  EXPECT_EQ(AskUdp(flow, {&a}).server, &a);
}

TEST_F(ServicesTest, TcpConnectionOutlivesItsBackendsPlaceInTheService) {
  const Server a(one_.AddPod("a"));
  const Server b(two_.AddPod("b"));
  const Machine::Pod client = one_.AddPod("client");
  for (const Server* server : {&a, &b}) {
    Set({Service({server == &a ? a.Local() : b.Remote()})});
    const Call call = CallTcp(client.netns.get(), kWeb, 80, {server});
    ASSERT_EQ(call.answer.server, server);
    EXPECT_TRUE(Talks(call));
    Set({Service({server == &a ? b.Remote() : a.Local()})});
    EXPECT_TRUE(Talks(call));
    Set({Service({})});
    EXPECT_TRUE(Talks(call));
    Set({});
    EXPECT_TRUE(Talks(call));
  }
}

}  // namespace
}  // namespace cluster::node
