#include "node/services/service_links.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;
using testing::Pair;

v1::ServiceRoute Service(const std::string& name, const std::string& address) {
  v1::ServiceRoute route;
  route.set_namespace_("shop");
  route.set_name(name);
  route.set_cluster_ip(address);
  return route;
}

void AddPort(v1::ServiceRoute* route, const std::string& name, int32_t number,
             v1::Protocol protocol = v1::PROTOCOL_TCP) {
  v1::ServicePortRoute* port = route->add_ports();
  port->set_name(name);
  port->set_port(number);
  port->set_protocol(protocol);
}

TEST(ServiceLinksTest, Behaviour19_NameTheServiceAsKubernetesAndDockerDo) {
  v1::ServiceRoute redis = Service("redis-primary", "10.60.0.11");
  AddPort(&redis, "", 6379);
  EXPECT_THAT(ServiceLinks({redis}),
              ElementsAre(Pair("REDIS_PRIMARY_SERVICE_HOST", "10.60.0.11"),
                          Pair("REDIS_PRIMARY_SERVICE_PORT", "6379"),
                          Pair("REDIS_PRIMARY_PORT", "tcp://10.60.0.11:6379"),
                          Pair("REDIS_PRIMARY_PORT_6379_TCP", "tcp://10.60.0.11:6379"),
                          Pair("REDIS_PRIMARY_PORT_6379_TCP_PROTO", "tcp"),
                          Pair("REDIS_PRIMARY_PORT_6379_TCP_PORT", "6379"),
                          Pair("REDIS_PRIMARY_PORT_6379_TCP_ADDR", "10.60.0.11")));
}

TEST(ServiceLinksTest, Behaviour19_EveryPortHasItsOwn) {
  v1::ServiceRoute dns = Service("dns", "10.60.0.12");
  AddPort(&dns, "over-tcp", 53);
  AddPort(&dns, "plain", 53, v1::PROTOCOL_UDP);
  const auto links = ServiceLinks({dns});
  const std::map<std::string, std::string> by_name(links.begin(), links.end());
  EXPECT_EQ(by_name.size(), links.size());
  EXPECT_EQ(by_name.at("DNS_SERVICE_PORT"), "53");
  EXPECT_EQ(by_name.at("DNS_SERVICE_PORT_OVER_TCP"), "53");
  EXPECT_EQ(by_name.at("DNS_SERVICE_PORT_PLAIN"), "53");
  EXPECT_EQ(by_name.at("DNS_PORT"), "tcp://10.60.0.12:53");
  EXPECT_EQ(by_name.at("DNS_PORT_53_UDP"), "udp://10.60.0.12:53");
  EXPECT_EQ(by_name.at("DNS_PORT_53_UDP_PROTO"), "udp");
}

TEST(ServiceLinksTest, HeadlessServicesHaveNone) {
  v1::ServiceRoute headless = Service("db", "");
  AddPort(&headless, "", 5432);
  EXPECT_TRUE(ServiceLinks({headless}).empty());
}

}  // namespace
}  // namespace cluster::node
