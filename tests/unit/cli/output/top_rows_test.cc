#include "cli/output/top_rows.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::cli {
namespace {

v1::PodStats Pod(const std::string& name_space, const std::string& name, int64_t milli,
                 int64_t mebibytes) {
  v1::PodStats pod;
  pod.set_namespace_(name_space);
  pod.set_name(name);
  pod.mutable_resources()->set_cpu_milli(milli);
  pod.mutable_resources()->set_memory_working_set_bytes(mebibytes << 20);
  v1::ContainerStats* container = pod.add_containers();
  container->set_name("main");
  container->mutable_resources()->set_cpu_milli(milli - 1);
  container->mutable_resources()->set_memory_working_set_bytes(mebibytes << 20);
  return pod;
}

std::string Print(const std::vector<Cells>& rows) {
  std::ostringstream out;
  Table(out).Print(rows);
  return out.str();
}

const std::vector<v1::PodStats> kPods = {
    Pod("default", "web-2", 12, 30), Pod("default", "web-1", 250, 5), Pod("batch", "job", 3, 700)};

TEST(TopPodRowsTest, LookLikeKubectls) {
  EXPECT_EQ(Print(TopPodRows({kPods[0], kPods[1]}, {})),
            "NAME    CPU(cores)   MEMORY(bytes)\n"
            "web-1   250m         5Mi\n"
            "web-2   12m          30Mi\n");
}

TEST(TopPodRowsTest, SortTheMostFirst) {
  TopOptions options;
  options.with_namespace = true;
  options.order = TopOrder::kMemory;
  options.headers = false;
  EXPECT_EQ(Print(TopPodRows(kPods, options)),
            "batch     job     3m     700Mi\n"
            "default   web-2   12m    30Mi\n"
            "default   web-1   250m   5Mi\n");
  options.order = TopOrder::kCpu;
  EXPECT_THAT(Print(TopPodRows(kPods, options)), ::testing::StartsWith("default   web-1"));
}

TEST(TopPodRowsTest, ContainersAndSum) {
  TopOptions options;
  options.containers = true;
  options.sum = true;
  EXPECT_EQ(Print(TopPodRows({kPods[0], kPods[1]}, options)),
            "POD     NAME   CPU(cores)   MEMORY(bytes)\n"
            "web-1   main   249m         5Mi\n"
            "web-2   main   11m          30Mi\n"
            "               260m         35Mi\n");
}

TEST(TopPodRowsTest, WideShowsThrottlingAndTraffic) {
  v1::PodStats pod = kPods[0];
  v1::ResourceStats* used = pod.mutable_resources();
  used->set_cpu_periods(200);
  used->set_throttled_periods(50);
  used->set_memory_limit_bytes(64 << 20);
  used->set_oom_kills(2);
  used->set_pids(7);
  used->set_read_bytes(1536);
  used->set_written_bytes(20 << 20);
  pod.mutable_network()->set_received_bytes(999);
  pod.mutable_network()->set_sent_bytes(1000);
  TopOptions options;
  options.wide = true;
  EXPECT_EQ(Print(TopPodRows({pod}, options)),
            "NAME    CPU(cores)   MEMORY(bytes)   THROTTLED   MEMORY-LIMIT   OOM-KILLS   PIDS   "
            "READ    WRITTEN   RECEIVED   SENT\n"
            "web-2   12m          30Mi            25%         64Mi           2           7      "
            "1.5Ki   20Mi      999        1.0Ki\n");
}

v1::Node Node(const std::string& name) {
  v1::Node node;
  node.mutable_metadata()->set_name(name);
  (*node.mutable_status()->mutable_allocatable())["cpu"] = "4";
  (*node.mutable_status()->mutable_allocatable())["memory"] = "1Gi";
  return node;
}

TEST(TopNodeRowsTest, ShareIsOfTheAllocatableAndASilentNodeIsUnknown) {
  v1::NodeStats stats;
  stats.set_node("node2");
  stats.mutable_machine()->set_cpu_milli(1000);
  stats.mutable_machine()->set_memory_working_set_bytes(256 << 20);
  EXPECT_EQ(Print(TopNodeRows({Node("node1"), Node("node2")}, {stats}, {})),
            "NAME    CPU(cores)   CPU(%)      MEMORY(bytes)   MEMORY(%)\n"
            "node1   <unknown>    <unknown>   <unknown>       <unknown>\n"
            "node2   1000m        25%         256Mi           25%\n");
  TopOptions options;
  options.order = TopOrder::kCpu;
  options.headers = false;
  EXPECT_THAT(Print(TopNodeRows({Node("node1"), Node("node2")}, {stats}, options)),
              ::testing::StartsWith("node2"));
}

}  // namespace
}  // namespace cluster::cli
