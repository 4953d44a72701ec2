// What a rollout does when it is held, when it fails, and when the data of its pods changes.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/auto_rollback.h"
#include "tests/unit/controller/reconcile/colors.h"
#include "tests/unit/controller/reconcile/rollout_world.h"

namespace cluster::controller {
namespace {

using domain::Deployment;
using ::testing::HasSubstr;

class RolloutRecoveryTest : public RolloutTest {
 protected:
  // Containers of the pods with this image have been started so many times again, and are not up.
  void Crash(const std::string& image, int restarts) {
    const auto pods = world_.view().All(v1::Object::kPod);
    for (const auto& [key, entry] : pods) {
      v1::Object object = entry->object;
      if (object.pod().spec().containers(0).image() != image) continue;
      v1::PodStatus* status = object.mutable_pod()->mutable_status();
      status->clear_container_statuses();
      v1::ContainerStatus* container = status->add_container_statuses();
      container->set_name("app");
      container->set_restart_count(restarts);
      container->mutable_last_state()->mutable_terminated()->set_exit_code(3);
      world_.Put(object);
    }
  }
  void PutData(const std::string& color) { PutColor(color, &world_); }
  static Deployment Colored(int replicas = 2) {
    return Deployment("web").Replicas(replicas).With(UseColor);
  }
  const v1::Condition* RolledBack() {
    seen_ = Get();
    return FindCondition(seen_.status().conditions(), kRolledBack);
  }

 private:
  v1::Deployment seen_;
};

TEST_F(RolloutRecoveryTest, APausedDeploymentIsScaledButNotRolled) {
  Apply(Deployment("web").Replicas(2));
  Complete();
  Deployment paused = Deployment("web").Replicas(2).Image("app:2");
  paused.message().mutable_spec()->set_paused(true);
  Apply(paused);
  Settle();
  EXPECT_EQ(SizeOf("app:1"), 2);
  EXPECT_EQ(SizeOf("app:2"), -1);
  EXPECT_EQ(Progressing().reason(), "DeploymentPaused");
  EXPECT_EQ(Progressing().status(), v1::CONDITION_STATUS_UNKNOWN);

  for (const int replicas : {5, 0, 3}) {
    Apply(paused.Replicas(replicas));
    Settle();
    EXPECT_EQ(SizeOf("app:1"), replicas);
    EXPECT_EQ(SizeOf("app:2"), -1);
  }
  // However long it takes.
  now_ += absl::Hours(10);
  Settle();
  EXPECT_EQ(Progressing().reason(), "DeploymentPaused");

  Apply(Deployment("web").Replicas(3).Image("app:2"));
  Complete();
  EXPECT_EQ(SizeOf("app:1"), 0);
  EXPECT_EQ(SizeOf("app:2"), 3);
}

TEST_F(RolloutRecoveryTest, PausingInTheMiddleKeepsBothRevisions) {
  Apply(Deployment("web").Replicas(4).Surge("1", "0"));
  Complete();
  Apply(Deployment("web").Replicas(4).Surge("1", "0").Image("app:2"));
  Settle();
  NodesDoTheirWork();
  Settle();
  const int before = SizeOf("app:1");
  Deployment paused = Deployment("web").Replicas(4).Surge("1", "0").Image("app:2");
  paused.message().mutable_spec()->set_paused(true);
  Apply(paused);
  for (int i = 0; i < 5; ++i) {
    NodesDoTheirWork();
    Settle();
  }
  EXPECT_EQ(SizeOf("app:1"), before);
  Apply(paused.Replicas(8));
  Settle();
  EXPECT_GT(SizeOf("app:1"), before);
  EXPECT_GT(SizeOf("app:2"), 1);
}

TEST_F(RolloutRecoveryTest, APodCountsOnceItWasReadyForMinReadySeconds) {
  const auto slow = [](const std::string& image) {
    Deployment deployment = Deployment("web").Replicas(1).Surge("1", "0").Image(image);
    deployment.message().mutable_spec()->set_min_ready_seconds(30);
    return deployment;
  };
  Apply(slow("app:1"));
  Settle();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(Get().status().ready_replicas(), 1);
  EXPECT_EQ(Get().status().available_replicas(), 0);
  EXPECT_EQ(Sets()[0].status().ready_replicas(), 1);
  EXPECT_EQ(Sets()[0].status().available_replicas(), 0);
  EXPECT_EQ(Sets()[0].spec().min_ready_seconds(), 30);
  EXPECT_EQ(Pass().wake_at, kStart + absl::Seconds(30));
  now_ += absl::Seconds(30);
  Settle();
  EXPECT_EQ(Get().status().available_replicas(), 1);
  EXPECT_EQ(Sets()[0].status().available_replicas(), 1);

  Apply(slow("app:2"));
  Settle();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(SizeOf("app:1"), 1) << "the old pod goes only when the new one is available";
  now_ += absl::Seconds(30);
  Settle();
  EXPECT_EQ(SizeOf("app:1"), 0);
}

TEST_F(RolloutRecoveryTest, AClockThatWasSetBackMakesNoPodUnavailable) {
  Deployment deployment = Deployment("web").Replicas(2).Surge("0", "1");
  deployment.message().mutable_spec()->set_min_ready_seconds(30);
  Apply(deployment);
  Settle();
  NodesDoTheirWork();
  now_ += absl::Seconds(30);
  Settle();
  ASSERT_EQ(Get().status().available_replicas(), 2);
  now_ -= absl::Hours(2);
  Settle();
  EXPECT_EQ(Get().status().available_replicas(), 2);
  // It can go on, and waits for the new ones as ever.
  Apply(deployment.Image("app:2"));
  Settle();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(SizeOf("app:2"), 1);
  now_ += absl::Seconds(30);
  Settle();
  EXPECT_EQ(SizeOf("app:2"), 2);
}

TEST_F(RolloutRecoveryTest, ARolloutBeyondItsDeadlineGoesBackByItself) {
  Apply(Deployment("web").Replicas(2));
  Complete();
  Apply(Deployment("web").Replicas(2).Image("bad:1"));
  Settle();
  now_ += absl::Seconds(600);
  Settle();
  EXPECT_EQ(Get().spec().template_().spec().containers(0).image(), "app:1");
  const v1::Condition* back = RolledBack();
  ASSERT_NE(back, nullptr);
  EXPECT_EQ(back->status(), v1::CONDITION_STATUS_TRUE);
  EXPECT_EQ(back->reason(), "ProgressDeadlineExceeded");
  EXPECT_THAT(back->message(),
              HasSubstr("Revision 2 failed, the deployment went back to revision 1"));
  Complete();
  EXPECT_EQ(SizeOf("app:1"), 2);
  EXPECT_EQ(SizeOf("bad:1"), 0);
  EXPECT_NE(RolledBack(), nullptr) << "the reason stays";
  EXPECT_EQ(RevisionOf(Get().metadata()), 3);

  // What comes next is a rollout like any other.
  Apply(Deployment("web").Replicas(2).Image("app:2"));
  Complete();
  EXPECT_EQ(RolledBack(), nullptr);
  EXPECT_EQ(SizeOf("app:2"), 2);
}

TEST_F(RolloutRecoveryTest, PodsThatKeepFailingEndTheRolloutEarly) {
  Apply(Deployment("web").Replicas(3).Surge("1", "0"));
  Complete();
  Apply(Deployment("web").Replicas(3).Surge("1", "0").Image("bad:1"));
  Settle();
  Crash("bad:1", kFailuresThatFail - 1);
  Settle();
  EXPECT_EQ(RolledBack(), nullptr);
  Crash("bad:1", kFailuresThatFail);
  Settle();
  ASSERT_NE(RolledBack(), nullptr);
  EXPECT_EQ(RolledBack()->reason(), "PodsKeepFailing");
  EXPECT_THAT(RolledBack()->message(), HasSubstr("container app of pod web-"));
  EXPECT_THAT(RolledBack()->message(), HasSubstr("5 times again, it ended with exit code 3"));
  EXPECT_EQ(SizeOf("bad:1"), 0);
  EXPECT_EQ(SizeOf("app:1"), 3);
  Complete();
}

TEST_F(RolloutRecoveryTest, WhatWasNeverCompleteIsNothingToReturnTo) {
  Apply(Deployment("web").Replicas(1).Image("bad:1"));
  Settle();
  Crash("bad:1", kFailuresThatFail);
  now_ += absl::Seconds(600);
  Settle();
  EXPECT_EQ(RolledBack(), nullptr);
  EXPECT_EQ(Progressing().reason(), "ProgressDeadlineExceeded");
  Apply(Deployment("web").Replicas(1).Image("bad:2"));
  Settle();
  Crash("bad:2", kFailuresThatFail);
  Settle();
  EXPECT_EQ(RolledBack(), nullptr);
  EXPECT_EQ(SizeOf("bad:2"), 1);
}

TEST_F(RolloutRecoveryTest, AFailingGoodRevisionIsNotLeftAgain) {
  Apply(Deployment("web").Replicas(1).Image("app:1"));
  Complete();
  Apply(Deployment("web").Replicas(1).Image("app:2"));
  Complete();
  Apply(Deployment("web").Replicas(1).Image("bad:1"));
  Settle();
  Crash("bad:1", kFailuresThatFail);
  Settle();
  ASSERT_EQ(Get().spec().template_().spec().containers(0).image(), "app:2");
  // The world has changed: what was good fails too.
  const auto pods = world_.view().All(v1::Object::kPod);
  for (const auto& [key, entry] : pods) world_.Remove(key);
  Settle();
  Crash("app:2", kFailuresThatFail);
  now_ += absl::Seconds(700);
  Settle();
  EXPECT_EQ(Get().spec().template_().spec().containers(0).image(), "app:2");
}

TEST_F(RolloutRecoveryTest, WhatWasCompleteOnceIsKeptWhateverComes) {
  Apply(Deployment("web").Replicas(2).Image("app:1"));
  Complete();
  Apply(Deployment("web").Replicas(2).Image("app:2"));
  Complete();
  // What it needs is gone.
  const auto pods = world_.view().All(v1::Object::kPod);
  for (const auto& [key, entry] : pods) {
    v1::Object pod = entry->object;
    SetCondition({"Ready", v1::CONDITION_STATUS_FALSE, "", ""}, now_,
                 pod.mutable_pod()->mutable_status()->mutable_conditions());
    world_.Put(pod);
  }
  Crash("app:2", 3 * kFailuresThatFail);
  now_ += absl::Hours(1);
  Settle();
  EXPECT_EQ(RolledBack(), nullptr);
  EXPECT_EQ(SizeOf("app:2"), 2);
}

TEST_F(RolloutRecoveryTest, AnAnnotationKeepsAFailedRollout) {
  Apply(Deployment("web").Replicas(1).Annotation("cluster.v1/auto-rollback", "false"));
  Complete();
  Apply(Deployment("web").Replicas(1).Image("bad:1"));
  Settle();
  Crash("bad:1", kFailuresThatFail);
  now_ += absl::Seconds(600);
  Settle();
  EXPECT_EQ(RolledBack(), nullptr);
  EXPECT_EQ(Get().spec().template_().spec().containers(0).image(), "bad:1");
  EXPECT_EQ(Progressing().reason(), "ProgressDeadlineExceeded");
}

TEST_F(RolloutRecoveryTest, ChangedDataRollsItsPodsAndUndoBringsBoth) {
  PutData("red");
  Apply(Colored());
  Complete();
  ASSERT_EQ(Sets().size(), 1u);
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"red"});
  EXPECT_EQ(Copies(world_), 1u);

  PutData("blue");
  Complete();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(Sets().size(), 2u);
  EXPECT_EQ(RevisionOf(Get().metadata()), 2);
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"blue"});
  EXPECT_EQ(Get().spec().template_().spec().containers(0).env_from(0).config_map_ref().name(),
            "settings");

  const auto undo = PlanUndo(world_.view(), "default", "web", 0);
  ASSERT_TRUE(undo.ok()) << undo.status();
  EXPECT_EQ(undo->from_revision, 1);
  world_.Put(Wrap(undo->deployment));
  Complete();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"red"});
  EXPECT_EQ(Sets().size(), 2u);
  EXPECT_EQ(RevisionOf(Get().metadata()), 3);

  // A change after that counts again, and so does the way back by hand.
  PutData("green");
  Complete();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"green"});
  PutData("blue");
  Complete();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"blue"});
  EXPECT_EQ(Sets().size(), 3u) << "blue was there already";
}

TEST_F(RolloutRecoveryTest, BadDataGoesBackByItself) {
  PutData("red");
  Apply(Colored());
  Complete();
  PutData("bad");
  Settle();
  Crash("app:1", kFailuresThatFail);  // the old ones are ready and do not count
  Settle();
  ASSERT_NE(RolledBack(), nullptr);
  Complete();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"red"});
  // It stays so, though the data is what it was.
  now_ += absl::Hours(1);
  Settle();
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"red"});
}

TEST_F(RolloutRecoveryTest, DataThatIsNotThereYetMakesNoSecondRevision) {
  Apply(Colored());
  Settle();
  EXPECT_EQ(Sets().size(), 1u);
  PutData("red");
  Complete();
  EXPECT_EQ(Sets().size(), 1u);
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"red"});
  PutData("blue");
  Complete();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(Sets().size(), 2u);
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"blue"});
  // And yet the first one can be returned to: with a copy of what it had.
  const auto undo = PlanUndo(world_.view(), "default", "web", 1);
  ASSERT_TRUE(undo.ok()) << undo.status();
  world_.Put(Wrap(undo->deployment));
  Complete();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"red"});
}

TEST_F(RolloutRecoveryTest, GoesBackToDataThatWasUsedItself) {
  Apply(Colored());
  Settle();
  PutData("red");
  Complete();
  PutData("bad");
  Settle();
  Crash("app:1", kFailuresThatFail);
  Settle();
  Complete();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"red"});
  EXPECT_NE(RolledBack(), nullptr);
  PutData("blue");
  Complete();
  NodesDoTheirWork();
  Settle();
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"blue"});
  EXPECT_EQ(RolledBack(), nullptr);
}

TEST_F(RolloutRecoveryTest, DeletedDataRollsNothing) {
  PutData("red");
  Apply(Colored());
  Complete();
  world_.Remove("configmaps/default/settings");
  Settle();
  EXPECT_EQ(Sets().size(), 1u);
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"red"});
}

TEST_F(RolloutRecoveryTest, CopiesGoWithTheLastRevisionThatHasThem) {
  for (const char* color : {"red", "blue", "green", "black"}) {
    PutData(color);
    Apply(Colored(1).History(1));
    Complete();
    NodesDoTheirWork();
    Settle();
  }
  EXPECT_EQ(Sets().size(), 2u);
  EXPECT_EQ(Copies(world_), 2u);
  world_.Remove("deployments/default/web");
  for (int i = 0; i < 10; ++i) {
    Settle();
    NodesDoTheirWork();
  }
  EXPECT_EQ(Copies(world_), 0u);
  EXPECT_NE(world_.Find("configmaps/default/settings"), nullptr);
}

TEST_F(RolloutRecoveryTest, AnAnnotationLeavesDataToThePods) {
  PutData("red");
  Apply(Colored().Annotation("cluster.v1/config-rollout", "false"));
  Complete();
  EXPECT_EQ(Copies(world_), 0u);
  PutData("blue");
  Settle();
  EXPECT_EQ(Sets().size(), 1u);
  EXPECT_EQ(ColorsOfPods(world_), std::set<std::string>{"blue"});
}

TEST(DataVersions, TextAndBack) {
  DataVersions data;
  data.names = {
      {"configmaps/default/app", "app-x"}, {"secrets/default/db", ""}, {"secrets/default/k", "-"}};
  EXPECT_EQ(data.Text(), "configmaps/default/app=app-x secrets/default/db= secrets/default/k=-");
  EXPECT_EQ(DataVersions::Parse(data.Text()).names, data.names);
  EXPECT_TRUE(DataVersions::Parse("").empty());
}

}  // namespace
}  // namespace cluster::controller
