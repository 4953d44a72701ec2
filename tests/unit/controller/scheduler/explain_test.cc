#include "controller/scheduler/explain.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/domain/builders.h"
#include "tests/domain/placing.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Node;
using domain::Pod;
using domain::ReplicaSet;
using domain::World;

PodVerdict Explain(const World& world, const std::string& pod) {
  return ExplainPod(world.view(), world.Find("pods/default/" + pod), {});
}

TEST(Explain, SaysForEveryNodeWhatLacksAndWhatWouldHelp) {
  World world;
  world.Put(Node("n1").Allocatable("1", "1Gi"));
  world.Put(Node("n2").Cordoned());
  world.Put(Node("n3").Label("zone", "a"));
  world.Put(Pod("db").Label("app", "db").On("n3"));
  world.Put(Pod("new").Cpu("1500m").Memory("2Gi").With(domain::Away("app", "db", "zone")));
  const PodVerdict verdict = Explain(world, "new");
  ASSERT_EQ(verdict.nodes.size(), 3u);
  ASSERT_EQ(verdict.nodes[0].rejections.size(), 2u);
  EXPECT_EQ(verdict.nodes[0].rejections[0].reason, "Insufficient cpu");
  EXPECT_EQ(verdict.nodes[0].rejections[0].lacking, "500m");
  EXPECT_EQ(verdict.nodes[0].rejections[0].remedy,
            "free 500m of cpu on the node, or lower the request by as much");
  EXPECT_EQ(verdict.nodes[0].rejections[1].lacking, "1Gi");
  EXPECT_EQ(verdict.nodes[1].rejections[0].remedy, "clusterctl uncordon n2");
  EXPECT_EQ(verdict.nodes[2].rejections[0].remedy, "move the pods of app=db to another zone");
  EXPECT_EQ(verdict.summary,
            "0/3 nodes are available: 1 Insufficient cpu (500m lacking) on n1, 1 Insufficient "
            "memory (1Gi lacking) on n1, 1 node(s) didn't match pod anti-affinity rules on n3, 1 "
            "node(s) were unschedulable on n2.");
}

TEST(Explain, SaysWhyTheNodeOfAPlacedPodWon) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2"));
  const v1::Object owner = ReplicaSet("web");
  world.Put(Pod("web-0").OwnedBy(owner).On("n1"));
  world.Put(Pod("web-1").OwnedBy(owner).On("n2"));
  const PodVerdict verdict = Explain(world, "web-1");
  EXPECT_EQ(verdict.node, "n2");
  ASSERT_EQ(verdict.nodes.size(), 2u);
  EXPECT_EQ(verdict.nodes[0].node, "n2");
  EXPECT_EQ(verdict.summary, "n2 won: it is ahead of n1 by spread of the workload (0 against -1).");
}

TEST(Explain, SaysWhereAPlacedPodWouldGoToday) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2").Label("disk", "ssd"));
  world.Put(Pod("new").With(domain::Prefers(10, "disk", "ssd")).On("n1"));
  EXPECT_EQ(Explain(world, "new").summary,
            "It runs on n1; today n2 would win, ahead by preferences (node affinity 10, pod "
            "affinity 0, topology spread 0) (10 against 0).");
  world.Put(Node("n1").Tainted("k", "v", v1::TAINT_EFFECT_NO_SCHEDULE));
  EXPECT_EQ(Explain(world, "new").summary,
            "It runs on n1, where it could not be placed today: node(s) had untolerated taint {k: "
            "v}.");
}

TEST(Explain, TheFirstOfTheNodesIsWhereThePlanPutsIt) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2"));
  world.Put(Pod("there").Cpu("1").On("n1"));
  world.Put(Pod("new").Cpu("1"));
  const PodVerdict verdict = Explain(world, "new");
  EXPECT_EQ(verdict.nodes[0].node,
            ComputePlan(world.view(), {}, absl::UnixEpoch()).bindings.at(0).node);
  EXPECT_EQ(verdict.summary, "It fits on n2 and is about to go there.");
}

}  // namespace
}  // namespace cluster::controller
