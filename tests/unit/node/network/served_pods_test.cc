#include "node/network/served_pods.h"

#include <gtest/gtest.h>

namespace cluster::node {
namespace {

const Ipv4 kTwo = ParseIpv4("10.64.0.2").value();
const Ipv4 kThree = ParseIpv4("10.64.0.3").value();

TEST(ServedPodsTest, BridgeRulesGolden) {
  EXPECT_EQ(ServedBridgeRules("t", ParseCidr("10.64.0.1/22").value(), {2, 0x62, 0, 0, 0, 1}),
            R"(add table bridge t
add set bridge t served { type ipv4_addr; }
add chain bridge t routed
add chain bridge t frames { type filter hook prerouting priority -300; policy accept; }
flush chain bridge t routed
flush chain bridge t frames
add rule bridge t routed ether daddr set 02:62:00:00:00:01 meta pkttype set host accept
add rule bridge t frames iifname != "vp*" accept
add rule bridge t frames meta pkttype != other accept
add rule bridge t frames ip saddr 10.64.0.0/22 ip daddr @served goto routed
add rule bridge t frames ip daddr 10.64.0.0/22 ip saddr @served goto routed
)");
}

TEST(ServedPodsTest, TheSetsOfBothTablesGoTogether) {
  EXPECT_EQ(AddServed("t", {}), "");
  const std::string both =
      "add element ip t served { 10.64.0.2, 10.64.0.3 }\n"
      "add element ip t hairpins { 10.64.0.2 . 10.64.0.2, 10.64.0.3 . 10.64.0.3 }\n"
      "add element bridge t served { 10.64.0.2, 10.64.0.3 }\n";
  EXPECT_EQ(AddServed("t", {kTwo, kThree}), both);
  EXPECT_EQ(AllServed("t", {kTwo, kThree}),
            "flush set ip t served\nflush set ip t hairpins\nflush set bridge t served\n" + both);
  EXPECT_EQ(RemoveServed("t", kTwo),
            "add element ip t served { 10.64.0.2 }\n"
            "add element ip t hairpins { 10.64.0.2 . 10.64.0.2 }\n"
            "add element bridge t served { 10.64.0.2 }\n"
            "delete element ip t served { 10.64.0.2 }\n"
            "delete element ip t hairpins { 10.64.0.2 . 10.64.0.2 }\n"
            "delete element bridge t served { 10.64.0.2 }\n");
}

TEST(ServedPodsTest, SetIsReadFromItsListing) {
  EXPECT_EQ(ParseServed("table ip t {\n\tset served {\n\t\ttype ipv4_addr\n\t\telements = { "
                        "10.64.0.2,\n\t\t\t     10.64.0.3 }\n\t}\n}\n"),
            (std::set<Ipv4>{kTwo, kThree}));
  EXPECT_TRUE(ParseServed("").empty());
}

}  // namespace
}  // namespace cluster::node
