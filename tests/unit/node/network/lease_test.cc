#include "node/network/lease.h"

#include <set>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

TEST(LeaseTest, SurvivesTheJournal) {
  const AddressLease lease{
      ParseIpv4("10.64.0.5").value(),
      {{Protocol::kTcp, {}, 8080, 80}, {Protocol::kSctp, ParseIpv4("192.0.2.1").value(), 9, 10}}};
  EXPECT_EQ(EncodeLease(lease), "10.64.0.5 tcp:0.0.0.0:8080:80 sctp:192.0.2.1:9:10");
  EXPECT_EQ(DecodeLease(EncodeLease(lease)).value(), lease);
}

TEST(LeaseTest, KnowsALinkThatIsNotNamedAfterItsPod) {
  AddressLease lease{ParseIpv4("10.64.0.5").value(), {}};
  EXPECT_EQ(LinkNameOf("uid-1", lease), PodLinkName("uid-1"));
  lease.link = PodLinkName("spare-1");
  EXPECT_EQ(EncodeLease(lease), absl::StrCat("10.64.0.5 @", PodLinkName("spare-1")));
  EXPECT_EQ(DecodeLease(EncodeLease(lease)).value(), lease);
  EXPECT_EQ(LinkNameOf("uid-1", lease), PodLinkName("spare-1"));
}

TEST(LeaseTest, RefusesWhatItCannotRead) {
  for (const char* text :
       {"", "x", "10.64.0.5 ", "10.64.0.5 tcp:0.0.0.0:80", "10.64.0.5 icmp:0.0.0.0:8080:80",
        "10.64.0.5 tcp:0.0.0.0:0:80", "10.64.0.5 tcp:0.0.0.0:8080:65536"}) {
    EXPECT_EQ(DecodeLease(text).status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

TEST(ProtocolTest, IsReadInAnyCase) {
  EXPECT_EQ(ParseProtocol("UDP").value(), Protocol::kUdp);
  EXPECT_EQ(ParseProtocol("tcp").value(), Protocol::kTcp);
  EXPECT_EQ(ParseProtocol("ICMP").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CollideTest, EveryAddressCollidesWithEach) {
  const Ipv4 one = ParseIpv4("192.0.2.1").value();
  const Ipv4 two = ParseIpv4("192.0.2.2").value();
  const PublishedPort any{Protocol::kTcp, {}, 80, 80};
  const PublishedPort at_one{Protocol::kTcp, one, 80, 81};
  const PublishedPort at_two{Protocol::kTcp, two, 80, 82};
  EXPECT_TRUE(Collide(any, at_one));
  EXPECT_TRUE(Collide(at_one, any));
  EXPECT_TRUE(Collide(at_one, at_one));
  EXPECT_FALSE(Collide(at_one, at_two));
  EXPECT_FALSE(Collide(any, {Protocol::kUdp, {}, 80, 80}));
  EXPECT_FALSE(Collide(any, {Protocol::kTcp, {}, 81, 80}));
}

TEST(NamesTest, LinkNamesFitAndDiffer) {
  std::set<std::string> names;
  for (int i = 0; i < 100'000; ++i) {
    const std::string name = PodLinkName(absl::StrCat("b1946ac9-2ef5-4a1c-8a7e-", i));
    ASSERT_EQ(name.size(), 14u);
    ASSERT_TRUE(names.insert(name).second);
  }
  EXPECT_EQ(PodLinkName("a"), PodLinkName("a"));
}

TEST(NamesTest, MacsAreLocalUnicastAndFollowTheAddress) {
  EXPECT_EQ(ToString(PodMac(ParseIpv4("10.64.1.2").value())), "02:63:0a:40:01:02");
  const Mac bridge = BridgeMac("node1");
  EXPECT_EQ(bridge[0], 0x02);
  EXPECT_NE(bridge, BridgeMac("node2"));
}

}  // namespace
}  // namespace cluster::node
