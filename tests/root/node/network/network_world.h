// Nodes, pods and the wire between them, each a network namespace of the test's own, without a way
// out.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <filesystem>
#include <functional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/netlink_route.h"
#include "base/status.h"
#include "node/network/pod_network.h"

namespace cluster::node {

inline constexpr absl::Duration kPatience = absl::Seconds(20);
inline const Cidr kCluster = ParseCidr("10.64.0.0/10").value();

inline sockaddr_in SocketAddress(Ipv4 ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(ip.value);
  address.sin_port = htons(port);
  return address;
}

inline absl::StatusOr<UniqueFd> SocketIn(int netns, int type, absl::Duration timeout) {
  UniqueFd fd;
  RETURN_IF_ERROR(netlink::RunInNetns(netns, [&] {
    fd.reset(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    return fd ? absl::OkStatus() : ErrnoStatus("socket");
  }));
  const timeval limit = absl::ToTimeval(timeout);
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    if (::setsockopt(fd.get(), SOL_SOCKET, option, &limit, sizeof limit) != 0) {
      return ErrnoStatus("setsockopt");
    }
  }
  return fd;
}

// A TCP listener in a namespace. Its backlog answers the handshake, so no thread is needed.
inline UniqueFd ListenIn(int netns, uint16_t port) {
  UniqueFd fd = SocketIn(netns, SOCK_STREAM, kPatience).value();
  const sockaddr_in any = SocketAddress({}, port);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
  EXPECT_EQ(::listen(fd.get(), 16), 0);
  return fd;
}

// Connects from a namespace; the listener says a word and whom it saw, the caller reads it.
inline absl::StatusOr<Ipv4> Visit(int netns, const UniqueFd& listener, Ipv4 ip, uint16_t port,
                                  absl::Duration timeout = kPatience) {
  ASSIGN_OR_RETURN(UniqueFd client, SocketIn(netns, SOCK_STREAM, timeout));
  const sockaddr_in to = SocketAddress(ip, port);
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    return ErrnoStatus("connect", ToString(ip));
  }
  sockaddr_in from{};
  socklen_t size = sizeof from;
  UniqueFd served(
      ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
  if (!served) return ErrnoStatus("accept");
  RETURN_IF_ERROR(WriteAll(served.get(), "hello"));
  char word[5];
  if (::recv(client.get(), word, sizeof word, MSG_WAITALL) != 5) return ErrnoStatus("recv");
  return Ipv4{ntohl(from.sin_addr.s_addr)};
}

// One machine: a namespace, its agent's journal, and the network.
class Machine {
 public:
  explicit Machine(const std::string& name)
      : name_(name),
        netns_(netlink::CreateNetns().value()),
        socket_(netlink::Socket::OpenInNetns(netns_.get()).value()) {
    std::string path = absl::StrCat(::testing::TempDir(), "network-XXXXXX");
    directory_ = ::mkdtemp(path.data());
    Start();
  }
  ~Machine() { std::filesystem::remove_all(directory_); }

  // Also: the agent of a machine starts again.
  void Start(absl::Duration hold_down = absl::ZeroDuration(),
             absl::Duration linger = absl::Seconds(5)) {
    network_.reset();
    journal_.reset();
    journal_ = Journal::Open(absl::StrCat(directory_, "/journal")).value();
    EXPECT_EQ(netlink::RunInNetns(netns_.get(),
                                  [&]() -> absl::Status {
                                    PodNetwork::Config config;
                                    config.node = name_;
                                    config.journal = journal_.get();
                                    config.hold_down = hold_down;
                                    config.linger = linger;
                                    ASSIGN_OR_RETURN(network_, PodNetwork::Open(config));
                                    return absl::OkStatus();
                                  }),
              absl::OkStatus());
  }

  // A pod's namespace, reserved and attached.
  struct Pod {
    UniqueFd netns;
    PodAddress address;
  };
  Pod AddPod(const std::string& uid, const std::vector<PublishedPort>& ports = {}) {
    Pod pod;
    pod.netns = netlink::CreateNetns().value();
    const auto address = network_->Reserve(uid, ports);
    EXPECT_EQ(address.status(), absl::OkStatus());
    pod.address = address.value_or(PodAddress{});
    EXPECT_EQ(network_->Attach(uid, pod.netns.get()), absl::OkStatus());
    return pod;
  }

  // Everything in the namespace that a pod could leave behind.
  std::string Inventory() {
    std::vector<std::string> lines;
    const auto links = netlink::ListLinks(socket_).value();
    const auto addresses = netlink::ListAddresses(socket_).value();
    const auto routes = netlink::ListRoutes(socket_).value();
    for (const auto& link : links) lines.push_back(link.name);
    for (const auto& address : addresses) lines.push_back(ToString(address.cidr));
    for (const auto& route : routes) lines.push_back(ToString(route.destination));
    for (const Record& record : journal_->All(RecordKind::kAddressLease)) {
      lines.push_back(record.value);
    }
    return absl::StrCat(absl::StrJoin(lines, "\n"), "\n", Ruleset());
  }

  std::string Ruleset() {
    std::string text;
    EXPECT_EQ(netlink::RunInNetns(netns_.get(),
                                  [&]() -> absl::Status {
                                    ASSIGN_OR_RETURN(auto firewall, Firewall::Open());
                                    ASSIGN_OR_RETURN(text, firewall->Query("list ruleset"));
                                    return absl::OkStatus();
                                  }),
              absl::OkStatus());
    return text;
  }

  // For a control: the machine without its guard against strangers.
  void DropGuard() {
    EXPECT_EQ(netlink::RunInNetns(netns_.get(),
                                  []() -> absl::Status {
                                    ASSIGN_OR_RETURN(auto firewall, Firewall::Open());
                                    return firewall->Run(absl::StrCat(
                                        "flush chain ip ", TableName(PodNetwork::Config().bridge),
                                        " guard\n"));
                                  }),
              absl::OkStatus());
  }

  PodNetwork& network() { return *network_; }
  netlink::Socket& socket() { return socket_; }
  int netns() const { return netns_.get(); }
  Journal& journal() { return *journal_; }

 private:
  std::string name_;
  UniqueFd netns_;
  netlink::Socket socket_;
  std::string directory_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<PodNetwork> network_;
};

// Joins machines by a bridge in a namespace of its own; machine i gets 192.0.2.i.
class Wire {
 public:
  Wire()
      : netns_(netlink::CreateNetns().value()),
        socket_(netlink::Socket::OpenInNetns(netns_.get()).value()) {
    EXPECT_EQ(socket_.Execute(netlink::CreateBridge("wire", {2, 0, 0, 0, 0, 1})), absl::OkStatus());
    bridge_ = netlink::FindLink(socket_, "wire").value().index;
  }
  void Join(int netns, int number) {
    EXPECT_EQ(socket_.Execute(netlink::CreateVeth({.name = absl::StrCat("port", number),
                                                   .master = bridge_,
                                                   .peer_name = "uplink",
                                                   .peer_netns_fd = netns})),
              absl::OkStatus());
    netlink::Socket there = netlink::Socket::OpenInNetns(netns).value();
    const int uplink = netlink::FindLink(there, "uplink").value().index;
    EXPECT_EQ(there.Execute({netlink::ChangeLink(uplink, {.up = true}),
                             netlink::ChangeLink("lo", {.up = true}),
                             netlink::AddAddress({uplink, Cidr{AddressOf(number), 24}})}),
              absl::OkStatus());
  }
  static Ipv4 AddressOf(int number) { return Ipv4{0xc0000200u + static_cast<uint32_t>(number)}; }

 private:
  UniqueFd netns_;
  netlink::Socket socket_;
  int bridge_ = 0;
};

}  // namespace cluster::node
