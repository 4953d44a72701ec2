#include "controller/scheduler/filters.h"

#include "gtest/gtest.h"

#include "controller/scheduler/cluster_state.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Node;
using domain::Pod;

// The reasons why `node`, holding `there`, cannot run `pod`, joined.
std::string Why(const Node& node, Pod pod, const std::vector<Pod>& there = {}) {
  domain::World world;
  world.Put(node);
  for (const Pod& each : there) world.Put(each);
  const ClusterState usage(world.view());
  const PodNeeds needs{pod.spec(), RequestOf(*pod.spec()), 0};
  std::string why;
  for (const Rejection& rejection : Rejections(needs, usage.nodes()[0])) {
    why += (why.empty() ? "" : "; ") + rejection.Text();
    EXPECT_NE(rejection.remedy, "") << "which change would let it fit, of: " << rejection.reason;
  }
  EXPECT_EQ(why.empty(), Fits(needs, usage.nodes()[0]));
  return why;
}

struct Case {
  const char* name;
  Node node;
  Pod pod;
  std::vector<Pod> there;
  const char* why;
};

Pod Port(int port, v1::Protocol protocol = v1::PROTOCOL_TCP, const std::string& ip = "") {
  return Pod("new").HostPort(port, protocol, ip);
}
Pod Held(Pod pod) {
  pod.meta()->set_name("held");
  return pod.On("n");
}

Node With(Node node, const std::string& resource, const std::string& amount) {
  (*node.message().mutable_status()->mutable_allocatable())[resource] = amount;
  return node;
}

const v1::TaintEffect kNoSchedule = v1::TAINT_EFFECT_NO_SCHEDULE;
const v1::TaintEffect kNoExecute = v1::TAINT_EFFECT_NO_EXECUTE;
const v1::TaintEffect kPrefer = v1::TAINT_EFFECT_PREFER_NO_SCHEDULE;

std::vector<Case> ReadinessAndRoom() {
  return {
      {"asks for nothing", Node("n"), Pod("new"), {}, ""},
      {"not ready", Node("n").NotReady(), Pod("new").Cpu("99"), {}, "node(s) were not ready"},
      {"being deleted", Node("n").Deleting(), Pod("new"), {}, "node(s) were not ready"},
      {"cordoned", Node("n").Cordoned(), Pod("new"), {}, "node(s) were unschedulable"},
      {"cordon tolerated",
       Node("n").Cordoned(),
       Pod("new").ToleratesAny("node.kubernetes.io/unschedulable"),
       {},
       ""},
      {"exactly fits",
       Node("n").Allocatable("2", "1Gi"),
       Pod("new").Cpu("2").Memory("1Gi"),
       {},
       ""},
      {"cpu",
       Node("n").Allocatable("2", "1Gi"),
       Pod("new").Cpu("2500m"),
       {},
       "Insufficient cpu (500m lacking)"},
      {"cpu taken by another",
       Node("n").Allocatable("2", "1Gi"),
       Pod("new").Cpu("1"),
       {Pod("a").Cpu("1500m").On("n")},
       "Insufficient cpu (500m lacking)"},
      {"ended pods take nothing",
       Node("n").Allocatable("2", "1Gi"),
       Pod("new").Cpu("1"),
       {Pod("a").Cpu("2").On("n").Phase(v1::POD_PHASE_FAILED)},
       ""},
      {"pods being ended still do",
       Node("n").Allocatable("2", "1Gi"),
       Pod("new").Cpu("1"),
       {Pod("a").Cpu("2").On("n").Deleting()},
       "Insufficient cpu (1 lacking)"},
      {"memory and cpu",
       Node("n").Allocatable("2", "1Gi"),
       Pod("new").Cpu("3").Memory("2Gi"),
       {},
       "Insufficient cpu (1 lacking); Insufficient memory (1Gi lacking)"},
      {"a limit counts where no request is",
       Node("n").Allocatable("2", "1Gi"),
       Pod("new").Limit("cpu", "3"),
       {},
       "Insufficient cpu (1 lacking)"},
      {"pod slots",
       Node("n").Allocatable("2", "1Gi", 1),
       Pod("new"),
       {Pod("a").On("n")},
       "Too many pods (limit 1)"},
  };
}

std::vector<Case> OtherResources() {
  return {
      {"huge pages",
       With(Node("n"), "hugepages-2Mi", "8Mi"),
       Pod("new").Request("hugepages-2Mi", "10Mi").Cpu("1"),
       {},
       "Insufficient hugepages-2Mi (2Mi lacking)"},
      {"devices taken by another",
       With(Node("n"), "example.com/dongle", "3"),
       Pod("new").Request("example.com/dongle", "2"),
       {Pod("a").Limit("example.com/dongle", "2").On("n")},
       "Insufficient example.com/dongle (1 lacking)"},
      {"devices that the node does not have",
       Node("n"),
       Pod("new").Request("example.com/dongle", "1").Request("ephemeral-storage", "1Gi"),
       {},
       "Insufficient ephemeral-storage (1Gi lacking); Insufficient example.com/dongle (1 lacking)"},
      {"exactly the disk that is left",
       With(Node("n"), "ephemeral-storage", "10Gi"),
       Pod("new").Request("ephemeral-storage", "4Gi"),
       {Pod("a").Request("ephemeral-storage", "6Gi").On("n")},
       ""},
  };
}

std::vector<Case> SelectorsAndTaints() {
  return {
      {"selector",
       Node("n"),
       Pod("new").OnNodesWith("disk", "ssd"),
       {},
       "node(s) didn't match the pod's nodeSelector"},
      {"selector matches",
       Node("n").Label("disk", "ssd"),
       Pod("new").OnNodesWith("disk", "ssd"),
       {},
       ""},
      {"selector of another value",
       Node("n").Label("disk", "hdd"),
       Pod("new").OnNodesWith("disk", "ssd"),
       {},
       "node(s) didn't match the pod's nodeSelector"},
      {"taint",
       Node("n").Tainted("a", "b", kNoSchedule),
       Pod("new"),
       {},
       "node(s) had untolerated taint {a: b}"},
      {"memory pressure",
       Node("n").Tainted("node.kubernetes.io/memory-pressure", "", kNoSchedule),
       Pod("new"),
       {},
       "node(s) had untolerated taint {node.kubernetes.io/memory-pressure: }"},
      {"memory pressure, but it asked for its memory",
       Node("n").Tainted("node.kubernetes.io/memory-pressure", "", kNoSchedule),
       Pod("new").Memory("1Mi"),
       {},
       ""},
      {"disk pressure keeps everybody away",
       Node("n").Tainted("node.kubernetes.io/disk-pressure", "", kNoSchedule),
       Pod("new").Memory("1Mi"),
       {},
       "node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }"},
      {"taint NoExecute",
       Node("n").Tainted("a", "b", kNoExecute),
       Pod("new"),
       {},
       "node(s) had untolerated taint {a: b}"},
      {"soft taint", Node("n").Tainted("a", "b", kPrefer), Pod("new"), {}, ""},
      {"tolerated",
       Node("n").Tainted("a", "b", kNoSchedule),
       Pod("new").Tolerates("a", "b", kNoSchedule),
       {},
       ""},
      {"toleration of another value",
       Node("n").Tainted("a", "b", kNoSchedule),
       Pod("new").Tolerates("a", "c", kNoSchedule),
       {},
       "node(s) had untolerated taint {a: b}"},
      {"toleration of another effect",
       Node("n").Tainted("a", "b", kNoExecute),
       Pod("new").Tolerates("a", "b", kNoSchedule),
       {},
       "node(s) had untolerated taint {a: b}"},
      {"every key tolerated",
       Node("n").Tainted("a", "b", kNoExecute),
       Pod("new").ToleratesAny(""),
       {},
       ""},
  };
}

TEST(Filters, VerdictAndReason) {
  for (const auto& cases : {ReadinessAndRoom(), OtherResources(), SelectorsAndTaints()}) {
    for (const Case& each : cases) {
      EXPECT_EQ(Why(each.node, each.pod, each.there), each.why) << each.name;
    }
  }
}

// A pod that is being resized.
PodRequest Resized(const std::string& wanted, const std::string& actual,
                   const std::string& pending = "") {
  Pod pod("a");
  pod.Cpu(wanted);
  v1::PodStatus* status = pod.message().mutable_status();
  v1::ContainerStatus* container = status->add_container_statuses();
  container->set_name(pod.spec()->containers(0).name());
  (*container->mutable_resources()->mutable_requests())["cpu"] = actual;
  if (!pending.empty()) {
    v1::Condition* condition = status->add_conditions();
    condition->set_type("PodResizePending");
    condition->set_reason(pending);
  }
  return RequestOf(*pod.spec(), status);
}

TEST(RequestOf, APodThatIsResizedCountsWithTheMoreOfBoth) {
  EXPECT_EQ(Resized("2", "1").cpu_milli, 2000);
  EXPECT_EQ(Resized("1", "2").cpu_milli, 2000);
  EXPECT_EQ(Resized("2", "1", "Deferred").cpu_milli, 2000)
      << "nobody else takes its room meanwhile";
  EXPECT_EQ(Resized("2", "1", "Infeasible").cpu_milli, 1000);
}

TEST(Filters, Behaviour51HostPortsClashByAddressAndProtocol) {
  const char* kTaken = "node(s) didn't have the requested host port 8080/TCP free";
  const v1::Protocol tcp = v1::PROTOCOL_TCP;
  EXPECT_EQ(Why(Node("n"), Port(8080), {Held(Port(8080))}), kTaken);
  EXPECT_EQ(Why(Node("n"), Port(8080), {Held(Port(8081))}), "");
  EXPECT_EQ(Why(Node("n"), Port(8080), {Held(Port(8080, v1::PROTOCOL_UDP))}), "");
  EXPECT_EQ(Why(Node("n"), Port(8080), {Held(Port(8080, tcp, "127.0.0.1"))}), kTaken);
  EXPECT_EQ(Why(Node("n"), Port(8080, tcp, "127.0.0.2"), {Held(Port(8080, tcp, "127.0.0.1"))}), "");
  EXPECT_EQ(Why(Node("n"), Port(8080, tcp, "127.0.0.1"), {Held(Port(8080, tcp, "127.0.0.1"))}),
            "node(s) didn't have the requested host port 127.0.0.1:8080/TCP free");
  EXPECT_EQ(Why(Node("n"), Port(8080, tcp, "127.0.0.1"), {Held(Port(8080, tcp, "0.0.0.0"))}),
            "node(s) didn't have the requested host port 127.0.0.1:8080/TCP free");
}

TEST(Filters, UnspecifiedProtocolIsTcp) {
  EXPECT_NE(Why(Node("n"), Port(80, v1::PROTOCOL_UNSPECIFIED), {Held(Port(80))}), "");
}

}  // namespace
}  // namespace cluster::controller
