#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

using ::testing::HasSubstr;

class TopTest : public CommandTest {
 protected:
  TopTest() {
    PutWithStatus("{apiVersion: v1, kind: Node, metadata: {name: node1}}",
                  "allocatable {key: 'cpu' value: '2'} allocatable {key: 'memory' value: '1Gi'}");
    Put("{apiVersion: v1, kind: Node, metadata: {name: node2}}");
    PutPod("default", "web-1", "web");
    PutPod("default", "web-2", "web");
    PutPod("default", "db", "db");
    PutPod("other", "far", "far");
    v1::StatsResponse stats;
    v1::NodeStats* node = stats.add_nodes();
    node->set_node("node1");
    node->mutable_machine()->set_cpu_milli(500);
    node->mutable_machine()->set_memory_working_set_bytes(512 << 20);
    AddPod("default", "web-1", 5, node);
    AddPod("default", "db", 70, node);
    AddPod("other", "far", 1, node);
    stats.add_unreachable("node2");
    cluster_.SetStats(stats);
  }
  void PutPod(const std::string& name_space, const std::string& name, const std::string& app) {
    Put(absl::StrCat("{apiVersion: v1, kind: Pod, metadata: {name: ", name,
                     ", namespace: ", name_space, ", labels: {app: ", app,
                     "}}, spec: {containers: [{name: main, image: x}]}}"));
  }
  void AddPod(const std::string& name_space, const std::string& name, int64_t milli,
              v1::NodeStats* node) {
    v1::PodStats* pod = node->add_pods();
    pod->set_namespace_(name_space);
    pod->set_name(name);
    pod->set_uid(
        cluster_.Stored(absl::StrCat("pods/", name_space, "/", name)).pod().metadata().uid());
    pod->mutable_resources()->set_cpu_milli(milli);
    v1::ContainerStats* container = pod->add_containers();
    container->set_name("main");
    container->mutable_resources()->set_cpu_milli(milli);
  }
};

TEST_F(TopTest, PodsOfTheNamespaceThatRun) {
  const Outcome outcome = Run({"top", "pods"});
  EXPECT_EQ(outcome.out,
            "NAME    CPU(cores)   MEMORY(bytes)\n"
            "db      70m          0Mi\n"
            "web-1   5m           0Mi\n");
  EXPECT_THAT(outcome.err, HasSubstr("no statistics from node2"));
  EXPECT_EQ(Run({"top", "po", "-l", "app=web", "--no-headers"}).out, "web-1   5m    0Mi\n");
  EXPECT_EQ(Run({"top", "pod", "db", "--no-headers", "--containers"}).out,
            "db    main   70m   0Mi\n");
}

TEST_F(TopTest, PodsOfAllNamespacesByUse) {
  EXPECT_EQ(Run({"top", "pods", "-A", "--sort-by", "cpu", "--no-headers"}).out,
            "default   db      70m   0Mi\n"
            "default   web-1   5m    0Mi\n"
            "other     far     1m    0Mi\n");
}

TEST_F(TopTest, SaysWhatIsMissing) {
  EXPECT_EQ(Run({"top", "pods", "absent"}).code, 1);
  const Outcome idle = Run({"top", "pod", "web-2"});
  EXPECT_EQ(idle.code, 1);
  EXPECT_THAT(idle.err, HasSubstr("pod web-2 uses nothing: it does not run"));
  EXPECT_THAT(Run({"top", "pods", "-l", "app=none"}).err,
              HasSubstr("No resources found in default namespace."));
}

TEST_F(TopTest, NodesWithTheirShares) {
  EXPECT_EQ(Run({"top", "nodes"}).out,
            "NAME    CPU(cores)   CPU(%)      MEMORY(bytes)   MEMORY(%)\n"
            "node1   500m         25%         512Mi           50%\n"
            "node2   <unknown>    <unknown>   <unknown>       <unknown>\n");
  EXPECT_EQ(Run({"top", "node", "node1", "--no-headers"}).out,
            "node1   500m   25%   512Mi   50%\n");
}

TEST_F(TopTest, WrongUsage) {
  EXPECT_EQ(Run({"top"}).code, 2);
  EXPECT_EQ(Run({"top", "pods", "--sort-by", "disk"}).code, 2);
  EXPECT_EQ(Run({"top", "pods", "db", "-l", "a=b"}).code, 2);
  EXPECT_EQ(Run({"top", "pods", "db", "-A"}).code, 2);
  EXPECT_EQ(Run({"top", "nodes", "-o", "json"}).code, 2);
}

}  // namespace
}  // namespace cluster::cli
