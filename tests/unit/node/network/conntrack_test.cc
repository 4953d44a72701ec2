#include "node/network/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <gtest/gtest.h>

namespace cluster::node {
namespace {

constexpr uint16_t kNew = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW;

// `server`: who answers, on port 5353.
netlink::Reply FlowMessage(const char* destination, uint8_t protocol, uint16_t port,
                           const char* server = "10.64.0.2") {
  netlink::Message message("x", kNew, 0);
  message.Fixed(nfgenmsg{}).Begin(CTA_TUPLE_ORIG);
  message.Begin(CTA_TUPLE_IP).PutU32(CTA_IP_V4_SRC, htonl(0xc0000209));
  message.PutU32(CTA_IP_V4_DST, htonl(ParseIpv4(destination)->value)).End();
  message.Begin(CTA_TUPLE_PROTO).PutU8(CTA_PROTO_NUM, protocol);
  message.PutU16(CTA_PROTO_SRC_PORT, htons(40000)).PutU16(CTA_PROTO_DST_PORT, htons(port)).End();
  message.End().Begin(CTA_TUPLE_REPLY);
  message.Begin(CTA_TUPLE_IP).PutU32(CTA_IP_V4_SRC, htonl(ParseIpv4(server)->value));
  message.PutU32(CTA_IP_V4_DST, htonl(0xc0000209)).End();
  message.Begin(CTA_TUPLE_PROTO).PutU8(CTA_PROTO_NUM, protocol);
  message.PutU16(CTA_PROTO_SRC_PORT, htons(5353)).PutU16(CTA_PROTO_DST_PORT, htons(40000)).End();
  message.End();
  return {kNew, message.bytes().substr(sizeof(nlmsghdr))};
}

TEST(FlowTest, IsReadFromItsFirstPacketsTuple) {
  const auto flow = ParseFlow(FlowMessage("192.0.2.1", IPPROTO_UDP, 53));
  ASSERT_TRUE(flow.has_value());
  EXPECT_EQ(ToString(flow->destination), "192.0.2.1");
  EXPECT_EQ(flow->protocol, IPPROTO_UDP);
  EXPECT_EQ(flow->port, 53);
  EXPECT_EQ(ToString(flow->server), "10.64.0.2");
  EXPECT_EQ(flow->server_port, 5353);
  EXPECT_FALSE(ParseFlow({kNew, "short"}).has_value());
  EXPECT_FALSE(ParseFlow({3, "another message"}).has_value());
}

TEST(FlowTest, DeletionNamesTheWholeTuple) {
  const auto flow = ParseFlow(FlowMessage("192.0.2.1", IPPROTO_UDP, 53));
  const netlink::Message message = DeleteFlow(*flow);
  EXPECT_EQ(message.what(), "forget flow to 192.0.2.1:53");
  EXPECT_TRUE(message.allows(ENOENT));
  EXPECT_NE(message.bytes().find(flow->tuple), std::string::npos);
}

TEST(FlowTest, ConcernsPortsByProtocolPortAndAddress) {
  const auto flow = ParseFlow(FlowMessage("192.0.2.1", IPPROTO_UDP, 53));
  const Ipv4 other = ParseIpv4("192.0.2.2").value();
  EXPECT_TRUE(Concerns(*flow, {Protocol::kUdp, {}, 53, 5353}));
  EXPECT_TRUE(Concerns(*flow, {Protocol::kUdp, flow->destination, 53, 5353}));
  EXPECT_FALSE(Concerns(*flow, {Protocol::kUdp, other, 53, 5353}));
  EXPECT_FALSE(Concerns(*flow, {Protocol::kTcp, {}, 53, 5353}));
  EXPECT_FALSE(Concerns(*flow, {Protocol::kUdp, {}, 5353, 53}));
}

TEST(FlowTest, IsStaleWhenItLeadsElsewhereThanItsRouteSays) {
  const Ipv4 service = ParseIpv4("10.96.0.10").value();
  const Ipv4 backend = ParseIpv4("10.64.0.2").value();
  const auto flow = ParseFlow(FlowMessage("10.96.0.10", IPPROTO_UDP, 53));
  UdpRoutes routes;
  EXPECT_FALSE(IsStale(*flow, routes)) << "not spoken of";
  routes.servers[{service, 53}] = {{backend, 5353}};
  EXPECT_FALSE(IsStale(*flow, routes));
  EXPECT_TRUE(IsStale(*ParseFlow(FlowMessage("10.96.0.10", IPPROTO_UDP, 53, "10.96.0.10")), routes))
      << "never translated";
  EXPECT_FALSE(IsStale(*ParseFlow(FlowMessage("10.96.0.10", IPPROTO_TCP, 53, "10.64.0.9")), routes))
      << "a TCP connection goes on";
  routes.servers[{service, 53}] = {{backend, 53}};
  EXPECT_TRUE(IsStale(*flow, routes)) << "another port";
  routes.servers[{service, 53}] = {};
  EXPECT_TRUE(IsStale(*flow, routes)) << "the last one went";
  routes.servers.clear();
  routes.whole = ParseCidr("10.96.0.0/16").value();
  EXPECT_TRUE(IsStale(*flow, routes)) << "no such service";
  EXPECT_FALSE(IsStale(*ParseFlow(FlowMessage("192.0.2.1", IPPROTO_UDP, 53)), routes));
}

}  // namespace
}  // namespace cluster::node
