// Networks of pods to be, and what all links of pods have in common.
#include <gmock/gmock.h>

#include "tests/root/node/network/network_world.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Joined before there is a pod: its namespace, link and address are the pod's once it is handed
// over.
TEST(SpareNetworkTest, HandsOverASpare) {
  Machine machine("spares");
  ASSERT_EQ(machine.network().SetRange(ParseCidr("10.64.0.0/22").value(), kCluster),
            absl::OkStatus());
  const std::string before = machine.Inventory();
  ASSERT_EQ(machine.network().ReserveSpare("spare-1"), absl::OkStatus());
  UniqueFd netns = netlink::CreateNetns().value();
  ASSERT_EQ(machine.network().Attach("spare-1", netns.get()), absl::OkStatus());
  const PublishedPort port{Protocol::kTcp, {}, 8080, 80};
  const auto address = machine.network().Hand("spare-1", "pod-1", {port});
  ASSERT_EQ(address.status(), absl::OkStatus());
  EXPECT_EQ(machine.network().Reserve("pod-1", {port}).value().ip, address->ip);
  EXPECT_EQ(machine.network().Hand("spare-1", "pod-2", {}).status().code(),
            absl::StatusCode::kNotFound);
  UniqueFd listener = ListenIn(netns.get(), 80);
  EXPECT_EQ(Visit(machine.netns(), listener, address->gateway, 8080).status(), absl::OkStatus());
  // Also an agent that starts anew knows whose link it is.
  machine.Start();
  ASSERT_EQ(machine.network().Recover({"pod-1"}), absl::OkStatus());
  EXPECT_EQ(Visit(machine.netns(), listener, address->ip, 80).status(), absl::OkStatus());
  ASSERT_EQ(machine.network().Release("pod-1"), absl::OkStatus());
  listener.reset();
  netns.reset();
  ASSERT_TRUE(machine.network().AwaitReleased(kPatience));
  EXPECT_EQ(machine.Inventory(), before);
}

TEST(SpareNetworkTest, ASpareKeepsWhatAPodCannotHave) {
  Machine machine("spares");
  ASSERT_EQ(machine.network().SetRange(ParseCidr("10.64.0.0/22").value(), kCluster),
            absl::OkStatus());
  const PublishedPort port{Protocol::kTcp, {}, 8080, 80};
  const auto holder = machine.AddPod("pod-1", {port});
  ASSERT_EQ(machine.network().ReserveSpare("spare-1"), absl::OkStatus());
  const auto refused = machine.network().Hand("spare-1", "pod-2", {port});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
  EXPECT_EQ(machine.network().Hand("spare-1", "pod-2", {}).status(), absl::OkStatus());
}

TEST(SpareNetworkTest, SparesMakeWayForAnotherRange) {
  Machine machine("spares");
  ASSERT_EQ(machine.network().SetRange(ParseCidr("10.64.0.0/22").value(), kCluster),
            absl::OkStatus());
  ASSERT_EQ(machine.network().ReserveSpare("spare-1"), absl::OkStatus());
  const UniqueFd netns = netlink::CreateNetns().value();
  ASSERT_EQ(machine.network().Attach("spare-1", netns.get()), absl::OkStatus());
  EXPECT_EQ(machine.network().SetRange(ParseCidr("10.64.4.0/22").value(), kCluster),
            absl::OkStatus());
  EXPECT_EQ(machine.network().Hand("spare-1", "pod-1", {}).status().code(),
            absl::StatusCode::kNotFound);
}

// A thousand links that each report their groups to all others are a million packets.
TEST(SpareNetworkTest, LinksAreSilentOfIpv6) {
  Machine machine("silent");
  ASSERT_EQ(machine.network().SetRange(ParseCidr("10.64.0.0/22").value(), kCluster),
            absl::OkStatus());
  const auto pod = machine.AddPod("pod-1");
  for (const int place : {machine.netns(), pod.netns.get()}) {
    std::string addresses;
    ASSERT_EQ(netlink::RunInNetns(place,
                                  [&]() -> absl::Status {
                                    ASSIGN_OR_RETURN(addresses,
                                                     ReadFile("/proc/thread-self/net/if_inet6"));
                                    return absl::OkStatus();
                                  }),
              absl::OkStatus());
    EXPECT_THAT(addresses, Not(HasSubstr("fe80"))) << addresses;
  }
}

}  // namespace
}  // namespace cluster::node
