#include "node/pod/pod_specs.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/pod_resources.h"
#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;

void SetResources(const std::map<std::string, std::string>& requests,
                  const std::map<std::string, std::string>& limits, v1::Container* container) {
  for (const auto& [name, value] : requests) {
    (*container->mutable_resources()->mutable_requests())[name] = value;
  }
  for (const auto& [name, value] : limits) {
    (*container->mutable_resources()->mutable_limits())[name] = value;
  }
}

TEST(HostsLines, Behaviour20_OneLinePerAlias) {
  v1::PodSpec spec;
  v1::HostAlias* alias = spec.add_host_aliases();
  alias->set_ip("192.0.2.7");
  alias->add_hostnames("db");
  alias->add_hostnames("db.local");
  EXPECT_THAT(HostsLines(spec), ElementsAre("192.0.2.7 db db.local"));
}

TEST(Hostname, IsThePodsNameCutToALabel) {
  v1::Pod pod;
  pod.mutable_metadata()->set_name(std::string(62, 'a') + "-bcd");
  EXPECT_EQ(HostnameOf(pod, "cluster.local"), std::string(62, 'a'));
  pod.mutable_spec()->set_hostname("db-0");
  EXPECT_EQ(HostnameOf(pod, "cluster.local"), "db-0");
  EXPECT_EQ(DomainNameOf(pod, "cluster.local"), "");
}

TEST(Hostname, Behaviour60_WithASubdomainThereIsANameInDns) {
  v1::Pod pod;
  pod.mutable_metadata()->set_name("db-0");
  pod.mutable_metadata()->set_namespace_("default");
  pod.mutable_spec()->set_subdomain("db");
  EXPECT_EQ(HostnameOf(pod, "cluster.local"), "db-0");
  EXPECT_EQ(DomainNameOf(pod, "cluster.local"), "db-0.db.default.svc.cluster.local");
  pod.mutable_spec()->set_set_hostname_as_fqdn(true);
  EXPECT_EQ(HostnameOf(pod, "cluster.local"), "db-0.db.default.svc.cluster.local");
  // The node's network has the node's names.
  pod.mutable_spec()->set_host_network(true);
  EXPECT_EQ(HostnameOf(pod, "cluster.local"), "db-0");
}

TEST(Hostname, SaysThatTheNameInDnsIsTooLong) {
  v1::Pod pod = PodBuilder().Get().pod();
  v1::PodSpec* spec = pod.mutable_spec();
  spec->set_subdomain("a-service-with-a-name-that-goes-on-and-on");
  const NodeResolver resolver{"", "10.64.0.1", "cluster.local"};
  EXPECT_TRUE(SandboxSpecOf(pod, resolver).ok());
  spec->set_set_hostname_as_fqdn(true);
  const absl::Status status = SandboxSpecOf(pod, resolver).status();
  EXPECT_THAT(status.ToString(), testing::HasSubstr("a host name at most 64"));
}

TEST(Qos, Behaviour54_FollowsRequestsAndLimits) {
  struct Case {
    std::map<std::string, std::string> requests, limits;
    v1::QosClass want;
  };
  const std::vector<Case> cases = {
      {{}, {}, v1::QOS_CLASS_BEST_EFFORT},
      {{{"cpu", "0"}}, {}, v1::QOS_CLASS_BEST_EFFORT},
      {{{"cpu", "100m"}}, {}, v1::QOS_CLASS_BURSTABLE},
      {{}, {{"cpu", "1"}, {"memory", "1Gi"}}, v1::QOS_CLASS_GUARANTEED},
      {{{"cpu", "1000m"}, {"memory", "1024Mi"}},
       {{"cpu", "1"}, {"memory", "1Gi"}},
       v1::QOS_CLASS_GUARANTEED},
      {{{"cpu", "500m"}}, {{"cpu", "1"}, {"memory", "1Gi"}}, v1::QOS_CLASS_BURSTABLE},
      {{}, {{"memory", "1Gi"}}, v1::QOS_CLASS_BURSTABLE},
  };
  for (const Case& test : cases) {
    v1::PodSpec spec;
    SetResources(test.requests, test.limits, spec.add_containers());
    EXPECT_EQ(QosOf(spec), test.want);
    // One container that asks for nothing ends the guarantee.
    spec.add_containers();
    EXPECT_NE(QosOf(spec), v1::QOS_CLASS_GUARANTEED);
  }
}

TEST(Resources, APodsLimitNeedsALimitOfEveryContainer) {
  v1::PodSpec spec;
  SetResources({{"cpu", "250m"}}, {{"cpu", "500m"}, {"memory", "64Mi"}}, spec.add_containers());
  SetResources({}, {{"cpu", "1"}}, spec.add_containers());
  const Resources sum = ResourcesOf(spec).value();
  EXPECT_EQ(sum.cpu_request_milli, 1250);
  EXPECT_EQ(sum.cpu_limit_milli, 1500);
  EXPECT_EQ(sum.memory_request, 64 << 20);
  EXPECT_EQ(sum.memory_limit, 0);
}

TEST(OomScore, RanksByClassAndShare) {
  const int64_t node = int64_t{8} << 30;
  EXPECT_EQ(OomScore(v1::QOS_CLASS_GUARANTEED, 1 << 30, node), -997);
  EXPECT_EQ(OomScore(v1::QOS_CLASS_BEST_EFFORT, 0, node), 1000);
  EXPECT_EQ(OomScore(v1::QOS_CLASS_BURSTABLE, int64_t{2} << 30, node), 750);
  EXPECT_EQ(OomScore(v1::QOS_CLASS_BURSTABLE, node, node), 3);
}

TEST(SandboxSpec, CarriesHostPorts) {
  PodBuilder pod;
  v1::ContainerPort* port = pod.First().add_ports();
  port->set_container_port(80);
  port->set_host_port(8080);
  port->set_host_ip("0.0.0.0");
  pod.First().add_ports()->set_container_port(443);
  const SandboxSpec spec = SandboxSpecOf(pod.Get().pod(), {"", "10.64.0.1"}).value();
  ASSERT_EQ(spec.host_ports.size(), 1u);
  EXPECT_EQ(spec.host_ports[0].host_port, 8080);
  EXPECT_EQ(spec.host_ports[0].host_ip, "");
  EXPECT_EQ(spec.host_ports[0].protocol, "tcp");
}

TEST(ContainerSpecs, OnlyAnInitContainerThatEndsRunsBeforeOthers) {
  const v1::Assignment assignment = PodBuilder().Init("setup").Init("proxy", true).Get();
  ImageRecord image;
  image.config.cmd = {"run"};
  const auto runs_before_others = [&](const v1::Container& container) {
    return ContainerSpecOf(assignment, container, 0, image, NodeContext(), 0)
        .value()
        .runs_before_others;
  };
  const v1::PodSpec& pod = assignment.pod().spec();
  EXPECT_TRUE(runs_before_others(pod.init_containers(0)));
  EXPECT_FALSE(runs_before_others(pod.init_containers(1)));
  EXPECT_FALSE(runs_before_others(pod.containers(0)));
}

}  // namespace
}  // namespace cluster::node
