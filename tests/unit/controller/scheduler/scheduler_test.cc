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

// What a pass makes is placed in the same pass.
class ScheduleTest : public ::testing::Test {
 protected:
  Changes Schedule(Changes changes) {
    controller::Schedule(world_.view(), kNow, &scheduler_, &changes);
    return changes;
  }
  static Changes Creating(std::vector<v1::Object> objects) {
    Changes changes;
    for (v1::Object& object : objects) changes.Create(std::move(object));
    return changes;
  }

  void Put(v1::Object object) {
    world_.Put(std::move(object));
    scheduler_.Reset();
  }
  void Commit(const Changes& changes) {
    EXPECT_TRUE(world_.Commit(changes).empty());
    scheduler_.Reset();
  }

  World world_;
  Scheduler scheduler_{SchedulerOptions{}};
};

TEST_F(ScheduleTest, PodsAreMadeWithTheirNode) {
  Put(Node("n1").Allocatable("2", "4Gi"));
  Put(Pod("a-old").Cpu("1"));
  const Changes changes = Schedule(Creating({Pod("new-1").Cpu("1"), Pod("new-2").Cpu("1")}));
  ASSERT_EQ(changes.writes.size(), 3u) << "each pod is written once";
  Commit(changes);
  EXPECT_EQ(world_.PodNamed("a-old").spec().node_name(), "n1") << "it waited longer";
  EXPECT_EQ(world_.PodNamed("new-1").spec().node_name(), "n1");
  const v1::Pod rest = world_.PodNamed("new-2");
  EXPECT_EQ(rest.spec().node_name(), "");
  ASSERT_EQ(rest.status().conditions_size(), 1);
  EXPECT_EQ(rest.status().conditions(0).reason(), "Unschedulable");
  // What it made counts from now on, and nothing else does.
  EXPECT_TRUE(Schedule({}).empty());
  Put(Node("n1").Allocatable("3", "4Gi"));
  Commit(Schedule({}));
  EXPECT_EQ(world_.PodNamed("new-2").spec().node_name(), "n1");
}

TEST_F(ScheduleTest, WhatIsNotCommittedLeavesNoTrace) {
  Put(Node("n1").Allocatable("1", "4Gi"));
  EXPECT_EQ(Schedule(Creating({Pod("lost").Cpu("1")})).writes[0].put->pod().spec().node_name(),
            "n1");
  EXPECT_EQ(Schedule(Creating({Pod("next").Cpu("1")})).writes[0].put->pod().spec().node_name(),
            "n1");
}

TEST_F(ScheduleTest, OtherWritesStayAsTheyAre) {
  Put(Node("n1"));
  Put(Pod("taken").On("n1"));
  Changes changes = Creating({Pod("taken"), ReplicaSet("web"), Pod("new"), Pod("bound").On("n1")});
  changes.writes[2].with_previous = true;
  changes = Schedule(std::move(changes));
  ASSERT_EQ(changes.writes.size(), 4u);
  EXPECT_EQ(changes.writes[0].put->pod().spec().node_name(), "") << "the name is another pod's";
  EXPECT_TRUE(changes.writes[1].put->has_replica_set());
  EXPECT_EQ(changes.writes[2].put->pod().spec().node_name(), "n1");
  EXPECT_TRUE(changes.writes[2].with_previous);
  EXPECT_EQ(changes.writes[2].expected, 0);
  EXPECT_EQ(changes.events.size(), 1u) << "who comes with a node needs none";
}

// The claims have to be there first.
TEST_F(ScheduleTest, PodsWithClaimsWaitForTheNextPass) {
  Put(Node("n1"));
  v1::Object pod = Pod("new");
  v1::Volume* volume = pod.mutable_pod()->mutable_spec()->add_volumes();
  volume->set_name("data");
  volume->mutable_persistent_volume_claim()->set_claim_name("data");
  const Changes changes = Schedule(Creating({pod}));
  ASSERT_EQ(changes.writes.size(), 1u);
  EXPECT_EQ(changes.writes[0].put->pod().spec().node_name(), "");
  EXPECT_TRUE(changes.events.empty());
}

TEST_F(ScheduleTest, NobodyEndsForAPodThatIsNotThereYet) {
  Put(Node("n1").Allocatable("1", "4Gi"));
  Put(Pod("low").Cpu("1").On("n1"));
  v1::Object high = Pod("high").Cpu("1");
  high.mutable_pod()->mutable_spec()->set_priority(100);
  Commit(Schedule(Creating({high})));
  EXPECT_FALSE(world_.PodNamed("low").metadata().has_deletion_timestamp());
  EXPECT_EQ(world_.PodNamed("high").status().conditions(0).reason(), "Unschedulable");
  Commit(Schedule({}));
  EXPECT_TRUE(world_.PodNamed("low").metadata().has_deletion_timestamp());
  EXPECT_EQ(world_.PodNamed("high").status().nominated_node_name(), "n1");
}

// What the pass says of a node is not known to the scheduler yet.
TEST_F(ScheduleTest, PodsWaitWhereAPassChangesNodes) {
  Put(Node("n1"));
  Changes changes = Creating({Pod("new")});
  v1::Object lost = Node("n1");
  changes.Put(*world_.view().Find("nodes/n1"), lost);
  changes = Schedule(std::move(changes));
  EXPECT_EQ(changes.writes[0].put->pod().spec().node_name(), "");
  EXPECT_TRUE(changes.events.empty());
}

TEST_F(ScheduleTest, PodsOfOneNodeComeTogetherAfterEverythingElse) {
  Put(Node("n1"));
  Put(Node("n2"));
  Changes changes = Creating({Pod("a"), Pod("b"), Pod("c"), Pod("d"), ReplicaSet("web")});
  changes = Schedule(std::move(changes));
  ASSERT_EQ(changes.writes.size(), 5u);
  EXPECT_TRUE(changes.writes[0].put->has_replica_set());
  std::vector<std::string> nodes;
  for (size_t i = 1; i < 5; ++i) nodes.push_back(changes.writes[i].put->pod().spec().node_name());
  EXPECT_THAT(nodes, ElementsAre("n1", "n1", "n2", "n2"));
}

}  // namespace
}  // namespace cluster::controller
