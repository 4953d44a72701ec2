#include "node/network/links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Names(const std::vector<netlink::Message>& messages) {
  std::vector<std::string> names;
  for (const netlink::Message& message : messages) names.push_back(message.what());
  return names;
}

netlink::Route RouteTo(const char* cidr, const char* gateway) {
  return {.destination = ParseCidr(cidr).value(),
          .gateway = ParseIpv4(gateway).value(),
          .protocol = kRouteProtocol};
}

NetworkPeer Peer(const char* node, const char* address, const char* cidr) {
  return {node, ParseIpv4(address).value(), ParseCidr(cidr).value()};
}

TEST(LinksTest, OneBatchOutsideAndOneInside) {
  EXPECT_THAT(Names(HostMessages({"vpabc", 3, 0, ParseIpv4("10.64.0.2").value(), 7})),
              ElementsAre("create veth vpabc", "keep IPv6 off link vpabc",
                          "set hairpin of bridge port vpabc", "set neighbour 10.64.0.2"));
  const PodAddress address{ParseIpv4("10.64.0.2").value(), 22, ParseIpv4("10.64.0.1").value(), {}};
  EXPECT_THAT(Names(InsideMessages(2, address, {})),
              ElementsAre("change link lo", "keep IPv6 off link number 2", "change link number 2",
                          "add address 10.64.0.2/22 of link number 2",
                          "add route to 0.0.0.0/0 via 10.64.0.1", "set neighbour 10.64.0.1"));
}

TEST(RouteChangesTest, AreTheDifferenceOfSets) {
  const std::vector<netlink::Route> present = {RouteTo("10.64.4.0/22", "192.0.2.2"),
                                               RouteTo("10.64.8.0/22", "192.0.2.3"),
                                               RouteTo("10.64.12.0/22", "192.0.2.4")};
  const std::vector<NetworkPeer> peers = {Peer("stays", "192.0.2.2", "10.64.4.0/22"),
                                          Peer("moved", "192.0.2.9", "10.64.8.0/22"),
                                          Peer("new", "192.0.2.5", "10.64.16.0/22")};
  EXPECT_THAT(Names(RouteChanges(present, peers)),
              ElementsAre("delete route to 10.64.12.0/22 via 192.0.2.4",
                          "replace route to 10.64.8.0/22 via 192.0.2.9",
                          "replace route to 10.64.16.0/22 via 192.0.2.5"));
  EXPECT_THAT(RouteChanges({present[0]}, {peers[0]}), IsEmpty());
}

TEST(RouteChangesTest, RouteOfServicesIsItsOwn) {
  const netlink::Route services{
      .destination = ParseCidr("10.96.0.0/16").value(), .link = 3, .protocol = kRouteProtocol};
  const netlink::Route peers = RouteTo("10.64.4.0/22", "192.0.2.2");
  EXPECT_THAT(Names(RouteChanges({services, peers}, {})),
              ElementsAre("delete route to 10.64.4.0/22 via 192.0.2.2"));
  EXPECT_THAT(ServiceRouteChanges({services, peers}, 3, services.destination), IsEmpty());
  EXPECT_THAT(Names(ServiceRouteChanges({services, peers}, 3, ParseCidr("10.97.0.1/16").value())),
              ElementsAre("delete route to 10.96.0.0/16", "replace route to 10.97.0.0/16"));
}

}  // namespace
}  // namespace cluster::node
