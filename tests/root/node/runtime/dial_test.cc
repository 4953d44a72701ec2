// Connections to what listens on a pod's own loopback.
#include "node/runtime/dial.h"

#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;

constexpr uint16_t kPort = 8080;

bool IsReadable(int fd, int milliseconds) {
  pollfd ready{fd, POLLIN, 0};
  return poll(&ready, 1, milliseconds) == 1;
}

std::string Ask(int socket, const std::string& request) {
  EXPECT_EQ(send(socket, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  char piece[4096];
  while (IsReadable(socket, 30000)) {
    const ssize_t got = read(socket, piece, sizeof piece);
    if (got <= 0) break;
    answer.append(piece, static_cast<size_t>(got));
  }
  return answer;
}

// Of the namespace that plays the node; netdevice(7).
void RaiseLoopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  ASSERT_EQ(ioctl(socket.get(), SIOCGIFFLAGS, &request), 0);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  ASSERT_EQ(ioctl(socket.get(), SIOCSIFFLAGS, &request), 0);
}

class DialTest : public ::testing::Test {
 protected:
  DialTest() { RaiseLoopback(); }
  // It forks once it listens.
  void Serve(const SandboxSpec& sandbox) {
    world_.Prepare(sandbox);
    world_.StartIn(sandbox.uid,
                   {"sh", "-c",
                    "echo here > /tmp/index.html;"
                    " busybox httpd -p 127.0.0.1:8080 -h /tmp && echo up; sleep 1000"});
    world_.AwaitLog(sandbox.uid, "up");
  }

  RuntimeWorld world_;
};

TEST_F(DialTest, WhatListensThereAloneIsReachedAndTheNodeIsNot) {
  Serve(world_.Sandbox("pod-a"));
  const auto connection = world_.runtime().Dial("pod-a", kPort);
  ASSERT_TRUE(connection.ok()) << connection.status();
  EXPECT_THAT(Ask(connection->socket.get(), "GET /index.html HTTP/1.0\r\n\r\n"), HasSubstr("here"));
  EXPECT_TRUE(absl::IsUnavailable(DialLoopback(kPort).status())) << "of the node itself";
  const auto refused = world_.runtime().Dial("pod-a", 9);
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("nobody listens on port 9"));
}

TEST_F(DialTest, APodInTheNodesNetworkHasTheNodesLoopback) {
  SandboxSpec sandbox = world_.Sandbox("pod-a");
  sandbox.host_users = sandbox.host_network = true;
  Serve(sandbox);
  EXPECT_TRUE(world_.runtime().Dial("pod-a", kPort).ok());
  EXPECT_TRUE(DialLoopback(kPort).ok());
}

TEST_F(DialTest, TheEndOfThePodIsToldToWhoHoldsAConnection) {
  Serve(world_.Sandbox("pod-a"));
  const auto connection = world_.runtime().Dial("pod-a", kPort);
  ASSERT_TRUE(connection.ok()) << connection.status();
  EXPECT_FALSE(IsReadable(connection->pod_end.get(), 0));
  ASSERT_TRUE(world_.runtime().Remove("pod-a").ok());
  EXPECT_TRUE(IsReadable(connection->pod_end.get(), 30000));
  EXPECT_TRUE(absl::IsNotFound(world_.runtime().Dial("pod-a", kPort).status()));
}

}  // namespace
}  // namespace cluster::node
