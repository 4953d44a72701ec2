#include "controller/reconcile/rollout.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/garbage.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/replicas.h"
#include "controller/reconcile/revisions.h"
#include "controller/reconcile/rollout_scaling.h"
#include "tests/unit/controller/reconcile/rollout_world.h"

namespace cluster::controller {
namespace {

using domain::Deployment;
using domain::ReplicaSet;
using ::testing::HasSubstr;

TEST_F(RolloutTest, MakesASetForTheTemplate) {
  Apply(Deployment("web").Replicas(3).Annotation("kubernetes.io/change-cause", "first"));
  Settle();
  ASSERT_EQ(Sets().size(), 1u);
  const v1::ReplicaSet set = Sets()[0];
  const std::string hash = set.metadata().labels().at("pod-template-hash");
  EXPECT_EQ(set.metadata().name(), "web-" + hash);
  EXPECT_EQ(set.spec().selector().match_labels().at("pod-template-hash"), hash);
  EXPECT_EQ(set.spec().template_().metadata().labels().at("pod-template-hash"), hash);
  EXPECT_EQ(set.metadata().annotations().at("kubernetes.io/change-cause"), "first");
  EXPECT_EQ(RevisionOf(set.metadata()), 1);
  EXPECT_EQ(RevisionOf(Get().metadata()), 1);
  EXPECT_EQ(set.spec().replicas(), 3);
  EXPECT_EQ(PodsWith("app:1"), 3);
  EXPECT_EQ(Progressing().reason(), "ReplicaSetUpdated");
  Complete();
  EXPECT_EQ(Get().status().available_replicas(), 3);
  EXPECT_EQ(Get().status().updated_replicas(), 3);
  EXPECT_EQ(Get().status().observed_generation(), 1);
  EXPECT_TRUE(IsTrue(Get().status().conditions(), "Available"));
}

TEST_F(RolloutTest, Behaviour33RollsInSteps) {
  Apply(Deployment("web").Replicas(4).Surge("1", "0"));
  Complete();
  Apply(Deployment("web").Replicas(4).Surge("1", "0").Image("app:2"));
  Settle();
  EXPECT_EQ(SizeOf("app:2"), 1);
  EXPECT_EQ(SizeOf("app:1"), 4);
  EXPECT_EQ(Get().status().unavailable_replicas(), 1);
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(SizeOf("app:1"), 3);
  EXPECT_EQ(SizeOf("app:2"), 2);
  Complete();
  EXPECT_EQ(SizeOf("app:1"), 0);
  EXPECT_EQ(SizeOf("app:2"), 4);
  EXPECT_EQ(RevisionOf(Get().metadata()), 2);
}

TEST_F(RolloutTest, Behaviour34RecreateWaitsForEveryOldPod) {
  Apply(Deployment("web").Replicas(2).Recreate());
  Complete();
  Apply(Deployment("web").Replicas(2).Recreate().Image("app:2"));
  Settle();
  EXPECT_EQ(SizeOf("app:2"), -1);
  EXPECT_EQ(PodsWith("app:1"), 2);  // being ended
  EXPECT_THAT(Progressing().message(), HasSubstr("waiting for 2 old pod(s) to be gone"));
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(PodsWith("app:1"), 0);
  EXPECT_EQ(PodsWith("app:2"), 2);
  Complete();
}

TEST_F(RolloutTest, Behaviour35TheNewestTemplateWins) {
  Apply(Deployment("web").Replicas(4));
  Complete();
  Apply(Deployment("web").Replicas(4).Image("app:2"));
  Settle();
  EXPECT_GT(PodsWith("app:2"), 0);
  Apply(Deployment("web").Replicas(4).Image("app:3"));
  Complete();
  NodesDoTheirWork();
  EXPECT_EQ(PodsWith("app:2"), 0);
  EXPECT_EQ(PodsWith("app:1"), 0);
  EXPECT_EQ(PodsWith("app:3"), 4);
}

TEST_F(RolloutTest, Behaviour36ScalingABlockedRolloutIsInProportion) {
  Apply(Deployment("web").Replicas(10).Surge("3", "2"));
  Complete();
  Apply(Deployment("web").Replicas(10).Surge("3", "2").Image("bad:1"));
  Settle();
  EXPECT_EQ(SizeOf("app:1"), 8);
  EXPECT_EQ(SizeOf("bad:1"), 5);
  Apply(Deployment("web").Replicas(30).Surge("3", "2").Image("bad:1"));
  Settle();
  EXPECT_EQ(SizeOf("app:1"), 20);
  EXPECT_EQ(SizeOf("bad:1"), 13);
}

TEST_F(RolloutTest, ScalingABlockedRolloutDownKeepsThoseThatServe) {
  Apply(Deployment("web").Replicas(6).Surge("2", "1"));
  Complete();
  Apply(Deployment("web").Replicas(6).Surge("2", "1").Image("bad:1"));
  Settle();
  const int serving = SizeOf("app:1");
  EXPECT_EQ(serving, 5);
  EXPECT_EQ(SizeOf("bad:1"), 3);
  Apply(Deployment("web").Replicas(5).Surge("2", "1").Image("bad:1"));
  Settle();
  EXPECT_GE(SizeOf("app:1"), 4);
  EXPECT_LE(SizeOf("app:1") + SizeOf("bad:1"), 7);
}

TEST_F(RolloutTest, ScalingWithANewTemplateGrowsOnlyTheNewSet) {
  Apply(Deployment("web").Replicas(2));
  Complete();
  Apply(Deployment("web").Replicas(4).Image("app:2"));
  for (int i = 0; i < 40; ++i) {
    Settle();
    EXPECT_LE(SizeOf("app:1"), 2);
    NodesDoTheirWork();
  }
  EXPECT_EQ(SizeOf("app:2"), 4);
  EXPECT_EQ(PodsWith("app:1"), 0);
}

TEST_F(RolloutTest, Behaviour37KeepsItsHistoryAndReturnsToIt) {
  for (int i = 1; i <= 5; ++i) {
    Apply(Deployment("web").Replicas(1).History(2).Image(absl::StrCat("app:", i)));
    Complete();
    NodesDoTheirWork();
    Settle();
  }
  EXPECT_EQ(Sets().size(), 3u);
  EXPECT_EQ(SizeOf("app:2"), -1);
  EXPECT_EQ(SizeOf("app:3"), 0);
  const auto undo = PlanUndo(world_.view(), "default", "web", 0);
  ASSERT_TRUE(undo.ok()) << undo.status();
  EXPECT_EQ(undo->from_revision, 4);
  EXPECT_EQ(undo->deployment.spec().template_().spec().containers(0).image(), "app:4");
  EXPECT_FALSE(
      undo->deployment.spec().template_().metadata().labels().contains("pod-template-hash"));
  world_.Put(Wrap(undo->deployment));
  Settle();
  EXPECT_EQ(Sets().size(), 3u);
  EXPECT_EQ(RevisionOf(Get().metadata()), 6);
  EXPECT_EQ(PlanUndo(world_.view(), "default", "web", 3)->from_revision, 3);
}

TEST_F(RolloutTest, UndoSaysWhyItCannot) {
  EXPECT_EQ(PlanUndo(world_.view(), "default", "web", 0).status().code(),
            absl::StatusCode::kNotFound);
  Apply(Deployment("web"));
  Settle();
  EXPECT_EQ(PlanUndo(world_.view(), "default", "web", 0).status().message(),
            "deployment \"web\" has no earlier revision to return to");
  EXPECT_EQ(PlanUndo(world_.view(), "default", "web", 9).status().message(),
            "deployment \"web\" has no revision 9; see rollout history for the kept ones");
  EXPECT_EQ(PlanUndo(world_.view(), "default", "web", 1).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(RolloutTest, Law10ARolloutWithoutProgressSaysSo) {
  Apply(Deployment("web").Annotation("cluster.v1/auto-rollback", "false"));
  Complete();
  Apply(Deployment("web").Image("bad:1"));
  Settle();
  const Changes quiet = Pass();
  EXPECT_EQ(quiet.wake_at, kStart + absl::Seconds(600));
  now_ += absl::Seconds(600);
  Settle();
  EXPECT_EQ(Progressing().reason(), "ProgressDeadlineExceeded");
  EXPECT_EQ(Progressing().status(), v1::CONDITION_STATUS_FALSE);
  NodesDoTheirWork();
  Complete();
}

TEST_F(RolloutTest, ReplacesUnhealthyOldPodsFirst) {
  Apply(Deployment("web").Replicas(4).Surge("1", "1"));
  Settle();  // four pods, none of them ready
  Apply(Deployment("web").Replicas(4).Surge("1", "1").Image("app:2"));
  Settle();
  // Nothing was available, so going on loses nothing; but new pods must prove themselves first.
  EXPECT_EQ(SizeOf("app:1"), 3);
  EXPECT_EQ(SizeOf("app:2"), 2);
}

TEST_F(RolloutTest, AdoptsAMatchingSetWithTheTemplate) {
  Apply(Deployment("web").Replicas(2));
  ReplicaSet set("mine");
  (*set.message().mutable_spec()->mutable_selector()->mutable_match_labels())["app"] = "web";
  auto& labels =
      *set.message().mutable_spec()->mutable_template_()->mutable_metadata()->mutable_labels();
  labels["app"] = "web";
  world_.Put(set.Label("app", "web"));
  Settle();
  EXPECT_EQ(Sets().size(), 1u);
  EXPECT_EQ(SizeOf("app:1"), 2);
}

TEST_F(RolloutTest, ATakenNameGetsAnotherHash) {
  const v1::Object deployment = Deployment("web");
  const std::string hash = TemplateHash(deployment.deployment().spec().template_());
  world_.Put(ReplicaSet("web-" + hash));
  Apply(Deployment("web"));
  Settle();
  EXPECT_EQ(Sets().size(), 2u);
  EXPECT_EQ(SizeOf("app:1"), 1);
}

TEST_F(RolloutTest, ScalesToZeroAndBack) {
  Apply(Deployment("web").Replicas(2));
  Complete();
  Apply(Deployment("web").Replicas(0));
  Settle();
  EXPECT_EQ(SizeOf("app:1"), 0);
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(Get().status().replicas(), 0);
  Apply(Deployment("web").Replicas(2));
  Settle();
  EXPECT_EQ(PodsWith("app:1"), 2);
}

struct BoundsCase {
  int replicas;
  const char* surge;
  const char* unavailable;
  int want_surge;
  int want_unavailable;
};

TEST(RolloutBounds, RoundLikeKubernetes) {
  for (const BoundsCase& each : std::vector<BoundsCase>{{4, "25%", "25%", 1, 1},
                                                        {3, "25%", "25%", 1, 0},
                                                        {10, "25%", "25%", 3, 2},
                                                        {1, "25%", "25%", 1, 0},
                                                        {3, "0", "25%", 0, 1},
                                                        {3, "2", "5", 2, 3},
                                                        {0, "25%", "25%", 0, 0}}) {
    const v1::Object deployment =
        Deployment("web").Replicas(each.replicas).Surge(each.surge, each.unavailable);
    const RolloutBounds bounds = BoundsOf(deployment.deployment());
    EXPECT_EQ(bounds.surge, each.want_surge) << each.replicas << each.surge;
    if (each.replicas > 0) {
      EXPECT_EQ(bounds.unavailable, each.want_unavailable) << each.replicas << each.unavailable;
    }
  }
}

}  // namespace
}  // namespace cluster::controller
