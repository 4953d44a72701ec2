// The messages' bytes, word for word: 32-bit words as the kernel reads them on a little endian
// machine.
#include "base/netlink.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/netlink_route.h"

namespace cluster::netlink {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

std::string Hex(const Message& message) {
  std::string text;
  const std::string& bytes = message.bytes();
  for (size_t i = 0; i < bytes.size(); i += 4) {
    absl::StrAppend(&text, i == 0 ? "" : " ", absl::BytesToHexString(bytes.substr(i, 4)));
  }
  return text;
}

TEST(MessageTest, PadsAttributesAndCountsItsLength) {
  Message message("x", 16, NLM_F_CREATE);
  message.PutU8(1, 7).PutString(3, "abcd").PutU32(2, 5);
  EXPECT_EQ(Hex(message),
            "2c000000 10000104 00000000 00000000 "
            "05000100 07000000 "
            "09000300 61626364 00000000 "
            "08000200 05000000");
}

TEST(MessageTest, NestsAttributes) {
  Message message("x", 16, 0);
  message.Begin(1).PutU8(2, 9).Begin(3).PutU16(4, 1).End().End().PutU8(5, 1);
  EXPECT_EQ(Hex(message),
            "30000000 10000100 00000000 00000000 "
            "18000180 05000200 09000000 "
            "0c000380 06000400 01000000 "
            "05000500 01000000");
}

TEST(AttributesTest, AreReadBackAndStopAtAMalformedOne) {
  Message message("x", 16, 0);
  message.PutU32(1, 11).Begin(2).PutU8(3, 4).End();
  std::string bytes = message.bytes().substr(sizeof(nlmsghdr));
  std::vector<int> types;
  const auto collect = [&types](uint16_t type, absl::string_view) { types.push_back(type); };
  ForEachAttribute(bytes, collect);
  EXPECT_THAT(types, ElementsAre(1, 2));
  types.clear();
  bytes[8] = '\x60';  // the second claims more than there is
  ForEachAttribute(bytes, collect);
  EXPECT_THAT(types, ElementsAre(1));
  types.clear();
  ForEachAttribute(absl::string_view("\0\0\0\0\0\0\0\0", 8), collect);
  EXPECT_THAT(types, ElementsAre());
}

TEST(RouteMessagesTest, BridgeIsBornUpWithItsMacAndNoDelay) {
  EXPECT_EQ(Hex(CreateBridge("b0", Mac{2, 1, 2, 3, 4, 5})),
            "60000000 10000106 00000000 00000000 "
            "00000000 00000000 01000000 01000000 "   // IFF_UP and its mask
            "07000300 62300000 "                     // IFLA_IFNAME
            "0a000100 02010203 04050000 "            // IFLA_ADDRESS
            "2c001280 0b000100 62726964 67650000 "   // IFLA_LINKINFO, "bridge"
            "1c000280 08000100 00000000 "            // forward_delay 0
            "08000500 00000000 05001700 00000000");  // stp 0, mcast_snooping 0
}

TEST(RouteMessagesTest, VethPeerCarriesItsOwnHeaderMacAndNamespace) {
  EXPECT_EQ(Hex(CreateVeth({.name = "v0",
                            .master = 7,
                            .peer_name = "eth0",
                            .peer_mac = Mac{2, 1, 2, 3, 4, 5},
                            .peer_netns_fd = 9})),
            "98000000 10000106 00000000 00000000 "
            "00000000 00000000 01000000 01000000 "
            "07000300 76300000 "                    // IFLA_IFNAME
            "08000a00 07000000 "                    // IFLA_MASTER
            "08001f00 01000000 08002000 01000000 "  // IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES
            "58001280 09000100 76657468 00000000 "  // IFLA_LINKINFO, "veth"
            "48000280 44000180 "                    // IFLA_INFO_DATA, VETH_INFO_PEER
            "00000000 00000000 00000000 00000000 "  // the peer's ifinfomsg
            "09000300 65746830 00000000 "           // IFLA_IFNAME
            "08001f00 01000000 08002000 01000000 "  // its queues
            "0a000100 02010203 04050000 "           // IFLA_ADDRESS
            "08001c00 09000000");                   // IFLA_NET_NS_FD
}

TEST(RouteMessagesTest, RouteSaysWhoMadeItAndUsesNetworkOrder) {
  const Route route{ParseCidr("10.64.4.9/22").value(), ParseIpv4("192.0.2.7").value(), 0, 99};
  EXPECT_EQ(Hex(ReplaceRoute(route)),
            "2c000000 18000105 00000000 00000000 "
            "02160000 fe630001 00000000 "
            "08000100 0a400400 08000500 c0000207");
  EXPECT_THAT(Hex(DeleteRoute(route)), StartsWith("2c000000 19000100 00000000 00000000 "
                                                  "02160000 fe63ff00"));
  EXPECT_EQ(ReplaceRoute(route).what(), "replace route to 10.64.4.9/22 via 192.0.2.7");
}

TEST(RouteMessagesTest, LinkIsNamedByIndexOrByName) {
  EXPECT_EQ(Hex(DeleteLink(5)),
            "20000000 11000100 00000000 00000000 00000000 05000000 00000000 00000000");
  EXPECT_EQ(Hex(DeleteLink("v0")),
            "28000000 11000100 00000000 00000000 00000000 00000000 00000000 00000000 "
            "07000300 76300000");
}

TEST(RouteMessagesTest, ParseLinkReadsWhatTheKernelSends) {
  ifinfomsg header{};
  header.ifi_index = 4;
  header.ifi_flags = IFF_UP;
  Message message("x", RTM_NEWLINK, 0);
  message.Fixed(header).PutString(IFLA_IFNAME, "v0").PutU32(IFLA_MASTER, 3).PutU32(IFLA_MTU, 1400);
  message.Begin(IFLA_LINKINFO).PutString(IFLA_INFO_KIND, "veth").End();
  const Link link = ParseLink({RTM_NEWLINK, message.bytes().substr(sizeof(nlmsghdr))});
  EXPECT_EQ(link.index, 4);
  EXPECT_EQ(link.name, "v0");
  EXPECT_EQ(link.master, 3);
  EXPECT_EQ(link.mtu, 1400u);
  EXPECT_EQ(link.kind, "veth");
  EXPECT_TRUE(link.up);
  EXPECT_EQ(ParseLink({RTM_NEWLINK, "short"}).name, "");
}

}  // namespace
}  // namespace cluster::netlink
