// Who has to end for whom.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/invariants.h"
#include "tests/domain/placing.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/scheduler/compute.h"

namespace cluster::controller {
namespace {

using domain::Node;
using domain::Pod;
using domain::World;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Changes Commit(World* world) {
  Changes changes = PlanChanges(world->view(), Compute(*world), kNow);
  EXPECT_THAT(world->Commit(changes), IsEmpty());
  return changes;
}

Pod Running(const std::string& name, int priority, const std::string& node) {
  return Pod(name).Priority(priority).Cpu("1").On(node).Ready();
}

// Names of the victims of the only preemption of a plan.
std::vector<std::string> Victims(const Plan& plan) {
  std::vector<std::string> names;
  if (plan.preemptions.size() != 1) return {absl::StrCat(plan.preemptions.size(), " preemptions")};
  for (const auto& each : plan.preemptions[0].victims) {
    names.push_back(each.pod_key.substr(each.pod_key.rfind('/') + 1));
  }
  return names;
}

v1::Object Budget(const std::string& name, const std::string& app, const std::string& most_down) {
  v1::Object object;
  v1::PodDisruptionBudget* budget = object.mutable_pod_disruption_budget();
  budget->mutable_metadata()->set_name(name);
  budget->mutable_metadata()->set_namespace_("default");
  budget->mutable_metadata()->set_uid("uid-" + name);
  budget->mutable_spec()->set_max_unavailable(most_down);
  (*budget->mutable_spec()->mutable_selector()->mutable_match_labels())["app"] = app;
  return object;
}

TEST(Queue, MorePriorityComesFirstThenAge) {
  World world;
  world.Put(Node("n1").Allocatable("2", "8Gi"));
  world.Put(Pod("young").Cpu("1").Priority(5).CreatedAt(9));
  world.Put(Pod("old").Cpu("1").Priority(5).CreatedAt(1));
  world.Put(Pod("low").Cpu("1").CreatedAt(0));
  world.Put(Pod("high").Cpu("1").Priority(7).CreatedAt(99));
  const Plan plan = Compute(world);
  ASSERT_EQ(plan.bindings.size(), 2u);
  EXPECT_EQ(plan.bindings[0].pod_key, "pods/default/high");
  EXPECT_EQ(plan.bindings[1].pod_key, "pods/default/old");
}

TEST(Preemption, Behaviour52RoomThatWasMadeGoesToThePodThatItWasMadeFor) {
  World world;
  world.Put(Node("n1").Allocatable("1", "8Gi"));
  world.Put(Running("low", 1, "n1"));
  // Older, of the same priority, and not one to send others away.
  Pod polite = Pod("polite").Priority(2).Cpu("1").CreatedAt(1);
  polite.spec()->set_preemption_policy(v1::PREEMPTION_POLICY_NEVER);
  world.Put(polite);
  world.Put(Pod("high").Priority(2).Cpu("1").CreatedAt(9));
  Commit(&world);
  ASSERT_EQ(world.PodNamed("high").status().nominated_node_name(), "n1");
  world.Remove("pods/default/low");
  Commit(&world);
  EXPECT_EQ(world.PodNamed("high").spec().node_name(), "n1");
  EXPECT_EQ(world.PodNamed("polite").spec().node_name(), "");
}

TEST(Preemption, Behaviour52TheLowerPodEndsWithItsGraceAndTheHigherTakesItsPlace) {
  World world;
  world.Put(Node("n1").Allocatable("1", "8Gi"));
  world.Put(Running("low", 1, "n1").Grace(17));
  world.Put(Pod("high").Priority(2).Cpu("1"));
  const Changes changes = Commit(&world);
  const v1::Pod low = world.PodNamed("low");
  EXPECT_EQ(low.metadata().deletion_grace_period_seconds(), 17);
  EXPECT_EQ(low.metadata().deletion_timestamp().seconds(), absl::ToUnixSeconds(kNow) + 17);
  const v1::Condition* target = FindCondition(low.status().conditions(), "DisruptionTarget");
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->status(), v1::CONDITION_STATUS_TRUE);
  EXPECT_EQ(target->reason(), "PreemptionByScheduler");
  EXPECT_EQ(target->message(),
            "default-scheduler: preempting to accommodate a higher priority pod");
  EXPECT_EQ(world.PodNamed("high").status().nominated_node_name(), "n1");
  EXPECT_EQ(world.PodNamed("high").spec().node_name(), "");
  EXPECT_TRUE(std::any_of(changes.events.begin(), changes.events.end(), [](const EventNote& each) {
    return each.reason == "Preempted" && each.message == "Preempted by pod Pod-high on node n1";
  }));
  // While the victim ends nothing more happens, and nobody else takes the room.
  world.Put(Pod("third").Priority(1).Cpu("500m"));
  Commit(&world);
  EXPECT_TRUE(PlanChanges(world.view(), Compute(world), kNow + absl::Hours(1)).writes.empty());
  EXPECT_EQ(world.PodNamed("high").spec().node_name(), "");
  world.Remove("pods/default/low");
  Commit(&world);
  EXPECT_EQ(world.PodNamed("high").spec().node_name(), "n1");
  EXPECT_EQ(world.PodNamed("high").status().nominated_node_name(), "");
  EXPECT_EQ(world.PodNamed("third").spec().node_name(), "");
}

TEST(Preemption, Behaviour52NothingEndsWhereThereIsRoom) {
  World world;
  world.Put(Node("n1").Allocatable("1", "8Gi"));
  world.Put(Node("n2").Allocatable("1", "8Gi"));
  world.Put(Running("low", 1, "n1"));
  world.Put(Pod("high").Priority(2).Cpu("1"));
  const Plan plan = Compute(world);
  EXPECT_TRUE(plan.preemptions.empty());
  EXPECT_EQ(plan.bindings.at(0).node, "n2");
}

TEST(Preemption, NobodyOfEqualOrMorePriorityIsAVictim) {
  World world;
  world.Put(Node("n1").Allocatable("2", "8Gi"));
  world.Put(Running("equal", 2, "n1"));
  world.Put(Running("higher", 3, "n1"));
  world.Put(Pod("new").Priority(2).Cpu("1"));
  EXPECT_TRUE(Compute(world).preemptions.empty());
}

TEST(Preemption, APodThatNeverPreemptsWaits) {
  World world;
  world.Put(Node("n1").Allocatable("1", "8Gi"));
  world.Put(Running("low", 1, "n1"));
  Pod polite("polite");
  polite.Priority(2).Cpu("1").With(
      [](v1::PodSpec* spec) { spec->set_preemption_policy(v1::PREEMPTION_POLICY_NEVER); });
  world.Put(polite);
  const Plan plan = Compute(world);
  EXPECT_TRUE(plan.preemptions.empty());
  EXPECT_EQ(plan.unschedulable.at(0).summary,
            "0/1 nodes are available: 1 Insufficient cpu (1 lacking) on n1.");
}

TEST(Preemption, VictimsAreAsFewAndAsUnimportantAsCanBe) {
  World world;
  world.Put(Node("n1").Allocatable("3", "8Gi"));
  world.Put(Running("a", 3, "n1"));
  world.Put(Running("b", 1, "n1"));
  world.Put(Running("c", 2, "n1"));
  world.Put(Pod("new").Priority(9).Cpu("2"));
  EXPECT_THAT(Victims(Compute(world)), UnorderedElementsAre("b", "c"));
  world.Put(Pod("new").Priority(9).Cpu("1"));
  EXPECT_THAT(Victims(Compute(world)), ElementsAre("b"));
}

TEST(Preemption, TheNodeWithTheLeastImportantVictimIsChosen) {
  World world;
  for (const char* node : {"n1", "n2", "n3"}) world.Put(Node(node).Allocatable("2", "8Gi"));
  world.Put(Running("a1", 3, "n1"));
  world.Put(Running("a2", 1, "n1"));
  world.Put(Running("b1", 2, "n2"));
  world.Put(Running("b2", 2, "n2"));
  world.Put(Running("c1", 2, "n3"));
  world.Put(Running("c2", 1, "n3"));
  world.Put(Pod("new").Priority(9).Cpu("2"));
  const Plan plan = Compute(world);
  EXPECT_THAT(Victims(plan), UnorderedElementsAre("c1", "c2"));
  world.Put(Pod("new").Priority(9).Cpu("1"));
  EXPECT_THAT(Victims(Compute(world)), ElementsAre("a2")) << "ties by the node's name";
}

TEST(Preemption, OfEqualVictimsTheYoungestGoes) {
  World world;
  for (const char* node : {"n1", "n2"}) world.Put(Node(node).Allocatable("1", "8Gi"));
  world.Put(Running("older", 1, "n1").CreatedAt(5));
  world.Put(Running("younger", 1, "n2").CreatedAt(6));
  world.Put(Pod("new").Priority(9).Cpu("1"));
  EXPECT_THAT(Victims(Compute(world)), ElementsAre("younger"));
}

TEST(Preemption, ABudgetIsKeptWhereAnotherNodeCanGiveRoom) {
  World world;
  for (const char* node : {"n1", "n2"}) world.Put(Node(node).Allocatable("1", "8Gi"));
  world.Put(Running("guarded", 1, "n1").Label("app", "web"));
  world.Put(Running("free", 5, "n2"));
  world.Put(Budget("web", "web", "0"));
  world.Put(Pod("new").Priority(9).Cpu("1"));
  EXPECT_THAT(Victims(Compute(world)), ElementsAre("free"));
  world.Remove("pods/default/free");
  world.Put(Running("other", 9, "n2"));
  EXPECT_THAT(Victims(Compute(world)), ElementsAre("guarded")) << "priority goes before a budget";
}

TEST(Preemption, WithinANodeThePodsOfABudgetAreSparedFirst) {
  World world;
  world.Put(Node("n1").Allocatable("2", "8Gi"));
  world.Put(Running("guarded", 1, "n1").Label("app", "web"));
  world.Put(Running("free", 5, "n1"));
  world.Put(Budget("web", "web", "0"));
  world.Put(Pod("new").Priority(9).Cpu("1"));
  EXPECT_THAT(Victims(Compute(world)), ElementsAre("free"));
}

TEST(Preemption, ABudgetIsSpentOnceByOnePlan) {
  World world;
  for (const char* node : {"n1", "n2", "n3"}) world.Put(Node(node).Allocatable("1", "8Gi"));
  world.Put(Running("w1", 1, "n1").Label("app", "web"));
  world.Put(Running("w2", 1, "n2").Label("app", "web"));
  world.Put(Running("free", 5, "n3"));
  world.Put(Budget("web", "web", "1"));
  world.Put(Pod("new1").Priority(9).Cpu("1").CreatedAt(1));
  world.Put(Pod("new2").Priority(9).Cpu("1").CreatedAt(2));
  const Plan plan = Compute(world);
  ASSERT_EQ(plan.preemptions.size(), 2u);
  EXPECT_EQ(plan.preemptions[0].node, "n1");
  EXPECT_EQ(plan.preemptions[1].node, "n3");
}

TEST(Preemption, WhoStandsInTheWayOfAntiAffinityGoes) {
  World world;
  world.Put(Node("n1").Label("zone", "a"));
  world.Put(Running("rival", 1, "n1").Label("app", "rival"));
  world.Put(Running("bystander", 1, "n1"));
  world.Put(Pod("new").Priority(9).Cpu("1").With(domain::Away("app", "rival", "zone")));
  EXPECT_THAT(Victims(Compute(world)), ElementsAre("rival"));
}

TEST(Preemption, WhoHoldsTheHostPortGoes) {
  World world;
  world.Put(Node("n1"));
  world.Put(Running("holder", 1, "n1").HostPort(80));
  world.Put(Running("bystander", 1, "n1"));
  world.Put(Pod("new").Priority(9).HostPort(80));
  EXPECT_THAT(Victims(Compute(world)), ElementsAre("holder"));
}

TEST(Preemption, WhatCannotHelpEndsNobody) {
  World world;
  world.Put(Node("n1").Allocatable("1", "8Gi"));
  world.Put(Running("low", 1, "n1"));
  world.Put(Pod("huge").Priority(9).Cpu("2"));
  world.Put(Pod("picky").Priority(9).Cpu("1").OnNodesWith("disk", "ssd"));
  EXPECT_TRUE(Compute(world).preemptions.empty());
}

TEST(Preemption, RoomThatIsBeingFreedIsWaitedForBeforeAnybodyElseEnds) {
  World world;
  for (const char* node : {"n1", "n2"}) world.Put(Node(node).Allocatable("1", "8Gi"));
  world.Put(Running("ending", 5, "n2").Deleting());
  world.Put(Running("low", 1, "n1"));
  world.Put(Pod("new").Priority(9).Cpu("1"));
  const Plan plan = Compute(world);
  EXPECT_THAT(Victims(plan), IsEmpty());
  EXPECT_EQ(plan.preemptions[0].node, "n2");
}

TEST(Preemption, TwoThatPreemptDoNotCountOnTheSameRoom) {
  World world;
  for (const char* node : {"n1", "n2"}) world.Put(Node(node).Allocatable("1", "8Gi"));
  world.Put(Running("low1", 1, "n1"));
  world.Put(Running("low2", 1, "n2"));
  for (int i = 0; i < 3; ++i) {
    world.Put(Pod(absl::StrCat("new", i)).Priority(9).Cpu("1").CreatedAt(i));
  }
  const Plan plan = Compute(world);
  ASSERT_EQ(plan.preemptions.size(), 2u);
  EXPECT_NE(plan.preemptions[0].node, plan.preemptions[1].node);
  EXPECT_EQ(plan.unschedulable.size(), 3u);
}

}  // namespace
}  // namespace cluster::controller
