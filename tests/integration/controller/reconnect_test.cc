// Very many nodes that come back at once.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/object/object_fields.h"
#include "tests/bench/scale/fleet.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

constexpr int kNodes = 300;
constexpr int kPods = 600;

SessionOptions Bounded() {
  SessionOptions options;
  // Longer than the longest pause between two dials.
  options.beat = absl::Seconds(2);
  options.admissions_per_second = 200;
  options.admission_burst = 20;
  return options;
}

bool AllReady(const std::map<std::string, v1::Object>& nodes) {
  return nodes.size() == kNodes && std::all_of(nodes.begin(), nodes.end(), [](const auto& node) {
           return NodeIsReady(node.second.node());
         });
}

TEST(Reconnect, HundredsOfNodesComeBackToANewControllerAndNoneIsLost) {
  TestCluster cluster(Backend::kSqlite, Bounded());
  bench::NodeSize size;
  size.pods = 110;
  bench::Fleet fleet(absl::StrCat("unix:", cluster.socket()), kNodes, size);
  ASSERT_TRUE(cluster.WaitFor("Node", AllReady));
  ASSERT_TRUE(cluster.Apply({DeploymentBuilder("web").Replicas(kPods).Build()}).ok());
  ASSERT_TRUE(cluster.WaitForReady("web", kPods));
  std::set<std::string> before;
  for (const v1::Object& pod : cluster.List("Pod")) before.insert(Meta(pod).uid());
  const int64_t told = fleet.counts().told;
  const int64_t welcomes = fleet.counts().welcomes;

  cluster.Restart();
  ASSERT_TRUE(fleet.Await([&](const bench::FleetCounts& counts) {
    return counts.welcomes >= welcomes + kNodes && counts.attached == kNodes;
  }));
  EXPECT_TRUE(cluster.WaitFor("Node", AllReady));
  // Nobody was lost, so nothing was moved or told again.
  for (const v1::Object& event : cluster.List("Event")) {
    EXPECT_NE(event.event().reason(), "NodeNotReady") << event.event().involved_object().name();
  }
  std::set<std::string> after;
  for (const v1::Object& pod : cluster.List("Pod")) after.insert(Meta(pod).uid());
  EXPECT_EQ(before, after);
  EXPECT_EQ(fleet.counts().told, told);
}

}  // namespace
}  // namespace cluster::controller
