#include "controller/reconcile/taint_eviction.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Node;
using domain::Pod;
using domain::World;
using ::testing::IsEmpty;

constexpr v1::TaintEffect kNoExecute = v1::TAINT_EFFECT_NO_EXECUTE;
const absl::Time kStart = absl::FromUnixSeconds(1000);

Pod Tolerating(const std::string& name, int64_t seconds) {
  Pod pod(name);
  pod.On("n1").Ready().Tolerates("k", "v", kNoExecute);
  pod.spec()->mutable_tolerations(0)->set_toleration_seconds(seconds);
  return pod;
}

Changes Pass(World* world, absl::Time now) {
  Changes changes = ReconcileTaints(world->view(), now);
  EXPECT_THAT(world->Commit(changes), IsEmpty());
  return changes;
}

bool IsEnding(const World& world, const std::string& pod) {
  return world.PodNamed(pod).metadata().has_deletion_timestamp();
}

// Else one after the other would come and be sent away at once, as long as the taint is there.
TEST(TaintEviction, Behaviour53APodThatComesLaterHasItsWholeTime) {
  World world;
  world.Put(Node("n1").Tainted("k", "v", kNoExecute));
  Pass(&world, kStart);
  const absl::Time later = kStart + absl::Minutes(10);
  Pod pod = Tolerating("ten", 10);
  SetCondition({"PodScheduled", v1::CONDITION_STATUS_TRUE, "", ""}, later,
               pod.message().mutable_status()->mutable_conditions());
  world.Put(pod);
  EXPECT_EQ(Pass(&world, later).wake_at, later + absl::Seconds(10));
  EXPECT_FALSE(IsEnding(world, "ten"));
  Pass(&world, later + absl::Seconds(10));
  EXPECT_TRUE(IsEnding(world, "ten"));
}

TEST(TaintEviction, Behaviour53EachPodLeavesAfterItsOwnTime) {
  World world;
  world.Put(Node("n1").Tainted("k", "v", kNoExecute));
  world.Put(Pod("none").On("n1").Ready().Grace(7));
  world.Put(Tolerating("ten", 10));
  world.Put(Tolerating("twenty", 20));
  world.Put(Pod("ever").On("n1").Ready().Tolerates("k", "v", kNoExecute));
  const Changes first = Pass(&world, kStart);
  EXPECT_EQ(first.wake_at, kStart + absl::Seconds(10));
  EXPECT_TRUE(IsEnding(world, "none"));
  const v1::Pod none = world.PodNamed("none");
  EXPECT_EQ(none.metadata().deletion_grace_period_seconds(), 7);
  const v1::Condition* target = FindCondition(none.status().conditions(), "DisruptionTarget");
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->reason(), "DeletionByTaintManager");
  EXPECT_FALSE(IsEnding(world, "ten"));
  EXPECT_EQ(Pass(&world, kStart + absl::Seconds(9)).writes.size(), 0u);
  EXPECT_EQ(Pass(&world, kStart + absl::Seconds(10)).wake_at, kStart + absl::Seconds(20));
  EXPECT_TRUE(IsEnding(world, "ten"));
  EXPECT_FALSE(IsEnding(world, "twenty"));
  Pass(&world, kStart + absl::Seconds(20));
  EXPECT_TRUE(IsEnding(world, "twenty"));
  EXPECT_FALSE(IsEnding(world, "ever"));
  EXPECT_TRUE(Pass(&world, kStart + absl::Hours(9)).writes.empty());
}

TEST(TaintEviction, Behaviour53ATaintThatGoesInTimeChangesNothing) {
  World world;
  world.Put(Node("n1").Tainted("k", "v", kNoExecute));
  world.Put(Tolerating("ten", 10));
  Pass(&world, kStart);
  world.Put(Node("n1"));
  EXPECT_FALSE(Pass(&world, kStart + absl::Seconds(9)).wake_at.has_value());
  EXPECT_TRUE(Pass(&world, kStart + absl::Seconds(11)).writes.empty());
  // Another time later, it counts from then.
  world.Put(Node("n1").Tainted("k", "v", kNoExecute));
  EXPECT_EQ(Pass(&world, kStart + absl::Seconds(100)).wake_at, kStart + absl::Seconds(110));
}

TEST(TaintEviction, OfSeveralTolerationsTheShortestCounts) {
  World world;
  world.Put(Node("n1").Tainted("k", "v", kNoExecute));
  Pod pod = Tolerating("p", 60);
  pod.ToleratesAny("k");
  pod.spec()->mutable_tolerations(1)->set_effect(kNoExecute);
  pod.spec()->mutable_tolerations(1)->set_toleration_seconds(5);
  world.Put(pod);
  EXPECT_EQ(Pass(&world, kStart).wake_at, kStart + absl::Seconds(5));
}

TEST(TaintEviction, OneTaintThatIsNotToleratedIsEnough) {
  World world;
  world.Put(Node("n1").Tainted("k", "v", kNoExecute).Tainted("other", "", kNoExecute));
  world.Put(Pod("p").On("n1").Ready().Tolerates("k", "v", kNoExecute));
  Pass(&world, kStart);
  EXPECT_TRUE(IsEnding(world, "p"));
}

TEST(TaintEviction, OtherEffectsEndedPodsAndThoseThatEndAlreadyAreLeftAlone) {
  World world;
  world.Put(Node("n1").Tainted("k", "v", v1::TAINT_EFFECT_NO_SCHEDULE));
  world.Put(Node("n2").Tainted("k", "v", kNoExecute));
  world.Put(Pod("there").On("n1").Ready());
  world.Put(Pod("ended").On("n2").Phase(v1::POD_PHASE_FAILED));
  world.Put(Pod("ending").On("n2").Deleting(5));
  const Changes changes = Pass(&world, kStart);
  ASSERT_EQ(changes.writes.size(), 1u) << "the taint's time alone";
  EXPECT_EQ(changes.writes[0].key, "nodes/n2");
  EXPECT_EQ(world.Find("nodes/n2")->object.node().spec().taints(0).time_added().seconds(), 1000);
}

}  // namespace
}  // namespace cluster::controller
