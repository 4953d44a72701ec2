#include "base/ipv4.h"

#include <gtest/gtest.h>

namespace cluster {
namespace {

TEST(Ipv4Test, ReadsAndWritesDottedQuads) {
  EXPECT_EQ(ParseIpv4("10.64.0.1").value().value, 0x0a400001u);
  EXPECT_EQ(ToString(Ipv4{0xffffffff}), "255.255.255.255");
  for (const char* text : {"", "10.64.0", "10.64.0.256", "010.0.0.1", "1.2.3.4 ", "::1", "a"}) {
    EXPECT_EQ(ParseIpv4(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(CidrTest, ReadsRangesAndRefusesOthers) {
  const Cidr cidr = ParseCidr("10.64.1.7/22").value();
  EXPECT_EQ(ToString(cidr), "10.64.1.7/22");
  EXPECT_EQ(ToString(cidr.Network()), "10.64.0.0/22");
  EXPECT_EQ(ToString(cidr.First()), "10.64.0.0");
  EXPECT_EQ(ToString(cidr.Last()), "10.64.3.255");
  for (const char* text : {"10.64.0.0", "10.64.0.0/", "10.64.0.0/33", "10.64.0.0/-1", "x/8"}) {
    EXPECT_EQ(ParseCidr(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(CidrTest, KnowsWhatItContains) {
  const Cidr cidr = ParseCidr("10.64.0.0/22").value();
  EXPECT_TRUE(cidr.Contains(ParseIpv4("10.64.3.255").value()));
  EXPECT_FALSE(cidr.Contains(ParseIpv4("10.64.4.0").value()));
  EXPECT_TRUE(cidr.Contains(ParseCidr("10.64.2.0/24").value()));
  EXPECT_FALSE(cidr.Contains(ParseCidr("10.64.0.0/10").value()));
  const Cidr everything{Ipv4{}, 0};
  EXPECT_TRUE(everything.Contains(Ipv4{0xffffffff}));
  EXPECT_EQ(everything.Last().value, 0xffffffffu);
}

TEST(MacTest, IsWrittenInPairs) {
  EXPECT_EQ(ToString(Mac{2, 0x42, 10, 0, 255, 1}), "02:42:0a:00:ff:01");
}

}  // namespace
}  // namespace cluster
