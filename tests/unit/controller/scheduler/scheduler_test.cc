#include "controller/scheduler/scheduler.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/domain/builders.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/scheduler/compute.h"

namespace cluster::controller {
namespace {

using domain::Node;
using domain::Pod;
using domain::ReplicaSet;
using domain::World;
using ::testing::ElementsAre;
using ::testing::Pair;

// Pods per node in the plan.
std::map<std::string, int> Counts(const Plan& plan) {
  std::map<std::string, int> counts;
  for (const Binding& binding : plan.bindings) ++counts[binding.node];
  return counts;
}

TEST(Scheduler, SpreadsOneWorkloadOverNodes) {
  World world;
  for (const char* name : {"n1", "n2", "n3"}) world.Put(Node(name));
  // n1 is the emptiest by far, and still gets only its share.
  world.Put(Pod("big2").Cpu("3").On("n2"));
  world.Put(Pod("big3").Cpu("3").On("n3"));
  const v1::Object owner = ReplicaSet("web");
  for (int i = 0; i < 6; ++i) {
    world.Put(Pod(absl::StrCat("web-", i)).Cpu("100m").OwnedBy(owner));
  }
  EXPECT_THAT(Counts(Compute(world)), ElementsAre(Pair("n1", 2), Pair("n2", 2), Pair("n3", 2)));
}

TEST(Scheduler, PodsBeingEndedDoNotCountForTheSpread) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2"));
  const v1::Object owner = ReplicaSet("web");
  world.Put(Pod("web-0").OwnedBy(owner).On("n1").Deleting());
  world.Put(Pod("web-1").OwnedBy(owner).On("n2"));
  world.Put(Pod("web-2").OwnedBy(owner));
  EXPECT_THAT(Counts(Compute(world)), ElementsAre(Pair("n1", 1)));
}

TEST(Scheduler, PrefersTheLeastAllocatedNode) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2"));
  world.Put(Pod("there").Cpu("1").On("n1"));
  world.Put(Pod("new").Cpu("1"));
  EXPECT_THAT(Counts(Compute(world)), ElementsAre(Pair("n2", 1)));
}

TEST(Scheduler, BreaksTiesByName) {
  World world;
  world.Put(Node("b"));
  world.Put(Node("a"));
  world.Put(Pod("new"));
  EXPECT_THAT(Counts(Compute(world)), ElementsAre(Pair("a", 1)));
}

TEST(Scheduler, AvoidsSoftTaintsWhileItCan) {
  World world;
  world.Put(Node("a").Tainted("k", "v", v1::TAINT_EFFECT_PREFER_NO_SCHEDULE));
  world.Put(Node("b").Allocatable("1", "8Gi"));
  world.Put(Pod("p1").Cpu("1").CreatedAt(1));
  world.Put(Pod("p2").Cpu("1").CreatedAt(2));
  const Plan plan = Compute(world);
  ASSERT_EQ(plan.bindings.size(), 2u);
  EXPECT_EQ(plan.bindings[0].node, "b");
  EXPECT_EQ(plan.bindings[1].node, "a");
}

TEST(Scheduler, Law9EarlierPlacementsOfThePlanCount) {
  World world;
  world.Put(Node("n1").Allocatable("1", "8Gi"));
  world.Put(Node("n2").Allocatable("1", "8Gi"));
  for (int i = 0; i < 5; ++i) world.Put(Pod(absl::StrCat("p", i)).Cpu("600m").CreatedAt(i));
  const Plan plan = Compute(world);
  EXPECT_THAT(Counts(plan), ElementsAre(Pair("n1", 1), Pair("n2", 1)));
  EXPECT_EQ(plan.unschedulable.size(), 3u);
  EXPECT_EQ(plan.bindings[0].pod_key, "pods/default/p0");
  EXPECT_EQ(plan.bindings[1].pod_key, "pods/default/p1");
}

TEST(Scheduler, HostPortsOfOnePlanClash) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2"));
  for (int i = 0; i < 3; ++i) world.Put(Pod(absl::StrCat("p", i)).HostPort(80));
  const Plan plan = Compute(world);
  EXPECT_THAT(Counts(plan), ElementsAre(Pair("n1", 1), Pair("n2", 1)));
  ASSERT_EQ(plan.unschedulable.size(), 1u);
  EXPECT_EQ(plan.unschedulable[0].summary,
            "0/2 nodes are available: 2 node(s) didn't have the requested host port 80/TCP free on "
            "n1, n2.");
}

TEST(Scheduler, Behaviour49SaysWhatLacksWhere) {
  World world;
  world.Put(Node("n1").Allocatable("500m", "8Gi"));
  world.Put(Node("n2").Tainted("key", "value", v1::TAINT_EFFECT_NO_SCHEDULE));
  world.Put(Node("n3").Tainted("key", "value", v1::TAINT_EFFECT_NO_SCHEDULE));
  world.Put(Pod("new").Cpu("1"));
  const Plan plan = Compute(world);
  ASSERT_EQ(plan.unschedulable.size(), 1u);
  EXPECT_EQ(plan.unschedulable[0].summary,
            "0/3 nodes are available: 1 Insufficient cpu (500m lacking) on n1, 2 node(s) had "
            "untolerated taint {key: value} on n2, n3.");
  ASSERT_EQ(plan.unschedulable[0].reasons->size(), 3u);
  EXPECT_EQ(plan.unschedulable[0].reasons->at(0).node, "n1");
  EXPECT_EQ(plan.unschedulable[0].reasons->at(0).reason, "Insufficient cpu (500m lacking)");
}

TEST(Scheduler, SummaryNamesThreeNodesAndTheLeastLack) {
  World world;
  for (int i = 1; i <= 5; ++i) world.Put(Node(absl::StrCat("n", i)).Allocatable("1", "8Gi"));
  world.Put(Pod("there").Cpu("500m").On("n1"));
  world.Put(Pod("new").Cpu("2"));
  const Plan plan = Compute(world);
  ASSERT_EQ(plan.unschedulable.size(), 1u);
  EXPECT_EQ(plan.unschedulable[0].summary,
            "0/5 nodes are available: 5 Insufficient cpu (at least 1 lacking) on n1, n2, n3 and 2 "
            "more.");
}

TEST(Scheduler, SaysThatThereAreNoNodes) {
  World world;
  world.Put(Pod("new"));
  EXPECT_EQ(Compute(world).unschedulable.at(0).summary,
            "0/0 nodes are available: no node has joined the cluster.");
}

TEST(Scheduler, LeavesBoundEndingAndEndedPodsAlone) {
  World world;
  world.Put(Node("n1"));
  world.Put(Pod("bound").On("n1"));
  world.Put(Pod("ending").Deleting());
  world.Put(Pod("ended").Phase(v1::POD_PHASE_FAILED));
  const Plan plan = Compute(world);
  EXPECT_TRUE(plan.bindings.empty());
  EXPECT_TRUE(plan.unschedulable.empty());
}

TEST(Scheduler, PlacesAtMostAsManyAsAsked) {
  World world;
  world.Put(Node("n1"));
  for (int i = 0; i < 5; ++i) world.Put(Pod(absl::StrCat("p", i)));
  const Plan plan = ComputePlan(world.view(), {.max_placements = 2}, kNow);
  EXPECT_EQ(plan.bindings.size(), 2u);
  EXPECT_TRUE(plan.unschedulable.empty());
}

TEST(PlanChanges, BindsWithConditionAndEvent) {
  World world;
  world.Put(Node("n1"));
  world.Put(Pod("new"));
  const Changes changes = PlanChanges(world.view(), Compute(world), kNow);
  EXPECT_TRUE(world.Commit(changes).empty());
  const v1::Pod pod = world.PodNamed("new");
  EXPECT_EQ(pod.spec().node_name(), "n1");
  ASSERT_EQ(pod.status().conditions_size(), 1);
  EXPECT_EQ(pod.status().conditions(0).type(), "PodScheduled");
  EXPECT_EQ(pod.status().conditions(0).status(), v1::CONDITION_STATUS_TRUE);
  ASSERT_EQ(changes.events.size(), 1u);
  EXPECT_EQ(changes.events[0].message, "Successfully assigned default/new to n1");
}

TEST(PlanChanges, Law10APendingPodSaysWhyAndAgainOnlyWhenThatChanges) {
  World world;
  world.Put(Node("n1").Allocatable("1", "1Gi"));
  world.Put(Pod("new").Cpu("2"));
  const Changes first = PlanChanges(world.view(), Compute(world), kNow);
  EXPECT_EQ(first.writes.size(), 1u);
  ASSERT_EQ(first.events.size(), 1u);
  EXPECT_EQ(first.events[0].reason, "FailedScheduling");
  world.Commit(first);
  const v1::Condition condition = world.PodNamed("new").status().conditions(0);
  EXPECT_EQ(condition.status(), v1::CONDITION_STATUS_FALSE);
  EXPECT_EQ(condition.reason(), "Unschedulable");
  EXPECT_TRUE(PlanChanges(world.view(), Compute(world), kNow + absl::Hours(1)).empty());
  world.Put(Node("n1").Allocatable("1500m", "1Gi"));
  EXPECT_EQ(PlanChanges(world.view(), Compute(world), kNow).writes.size(), 1u);
}

TEST(PlanChanges, SkipsPodsThatChangedMeanwhile) {
  World world;
  world.Put(Node("n1"));
  world.Put(Pod("new"));
  const Plan plan = Compute(world);
  world.Put(Pod("new").Deleting());
  EXPECT_TRUE(PlanChanges(world.view(), plan, kNow).empty());
}

}  // namespace
}  // namespace cluster::controller
