// Services in network_world.h: pods that answer, callers, and two nodes with a stranger on one
// wire.
#pragma once

#include <poll.h>

#include <set>
#include <vector>

#include "tests/root/node/network/network_world.h"

namespace cluster::node {

inline const Cidr kServices = ParseCidr("10.96.0.0/16").value();
inline const Ipv4 kWeb = ParseIpv4("10.96.0.10").value();
inline const Ipv4 kLoopback = ParseIpv4("127.0.0.1").value();
inline constexpr uint16_t kNodePort = 30080;
// For what is not to come.
inline constexpr absl::Duration kShort = absl::Milliseconds(300);
// So many calls without one of two that are dealt evenly: 2^-64.
inline constexpr int kManyCalls = 65;

// A pod that listens on 8080, TCP and UDP.
struct Server {
  Machine::Pod pod;
  UniqueFd tcp;
  UniqueFd udp;

  explicit Server(Machine::Pod joined) : pod(std::move(joined)) {
    tcp = ListenIn(pod.netns.get(), 8080);
    udp = SocketIn(pod.netns.get(), SOCK_DGRAM, kPatience).value();
    // A node has several addresses that its datagrams could come from otherwise.
    const sockaddr_in own = SocketAddress(pod.address.ip, 8080);
    EXPECT_EQ(::bind(udp.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
  }
  ServiceBackend Local() const { return {pod.address.ip, 8080, true}; }
  ServiceBackend Remote() const { return {pod.address.ip, 8080, false}; }
};

// Who was reached, and whom they saw. `error`: nobody, and the caller's errno.
struct Answer {
  const Server* server = nullptr;
  Ipv4 client;
  int error = 0;
};

// The first of the servers' sockets that has something.
inline const Server* ReadyOne(const std::vector<const Server*>& servers, UniqueFd Server::*socket,
                              absl::Duration patience) {
  std::vector<pollfd> pollers;
  for (const Server* server : servers) pollers.push_back({(server->*socket).get(), POLLIN, 0});
  if (::poll(pollers.data(), pollers.size(), static_cast<int>(patience / absl::Milliseconds(1))) <=
      0) {
    return nullptr;
  }
  for (size_t i = 0; i < servers.size(); ++i) {
    if (pollers[i].revents != 0) return servers[i];
  }
  return nullptr;
}

// A connection that stays.
struct Call {
  UniqueFd client;
  UniqueFd served;
  Answer answer;
};

inline Call CallTcp(int netns, Ipv4 ip, uint16_t port, const std::vector<const Server*>& servers,
                    absl::Duration timeout = kPatience, uint16_t from_port = 0) {
  Call call;
  call.client = SocketIn(netns, SOCK_STREAM, timeout).value();
  if (from_port != 0) {
    const int on = 1;
    EXPECT_EQ(::setsockopt(call.client.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    const sockaddr_in from = SocketAddress({}, from_port);
    EXPECT_EQ(::bind(call.client.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
  }
  const sockaddr_in to = SocketAddress(ip, port);
  if (::connect(call.client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    call.answer.error = errno;
    return call;
  }
  const Server* server = ReadyOne(servers, &Server::tcp, kPatience);
  if (server == nullptr) {
    call.answer.error = ENOMSG;
    return call;
  }
  sockaddr_in from{};
  socklen_t size = sizeof from;
  call.served.reset(
      ::accept4(server->tcp.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
  call.answer = {server, Ipv4{ntohl(from.sin_addr.s_addr)}, 0};
  return call;
}

inline bool Talks(const Call& call) {
  char byte = 'x';
  return ::send(call.served.get(), &byte, 1, 0) == 1 &&
         ::recv(call.client.get(), &byte, 1, 0) == 1 &&
         ::send(call.client.get(), &byte, 1, 0) == 1 && ::recv(call.served.get(), &byte, 1, 0) == 1;
}

inline Answer Ask(int netns, Ipv4 ip, uint16_t port, const std::vector<const Server*>& servers,
                  absl::Duration timeout = kPatience) {
  const Call call = CallTcp(netns, ip, port, servers, timeout);
  if (call.answer.server != nullptr) {
    EXPECT_TRUE(Talks(call)) << "the answer finds no way back";
  }
  return call.answer;
}

inline UniqueFd ConnectUdp(int netns, Ipv4 ip, uint16_t port) {
  UniqueFd fd = SocketIn(netns, SOCK_DGRAM, kPatience).value();
  const sockaddr_in to = SocketAddress(ip, port);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  return fd;
}

// One datagram there and back; the errno that an ICMP error becomes otherwise.
inline Answer AskUdp(const UniqueFd& client, const std::vector<const Server*>& servers) {
  char byte = 'x';
  if (::send(client.get(), &byte, 1, 0) != 1) return {nullptr, {}, errno};
  std::vector<pollfd> pollers = {{client.get(), POLLIN, 0}};
  for (const Server* server : servers) pollers.push_back({server->udp.get(), POLLIN, 0});
  if (::poll(pollers.data(), pollers.size(), static_cast<int>(kPatience / absl::Milliseconds(1))) <=
      0) {
    return {nullptr, {}, ETIMEDOUT};
  }
  for (size_t i = 0; i < servers.size(); ++i) {
    if (pollers[i + 1].revents == 0) continue;
    sockaddr_in from{};
    socklen_t size = sizeof from;
    EXPECT_EQ(
        ::recvfrom(servers[i]->udp.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &size),
        1);
    EXPECT_EQ(
        ::sendto(servers[i]->udp.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), size), 1);
    EXPECT_EQ(::recv(client.get(), &byte, 1, 0), 1) << "the answer finds no way back";
    return {servers[i], Ipv4{ntohl(from.sin_addr.s_addr)}, 0};
  }
  return {nullptr, {}, ::recv(client.get(), &byte, 1, 0) < 0 ? errno : 0};
}

inline ServiceRoute Service(std::vector<ServiceBackend> backends) {
  ServiceRoute service;
  service.key = "shop/web";
  service.cluster_ip = kWeb;
  service.ports = {{Protocol::kTcp, 80, kNodePort, backends},
                   {Protocol::kUdp, 80, kNodePort, backends}};
  return service;
}

inline ServiceRoute Other(std::vector<ServiceBackend> backends) {
  ServiceRoute service;
  service.key = "shop/other";
  service.cluster_ip = ParseIpv4("10.96.0.11").value();
  service.ports = {{Protocol::kTcp, 80, 0, std::move(backends)}};
  return service;
}

// Bridged frames pass the rules for routed packets, or not: a switch of the whole machine that
// belongs to others. Machines without br_netfilter have none and are as if it were off.
inline void CallRulesForBridgedFrames(int netns, bool on) {
  EXPECT_EQ(netlink::RunInNetns(netns,
                                [on] {
                                  const absl::Status set = WriteControlAt(
                                      AT_FDCWD, "/proc/sys/net/bridge/bridge-nf-call-iptables",
                                      on ? "1" : "0");
                                  return absl::IsNotFound(set) ? absl::OkStatus() : set;
                                }),
            absl::OkStatus());
}

// node1 (192.0.2.1) and node2 (192.0.2.2) with routes to each other, and a stranger (192.0.2.9).
class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest() {
    wire_.Join(one_.netns(), 1);
    wire_.Join(two_.netns(), 2);
    wire_.Join(outside_.get(), 9);
    EXPECT_EQ(one_.network().SetRange(kOne, kCluster), absl::OkStatus());
    EXPECT_EQ(two_.network().SetRange(kTwo, kCluster), absl::OkStatus());
    EXPECT_EQ(one_.network().SetPeers({{"node2", Wire::AddressOf(2), kTwo}}), absl::OkStatus());
    EXPECT_EQ(two_.network().SetPeers({{"node1", Wire::AddressOf(1), kOne}}), absl::OkStatus());
    CallRulesForBridgedFrames(one_.netns(), false);
    CallRulesForBridgedFrames(two_.netns(), false);
  }
  void Set(const std::vector<ServiceRoute>& services) {
    ASSERT_EQ(one_.network().SetServices(kServices, services), absl::OkStatus());
  }
  std::set<const Server*> Reached(int netns, Ipv4 ip, uint16_t port,
                                  const std::vector<const Server*>& servers) {
    std::set<const Server*> reached;
    for (int i = 0; i < kManyCalls && reached.count(nullptr) == 0; ++i) {
      reached.insert(Ask(netns, ip, port, servers).server);
    }
    return reached;
  }

  const Cidr kOne = ParseCidr("10.64.0.0/22").value();
  const Cidr kTwo = ParseCidr("10.64.4.0/22").value();
  Machine one_{"node1"};
  Machine two_{"node2"};
  Wire wire_;
  UniqueFd outside_ = netlink::CreateNetns().value();
};

}  // namespace cluster::node
