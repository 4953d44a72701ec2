#include "controller/reconcile/pod_state.h"

#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "proto/schema/pod_resources.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/now.h"

namespace cluster::controller {
namespace {

using domain::Pod;
using domain::World;

TEST(PodState, Behaviour54QosClass) {
  EXPECT_EQ(QosOf(*Pod("p").spec()), v1::QOS_CLASS_BEST_EFFORT);
  EXPECT_EQ(QosOf(*Pod("p").Cpu("1").spec()), v1::QOS_CLASS_BURSTABLE);
  EXPECT_EQ(QosOf(*Pod("p").Limit("cpu", "1").Limit("memory", "1Gi").spec()),
            v1::QOS_CLASS_GUARANTEED);
  EXPECT_EQ(QosOf(*Pod("p").Limit("cpu", "1").Limit("memory", "1Gi").Cpu("1").Memory("1Gi").spec()),
            v1::QOS_CLASS_GUARANTEED);
  EXPECT_EQ(QosOf(*Pod("p").Limit("cpu", "1").Limit("memory", "1Gi").Cpu("500m").spec()),
            v1::QOS_CLASS_BURSTABLE);
  EXPECT_EQ(QosOf(*Pod("p").Limit("memory", "1Gi").spec()), v1::QOS_CLASS_BURSTABLE);
}

TEST(PodState, EndingAnUnboundPodDeletesIt) {
  World world;
  world.Put(Pod("p"));
  Changes changes;
  EndPod(*world.Find("pods/default/p"), kNow, std::nullopt, &changes);
  world.Commit(changes);
  EXPECT_EQ(world.Find("pods/default/p"), nullptr);
}

TEST(PodState, EndingABoundPodGivesItItsGraceOnce) {
  World world;
  world.Put(Pod("p").On("n").Grace(7));
  Changes changes;
  EndPod(*world.Find("pods/default/p"), kNow, std::nullopt, &changes);
  world.Commit(changes);
  const v1::Pod pod = world.PodNamed("p");
  EXPECT_EQ(pod.metadata().deletion_timestamp().seconds(), absl::ToUnixSeconds(kNow) + 7);
  EXPECT_EQ(pod.metadata().deletion_grace_period_seconds(), 7);
  Changes again;
  EndPod(*world.Find("pods/default/p"), kNow, std::nullopt, &again);
  EXPECT_TRUE(again.empty());
}

TEST(Conditions, TransitionTimeMovesOnlyWithTheStatus) {
  Conditions conditions;
  EXPECT_TRUE(SetCondition({"Ready", v1::CONDITION_STATUS_FALSE, "A", "one"}, kNow, &conditions));
  EXPECT_FALSE(SetCondition({"Ready", v1::CONDITION_STATUS_FALSE, "A", "one"},
                            kNow + absl::Seconds(1), &conditions));
  EXPECT_TRUE(SetCondition({"Ready", v1::CONDITION_STATUS_FALSE, "A", "two"},
                           kNow + absl::Seconds(2), &conditions));
  EXPECT_EQ(conditions[0].last_transition_time().seconds(), absl::ToUnixSeconds(kNow));
  EXPECT_EQ(conditions[0].last_update_time().seconds(), absl::ToUnixSeconds(kNow) + 2);
  EXPECT_TRUE(SetCondition({"Ready", v1::CONDITION_STATUS_TRUE, "", ""}, kNow + absl::Seconds(3),
                           &conditions));
  EXPECT_EQ(conditions[0].last_transition_time().seconds(), absl::ToUnixSeconds(kNow) + 3);
  EXPECT_EQ(conditions.size(), 1);
}

TEST(Changes, MergingKeepsTheFirstWriteOfAKey) {
  World world;
  world.Put(Pod("p"));
  Changes first;
  first.Delete(*world.Find("pods/default/p"));
  first.WakeAt(kNow + absl::Seconds(5));
  Changes second;
  second.Put(*world.Find("pods/default/p"), Pod("p").On("n"));
  second.Create(Pod("q"));
  second.WakeAt(kNow);
  MergeChanges(std::move(second), &first);
  ASSERT_EQ(first.writes.size(), 2u);
  EXPECT_FALSE(first.writes[0].put.has_value());
  EXPECT_EQ(first.writes[1].key, "pods/default/q");
  EXPECT_EQ(first.wake_at, kNow);
}

}  // namespace
}  // namespace cluster::controller
