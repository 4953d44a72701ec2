// Init containers, sidecars and ephemeral containers of one pod.
#include <signal.h>

#include "gmock/gmock.h"

#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class InitContainersTest : public PodBench {
 protected:
  const v1::ContainerStatus& Init(int i) { return Status().init_container_statuses(i); }
  std::string Condition(const std::string& type) {
    for (const v1::Condition& condition : Status().conditions()) {
      if (condition.type() != type) continue;
      return condition.status() == v1::CONDITION_STATUS_TRUE ? "True" : condition.reason();
    }
    return "";
  }
};

TEST_F(InitContainersTest, Behaviour22_RunOneAfterAnotherBeforeTheApp) {
  Assign(PodBuilder().Init("one").Init("two").Get());
  Settle();
  EXPECT_THAT(ContainerVerbs(), ElementsAre("StartContainer one/0"));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_PENDING);
  EXPECT_EQ(Condition("Initialized"), "ContainersNotInitialized");
  EXPECT_EQ(FirstContainer().state().waiting().reason(), "PodInitializing");
  EXPECT_THAT(FirstContainer().state().waiting().message(), HasSubstr("one"));
  EXPECT_EQ(Init(1).state().waiting().reason(), "PodInitializing");
  machine_.Exit(kUid, "one", 0);
  Settle();
  EXPECT_THAT(ContainerVerbs(), ElementsAre("StartContainer one/0", "StartContainer two/0"));
  EXPECT_TRUE(Init(0).ready());
  machine_.Exit(kUid, "two", 0);
  Settle();
  EXPECT_THAT(ContainerVerbs(),
              ElementsAre("StartContainer one/0", "StartContainer two/0", "StartContainer web/0"));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
  EXPECT_EQ(Condition("Initialized"), "True");
  EXPECT_EQ(Condition("Ready"), "True");
  EXPECT_EQ(Init(1).state().terminated().reason(), "Completed");
}

TEST_F(InitContainersTest, Behaviour23_AFailingOneIsTriedAgainAfterABackOff) {
  Assign(PodBuilder().Init("one").Get());
  Settle();
  machine_.Exit(kUid, "one", 3);
  Settle();
  EXPECT_EQ(Init(0).state().waiting().reason(), "CrashLoopBackOff");
  EXPECT_EQ(Init(0).last_state().terminated().exit_code(), 3);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Init(0).restart_count(), 1);
  machine_.Exit(kUid, "one", 3);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Init(0).restart_count(), 1) << "the second wait is longer";
  Pass(absl::Seconds(1));
  EXPECT_EQ(Init(0).restart_count(), 2);
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_PENDING);
  machine_.Exit(kUid, "one", 0);
  Settle();
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
}

TEST_F(InitContainersTest, Behaviour23_WithNeverTheFirstFailureFailsThePod) {
  Assign(PodBuilder().Init("one").Init("two").Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  machine_.Exit(kUid, "one", 3);
  Pass(absl::Minutes(5));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
  EXPECT_THAT(ContainerVerbs(), ElementsAre("StartContainer one/0"));
  EXPECT_EQ(Init(0).state().terminated().exit_code(), 3);
  EXPECT_TRUE(FirstContainer().state().has_waiting());
}

TEST_F(InitContainersTest, TheyAreNotRunAgainWhenTheAppRestarts) {
  Assign(PodBuilder().Init("one").Get());
  Settle();
  machine_.Exit(kUid, "one", 0);
  Settle();
  machine_.Exit(kUid, "web", 1);
  Pass(absl::Seconds(1));
  RestartAgent();
  Settle();
  EXPECT_EQ(Init(0).restart_count(), 0);
  EXPECT_EQ(FirstContainer().restart_count(), 1);
}

TEST_F(InitContainersTest, TheyRunAgainInANewSandbox) {
  Assign(PodBuilder().Init("one").Init("two").Get());
  Settle();
  machine_.Exit(kUid, "one", 0);
  Settle();
  machine_.Exit(kUid, "two", 0);
  Settle();
  machine_.LoseSandbox(kUid);
  Pass(absl::Seconds(2));
  EXPECT_EQ(Init(0).restart_count(), 1);
  EXPECT_TRUE(Init(0).state().has_running());
  EXPECT_EQ(Init(1).state().waiting().reason(), "PodInitializing");
  EXPECT_EQ(FirstContainer().restart_count(), 0) << "not before they are done";
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING) << "a phase moves only forward";
  EXPECT_EQ(Condition("Ready"), "ContainersNotReady");
  machine_.Exit(kUid, "one", 0);
  Settle();
  machine_.Exit(kUid, "two", 0);
  Settle();
  EXPECT_EQ(Init(1).restart_count(), 1);
  EXPECT_EQ(FirstContainer().restart_count(), 1);
  EXPECT_EQ(Condition("Ready"), "True");
}

TEST_F(InitContainersTest, TheyRunAgainWhenTheSandboxWasLostWhileNothingRan) {
  Assign(PodBuilder().Init("one").Get());
  Settle();
  machine_.Exit(kUid, "one", 0);
  Settle();
  machine_.Exit(kUid, "web", 1);
  Settle();
  machine_.LoseSandbox(kUid);
  RestartAgent();
  Pass(absl::Seconds(2));
  EXPECT_EQ(Init(0).restart_count(), 1);
  EXPECT_EQ(FirstContainer().restart_count(), 0);
}

TEST_F(InitContainersTest, AnAgentThatDiesRightAfterItMadeASandboxRemembersThatItIsNew) {
  Assign(PodBuilder().Init("one").Get());
  Settle();
  machine_.Exit(kUid, "one", 0);
  Settle();
  machine_.LoseSandbox(kUid);
  Settle();
  clock_.Advance(absl::Seconds(1));
  worker_->Round();  // makes the new one
  ASSERT_EQ(machine_.counts().sandboxes_made, 2);
  RestartAgent();
  Settle();
  EXPECT_EQ(Init(0).restart_count(), 1);
  EXPECT_EQ(FirstContainer().restart_count(), 0);
}

TEST_F(InitContainersTest, ASidecarIsUpBeforeTheNextOneBegins) {
  PodBuilder pod;
  pod.Init("mesh", /*stays=*/true).Init("two");
  pod.Get()
      .mutable_pod()
      ->mutable_spec()
      ->mutable_init_containers(0)
      ->mutable_startup_probe()
      ->mutable_exec()
      ->add_command("check");
  Assign(pod.Get());
  Settle();
  EXPECT_THAT(ContainerVerbs(), ElementsAre("StartContainer mesh/0"));
  EXPECT_FALSE(Init(0).started());
  health_["mesh"].started = true;
  health_["mesh"].ready = true;
  Settle();
  EXPECT_THAT(ContainerVerbs(), ElementsAre("StartContainer mesh/0", "StartContainer two/0"));
  EXPECT_TRUE(Init(0).started());
  machine_.Exit(kUid, "two", 0);
  Settle();
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
}

TEST_F(InitContainersTest, ASidecarIsAlwaysRestartedAndHoldsNothingUpThen) {
  Assign(PodBuilder().Init("mesh", true).Init("two").Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  machine_.Exit(kUid, "mesh", 0);
  machine_.Exit(kUid, "two", 0);
  Settle();
  EXPECT_TRUE(FirstContainer().state().has_running()) << "the sidecar was up once";
  Pass(absl::Seconds(1));
  EXPECT_EQ(Init(0).restart_count(), 1);
  EXPECT_TRUE(Init(0).state().has_running());
}

TEST_F(InitContainersTest, AnUnreadySidecarMakesThePodUnready) {
  PodBuilder pod;
  pod.Init("mesh", true);
  pod.Get()
      .mutable_pod()
      ->mutable_spec()
      ->mutable_init_containers(0)
      ->mutable_readiness_probe()
      ->mutable_exec()
      ->add_command("check");
  Assign(pod.Get());
  Settle();
  EXPECT_TRUE(FirstContainer().ready());
  EXPECT_EQ(Condition("Ready"), "ContainersNotReady");
  health_["mesh"].ready = true;
  Settle();
  EXPECT_EQ(Condition("Ready"), "True");
}

TEST_F(InitContainersTest, SidecarsDoNotKeepAPodFromEndingAndGoLastInReverseOrder) {
  Assign(PodBuilder()
             .Init("first", true)
             .Init("second", true)
             .Restart(v1::RESTART_POLICY_NEVER)
             .Get());
  Settle();
  ASSERT_TRUE(FirstContainer().state().has_running());
  machine_.Exit(kUid, "web", 0);
  Settle();
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_SUCCEEDED);
  EXPECT_THAT(ContainerVerbs(),
              ElementsAre("StartContainer first/0", "StartContainer second/0",
                          "StartContainer web/0", "Signal second/15", "Signal first/15"));
}

TEST_F(InitContainersTest, APodIsRunningUntilItsSidecarsHaveEnded) {
  machine_.IgnoreSignals(true);
  Assign(PodBuilder().Init("mesh", true).Restart(v1::RESTART_POLICY_NEVER).Grace(7).Get());
  Settle();
  machine_.Exit(kUid, "web", 1);
  Pass(absl::Seconds(6));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
  EXPECT_EQ(machine_.counts().kills, 1);
}

TEST_F(InitContainersTest, WhenAPodIsDeletedSidecarsWaitForTheApp) {
  machine_.IgnoreSignals(true);
  PodBuilder pod;
  pod.Init("mesh", true);
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(10).Get());
  Pass(absl::Seconds(5));
  EXPECT_THAT(ContainerVerbs(),
              ElementsAre("StartContainer mesh/0", "StartContainer web/0", "Signal web/15"));
  machine_.Exit(kUid, "web", 0);
  Settle();
  EXPECT_EQ(ContainerVerbs().back(), "Signal mesh/15");
  machine_.Exit(kUid, "mesh", 0);
  Settle();
  EXPECT_TRUE(updates_.back().gone());
}

TEST_F(InitContainersTest, AnAppThatUsesUpTheGraceLeavesItsSidecarTwoSeconds) {
  machine_.IgnoreSignals(true);
  PodBuilder pod;
  pod.Init("mesh", true);
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(10).Get());
  Pass(absl::Seconds(10));
  EXPECT_EQ(machine_.counts().kills, 1) << "the app's grace is over";
  EXPECT_EQ(ContainerVerbs().back(), "Signal mesh/15");
  Pass(absl::Seconds(2));
  EXPECT_EQ(machine_.counts().kills, 2);
  EXPECT_TRUE(updates_.back().gone());
}

TEST_F(InitContainersTest, APodThatIsDeletedWhileItInitializesStartsNothingMore) {
  PodBuilder pod;
  pod.Init("one");
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(10).Get());
  Settle();
  EXPECT_THAT(ContainerVerbs(), ElementsAre("StartContainer one/0", "Signal one/15"));
  EXPECT_TRUE(updates_.back().gone());
}

TEST_F(InitContainersTest, Behaviour81_AnEphemeralContainerRunsOnceBesideTheOthers) {
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  EXPECT_THAT(Status().ephemeral_container_statuses(), IsEmpty());
  Assign(pod.Ephemeral("debug").Get());
  Settle();
  ASSERT_EQ(Status().ephemeral_container_statuses_size(), 1);
  EXPECT_TRUE(Status().ephemeral_container_statuses(0).state().has_running());
  machine_.Exit(kUid, "debug", 1);
  Pass(absl::Hours(1));
  RestartAgent();
  Settle();
  EXPECT_EQ(Status().ephemeral_container_statuses(0).state().terminated().exit_code(), 1);
  EXPECT_EQ(Status().ephemeral_container_statuses(0).restart_count(), 0);
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
  EXPECT_EQ(Condition("Ready"), "True");
}

TEST_F(InitContainersTest, Behaviour81_AnEphemeralContainerIsKnownToTheNextAgent) {
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  Assign(pod.Ephemeral("debug").Get());
  RestartAgent();  // before any round has seen it
  Settle();
  ASSERT_EQ(Status().ephemeral_container_statuses_size(), 1);
  EXPECT_TRUE(Status().ephemeral_container_statuses(0).state().has_running());
}

TEST_F(InitContainersTest, AnEphemeralContainerDoesNotKeepAPodFromEnding) {
  PodBuilder pod;
  Assign(pod.Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  Assign(pod.Ephemeral("debug").Get());
  Settle();
  machine_.Exit(kUid, "web", 0);
  Settle();
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_SUCCEEDED);
  EXPECT_EQ(Status().ephemeral_container_statuses(0).state().terminated().exit_code(),
            128 + SIGTERM);
}

}  // namespace
}  // namespace cluster::node
