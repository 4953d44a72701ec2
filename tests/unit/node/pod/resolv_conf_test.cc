#include "node/pod/resolv_conf.h"

#include "gtest/gtest.h"

namespace cluster::node {
namespace {

class ResolvConfTest : public testing::Test {
 protected:
  ResolvConfTest() { pod_.mutable_metadata()->set_namespace_("shop"); }
  v1::PodSpec* spec() { return pod_.mutable_spec(); }
  std::string Text() { return ResolvConf(pod_, resolver_).value(); }

  v1::Pod pod_;
  NodeResolver resolver_{
      "# a comment\nnameserver 192.0.2.53\nsearch example.org corp\noptions ndots:2 rotate\n",
      "10.64.0.1", "cluster.local"};
};

constexpr char kOfTheCluster[] =
    "nameserver 10.64.0.1\n"
    "search shop.svc.cluster.local svc.cluster.local cluster.local example.org corp\n"
    "options ndots:5\n";
constexpr char kOfTheNode[] =
    "nameserver 192.0.2.53\nsearch example.org corp\noptions ndots:2 rotate\n";

TEST_F(ResolvConfTest, Behaviour59_ShortNamesAreThoseOfTheCluster) {
  EXPECT_EQ(Text(), kOfTheCluster);
  spec()->set_dns_policy(v1::DNS_POLICY_CLUSTER_FIRST);
  EXPECT_EQ(Text(), kOfTheCluster);
}

TEST_F(ResolvConfTest, TheNodesNetworkHasTheNodesNamesUnlessAskedOtherwise) {
  spec()->set_host_network(true);
  spec()->set_dns_policy(v1::DNS_POLICY_CLUSTER_FIRST);
  EXPECT_EQ(Text(), kOfTheNode);
  spec()->set_dns_policy(v1::DNS_POLICY_CLUSTER_FIRST_WITH_HOST_NET);
  EXPECT_EQ(Text(), kOfTheCluster);
}

TEST_F(ResolvConfTest, WaitsForTheNameServer) {
  resolver_.cluster_server = "";
  EXPECT_EQ(ResolvConf(pod_, resolver_).status().code(), absl::StatusCode::kUnavailable);
  spec()->set_dns_policy(v1::DNS_POLICY_DEFAULT);
  EXPECT_EQ(Text(), kOfTheNode);
}

TEST_F(ResolvConfTest, DnsConfigComesOnTop) {
  spec()->set_dns_policy(v1::DNS_POLICY_DEFAULT);
  spec()->mutable_dns_config()->add_nameservers("192.0.2.53");
  spec()->mutable_dns_config()->add_nameservers("192.0.2.54");
  spec()->mutable_dns_config()->add_searches("pods");
  v1::PodDnsConfigOption* option = spec()->mutable_dns_config()->add_options();
  option->set_name("ndots");
  option->set_value("5");
  EXPECT_EQ(Text(),
            "nameserver 192.0.2.53\nnameserver 192.0.2.54\nsearch example.org corp pods\n"
            "options ndots:5 rotate\n");
  option->set_value("1");
  spec()->set_dns_policy(v1::DNS_POLICY_CLUSTER_FIRST);
  EXPECT_EQ(Text(),
            "nameserver 10.64.0.1\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n"
            "search shop.svc.cluster.local svc.cluster.local cluster.local example.org corp pods\n"
            "options ndots:1\n");
}

TEST_F(ResolvConfTest, Behaviour21_PolicyNoneHoldsExactlyDnsConfig) {
  spec()->set_dns_policy(v1::DNS_POLICY_NONE);
  spec()->mutable_dns_config()->add_nameservers("198.51.100.1");
  spec()->mutable_dns_config()->add_options()->set_name("edns0");
  EXPECT_EQ(Text(), "nameserver 198.51.100.1\noptions edns0\n");
}

}  // namespace
}  // namespace cluster::node
