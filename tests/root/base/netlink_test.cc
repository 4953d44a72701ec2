// The rtnetlink operations against the real kernel, each test in network namespaces of its own.
#include "base/netlink.h"

#include <linux/rtnetlink.h>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/netlink_route.h"

namespace cluster::netlink {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Mac kMac{0x02, 0x42, 1, 2, 3, 4};

class NetlinkTest : public ::testing::Test {
 protected:
  NetlinkTest()
      : here_netns_(CreateNetns().value()),
        there_netns_(CreateNetns().value()),
        here_(Socket::OpenInNetns(here_netns_.get()).value()),
        there_(Socket::OpenInNetns(there_netns_.get()).value()) {}

  int IndexOf(Socket& socket, const char* name) { return FindLink(socket, name).value().index; }

  UniqueFd here_netns_;
  UniqueFd there_netns_;
  Socket here_;
  Socket there_;
};

TEST_F(NetlinkTest, BridgeIsUpAndKeepsItsMacWhenPortsComeAndGo) {
  ASSERT_EQ(here_.Execute(CreateBridge("br0", kMac)), absl::OkStatus());
  const int bridge = IndexOf(here_, "br0");
  const Mac lower{0x02, 0, 0, 0, 0, 1};
  ASSERT_EQ(here_.Execute(CreateVeth({.name = "p0",
                                      .mac = lower,
                                      .master = bridge,
                                      .peer_name = "eth0",
                                      .peer_netns_fd = there_netns_.get()})),
            absl::OkStatus());
  const Link link = FindLink(here_, "br0").value();
  EXPECT_TRUE(link.up);
  EXPECT_EQ(link.kind, "bridge");
  EXPECT_EQ(link.mac, kMac);
}

TEST_F(NetlinkTest, VethPeerIsBornInsideTheOtherNamespace) {
  ASSERT_EQ(here_.Execute(CreateBridge("br0", kMac)), absl::OkStatus());
  const int bridge = IndexOf(here_, "br0");
  ASSERT_EQ(here_.Execute({CreateVeth({.name = "p0",
                                       .master = bridge,
                                       .peer_name = "eth0",
                                       .peer_mac = kMac,
                                       .peer_netns_fd = there_netns_.get(),
                                       .mtu = 1400}),
                           SetHairpin("p0", true)}),
            absl::OkStatus());
  ASSERT_EQ(there_.Execute(ChangeLink("eth0", {.up = true})), absl::OkStatus());
  const Link port = FindLink(here_, "p0").value();
  const Link inside = FindLink(there_, "eth0").value();
  EXPECT_EQ(port.master, bridge);
  EXPECT_TRUE(port.running);
  EXPECT_EQ(port.mtu, 1400u);
  EXPECT_EQ(inside.mac, kMac);
  EXPECT_EQ(inside.mtu, 1400u);
  EXPECT_TRUE(inside.running);
  EXPECT_EQ(port.peer, inside.index);
}

TEST_F(NetlinkTest, RefusalCarriesOperationErrnoNameAndTheKernelsWords) {
  ASSERT_EQ(here_.Execute(CreateBridge("br0", kMac)), absl::OkStatus());
  const absl::Status taken = here_.Execute(CreateBridge("br0", kMac));
  EXPECT_EQ(taken.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(taken.message()), HasSubstr("create bridge br0: EEXIST"));
  EXPECT_TRUE(here_.Execute(CreateBridge("br0", kMac).Allow(EEXIST)).ok());

  const Route unreachable{ParseCidr("10.9.0.0/16").value(), ParseIpv4("10.1.2.3").value()};
  EXPECT_THAT(std::string(here_.Execute(AddRoute(unreachable)).message()),
              HasSubstr("add route to 10.9.0.0/16 via 10.1.2.3: ENETUNREACH: Nexthop has invalid"));
  EXPECT_EQ(FindLink(here_, "absent").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(NetlinkTest, BatchCarriesOnAfterARefusalAndReportsTheFirst) {
  const absl::Status status =
      here_.Execute({CreateBridge("b1", kMac), DeleteLink("absent"), CreateBridge("b2", kMac)});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(FindLink(here_, "b1").ok());
  EXPECT_TRUE(FindLink(here_, "b2").ok());
}

TEST_F(NetlinkTest, LargeBatchIsAnsweredWhole) {
  ASSERT_EQ(here_.Execute(CreateBridge("br0", kMac)), absl::OkStatus());
  const int bridge = IndexOf(here_, "br0");
  std::vector<Message> messages;
  for (uint32_t i = 0; i < 3000; ++i) {
    messages.push_back(
        AddRoute({Cidr{Ipv4{0x0a000000 + (i << 8)}, 24}, std::nullopt, bridge, 201}));
  }
  ASSERT_EQ(here_.Execute(messages), absl::OkStatus());
  EXPECT_EQ(ListRoutes(here_, 201).value().size(), 3000u);
}

TEST_F(NetlinkTest, AddressesRoutesAndNeighboursAreListedAsMade) {
  ASSERT_EQ(here_.Execute(CreateBridge("br0", kMac)), absl::OkStatus());
  const int bridge = IndexOf(here_, "br0");
  const Address address{bridge, ParseCidr("10.64.0.1/22").value()};
  ASSERT_EQ(here_.Execute(AddAddress(address)), absl::OkStatus());
  const std::vector<Address> addresses = ListAddresses(here_).value();
  ASSERT_EQ(addresses.size(), 1u);
  EXPECT_EQ(addresses[0].cidr, address.cidr);
  EXPECT_EQ(addresses[0].link, bridge);

  Route route{ParseCidr("10.64.4.0/22").value(), ParseIpv4("10.64.0.9").value(), bridge, 201};
  const Route other{ParseCidr("10.64.8.0/22").value(), ParseIpv4("10.64.0.9").value(), bridge, 4};
  ASSERT_EQ(here_.Execute({AddRoute(route), AddRoute(other)}), absl::OkStatus());
  route.gateway = ParseIpv4("10.64.0.10").value();
  ASSERT_EQ(here_.Execute(ReplaceRoute(route)), absl::OkStatus());
  EXPECT_THAT(ListRoutes(here_, 201).value(), ElementsAre(route));
  ASSERT_EQ(here_.Execute(DeleteRoute(route)), absl::OkStatus());
  EXPECT_THAT(ListRoutes(here_, 201).value(), IsEmpty());
  EXPECT_THAT(ListRoutes(here_, 4).value(), ElementsAre(other));

  ASSERT_EQ(here_.Execute(ReplaceNeighbour({bridge, ParseIpv4("10.64.0.7").value(), kMac, true})),
            absl::OkStatus());
  const std::vector<Neighbour> neighbours = ListNeighbours(here_).value();
  ASSERT_EQ(neighbours.size(), 1u);
  EXPECT_EQ(neighbours[0].mac, kMac);
  EXPECT_TRUE(neighbours[0].permanent);
  ASSERT_EQ(here_.Execute(DeleteNeighbour(bridge, ParseIpv4("10.64.0.7").value())),
            absl::OkStatus());
  EXPECT_THAT(ListNeighbours(here_).value(), IsEmpty());

  ASSERT_EQ(here_.Execute(DeleteAddress(address)), absl::OkStatus());
  EXPECT_THAT(ListAddresses(here_).value(), IsEmpty());
}

TEST_F(NetlinkTest, LinksAreRenamedMovedAndTakenDown) {
  ASSERT_EQ(here_.Execute(CreateVeth({.name = "a0", .up = false, .peer_name = "a1"})),
            absl::OkStatus());
  const int index = IndexOf(here_, "a1");
  ASSERT_EQ(here_.Execute(ChangeLink(index, {.name = "moved"})), absl::OkStatus());
  ASSERT_EQ(here_.Execute(ChangeLink("moved", {.netns_fd = there_netns_.get()})), absl::OkStatus());
  EXPECT_FALSE(FindLink(here_, "moved").ok());
  ASSERT_EQ(there_.Execute(ChangeLink("moved", {.up = true, .mtu = 1300})), absl::OkStatus());
  EXPECT_TRUE(FindLink(there_, "moved").value().up);
  EXPECT_EQ(FindLink(there_, "moved").value().mtu, 1300u);
  ASSERT_EQ(there_.Execute(ChangeLink("moved", {.up = false})), absl::OkStatus());
  EXPECT_FALSE(FindLink(there_, "moved").value().up);
}

TEST_F(NetlinkTest, DeathOfANamespaceIsToldToListeners) {
  Socket listener = Socket::OpenInNetns(here_netns_.get(), NETLINK_ROUTE, RTMGRP_LINK).value();
  UniqueFd dying = CreateNetns().value();
  ASSERT_EQ(
      here_.Execute(CreateVeth({.name = "p0", .peer_name = "eth0", .peer_netns_fd = dying.get()})),
      absl::OkStatus());
  dying.reset();
  bool gone = false;
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (!gone && absl::Now() < deadline) {
    const std::vector<Reply> replies = listener.Listen(deadline - absl::Now()).value();
    for (const Reply& reply : replies) {
      gone |= reply.type == RTM_DELLINK && ParseLink(reply).name == "p0";
    }
  }
  EXPECT_TRUE(gone);
  EXPECT_FALSE(FindLink(here_, "p0").ok());
}

}  // namespace
}  // namespace cluster::netlink
