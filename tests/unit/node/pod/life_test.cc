// Hooks, health, deadlines and last words of the containers of one pod.
#include <signal.h>

#include <filesystem>

#include "gmock/gmock.h"

#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LifeTest : public PodBench {
 protected:
  PodBuilder WithPostStart() {
    PodBuilder pod;
    pod.First().mutable_lifecycle()->mutable_post_start()->mutable_exec()->add_command("hello");
    return pod;
  }
  PodBuilder WithPreStop() {
    PodBuilder pod;
    pod.First().mutable_lifecycle()->mutable_pre_stop()->mutable_exec()->add_command("bye");
    return pod;
  }
  PodBuilder WithLiveness() {
    PodBuilder pod;
    pod.First().mutable_liveness_probe()->mutable_exec()->add_command("check");
    return pod;
  }
};

TEST_F(LifeTest, Behaviour24_ThePostStartHookRunsOnceTheContainerRuns) {
  Assign(WithPostStart().Container("side").Get());
  Settle();
  ASSERT_EQ(hooks_.size(), 1u);
  EXPECT_THAT(std::get<ExecAction>(hooks_[0].run.action).argv, ElementsAre("hello"));
  EXPECT_TRUE(FirstContainer().state().has_running());
  EXPECT_FALSE(FirstContainer().ready());
  EXPECT_EQ(machine_.counts().started, 1) << "the next container waits for the hook";
  Pass(absl::Minutes(10));
  EXPECT_EQ(hooks_.size(), 1u) << "it runs once";
  EndHook();
  EXPECT_TRUE(FirstContainer().ready());
  EXPECT_EQ(machine_.counts().started, 2);
}

TEST_F(LifeTest, Behaviour24_AFailingPostStartHookEndsTheContainer) {
  Assign(WithPostStart().Get());
  Settle();
  EndHook(absl::FailedPreconditionError("exit code 1"));
  EXPECT_THAT(ContainerVerbs(), Contains("Signal web/15"));
  EXPECT_THAT(EventReasons(), ElementsAre("Started", "FailedPostStartHook", "Killing", "BackOff"));
  Pass(absl::Seconds(1));
  EXPECT_EQ(FirstContainer().restart_count(), 1);
  ASSERT_EQ(hooks_.size(), 1u) << "the new instance has its own";
  EndHook();
  EXPECT_TRUE(FirstContainer().ready());
}

TEST_F(LifeTest, Behaviour24_AHookOfAnEarlierInstanceSaysNothingAboutThisOne) {
  Assign(WithPostStart().Get());
  Settle();
  machine_.Exit(kUid, "web", 1);
  Pass(absl::Seconds(1));
  ASSERT_EQ(hooks_.size(), 2u);
  hooks_[0].done(absl::InternalError("its container has ended"));
  Settle();
  EXPECT_TRUE(FirstContainer().state().has_running());
  EndHook();
  EXPECT_TRUE(FirstContainer().ready());
}

TEST_F(LifeTest, ANewAgentRunsAHookAgainThatWasCutOff) {
  Assign(WithPostStart().Get());
  Settle();
  RestartAgent();
  Settle();
  ASSERT_EQ(hooks_.size(), 2u);
  EndHook();
  EXPECT_TRUE(FirstContainer().ready());
  RestartAgent();
  Settle();
  EXPECT_EQ(hooks_.size(), 1u) << "but none that has ended";
}

TEST_F(LifeTest, Behaviour25_ThePreStopHookEndsBeforeTheSignal) {
  PodBuilder pod = WithPreStop();
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(30).Get());
  Pass(absl::Seconds(10));
  ASSERT_EQ(hooks_.size(), 1u);
  EXPECT_EQ(hooks_[0].run.timeout, absl::Seconds(30));
  EXPECT_EQ(machine_.counts().signals, 0);
  EndHook();
  EXPECT_EQ(machine_.counts().signals, 1);
  EXPECT_TRUE(updates_.back().gone());
}

TEST_F(LifeTest, Behaviour25_APreStopHookThatFailsIsToldAndTheSignalFollows) {
  PodBuilder pod = WithPreStop();
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(30).Get());
  Settle();
  EndHook(absl::FailedPreconditionError("exit code 3"));
  EXPECT_THAT(EventReasons(), Contains("FailedPreStopHook"));
  EXPECT_EQ(machine_.counts().signals, 1);
}

TEST_F(LifeTest, Behaviour25_APreStopHookRunsInsideOfTheGracePeriod) {
  machine_.IgnoreSignals(true);
  PodBuilder pod = WithPreStop();
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(30).Get());
  Pass(absl::Seconds(29));
  EXPECT_EQ(machine_.counts().signals, 0);
  Pass(absl::Seconds(1));
  EXPECT_EQ(machine_.counts().signals, 1) << "the hook has used all of it";
  EXPECT_EQ(machine_.counts().kills, 0);
  Pass(absl::Seconds(2));
  EXPECT_EQ(machine_.counts().kills, 1) << "two more seconds are for the signal";
  EXPECT_TRUE(updates_.back().gone());
}

TEST_F(LifeTest, Behaviour25_NoPreStopHookForAContainerThatHasEndedByItself) {
  PodBuilder pod = WithPreStop();
  Assign(pod.Get());
  Settle();
  machine_.Exit(kUid, "web", 0);
  Settle();
  Assign(pod.Deleted(30).Get());
  Settle();
  EXPECT_THAT(hooks_, IsEmpty());
  EXPECT_TRUE(updates_.back().gone());
}

TEST_F(LifeTest, GraceZeroRunsNoHook) {
  PodBuilder pod = WithPreStop();
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(0).Get());
  Settle();
  EXPECT_THAT(hooks_, IsEmpty());
  EXPECT_EQ(machine_.counts().kills, 1);
}

TEST_F(LifeTest, Behaviour10_TheManifestsStopSignalWinsOverTheImages) {
  images_["nginx"].config.stop_signal = "SIGQUIT";
  PodBuilder pod;
  pod.First().mutable_lifecycle()->set_stop_signal("SIGUSR1");
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(30).Get());
  Settle();
  EXPECT_THAT(ContainerVerbs(), Contains(absl::StrCat("Signal web/", SIGUSR1)));
}

TEST_F(LifeTest, Behaviour26_AFailedLivenessProbeRestartsTheContainer) {
  Assign(WithLiveness().Get());
  Settle();
  ASSERT_EQ(targets_.size(), 1u);
  EXPECT_EQ(targets_[0].attempt, 0);
  reports_.push_back({"web", ProbeKind::kLiveness, ProbeReport::kFailed, "no such file"});
  health_["web"].failed = ProbeKind::kLiveness;
  Settle();
  EXPECT_THAT(EventReasons(), ElementsAre("Started", "Unhealthy", "Killing", "BackOff"));
  EXPECT_EQ(events_[1].message(), "Liveness probe failed: no such file");
  EXPECT_EQ(events_[2].message(), "Container web failed liveness probe, will be restarted");
  Pass(absl::Seconds(1));
  EXPECT_EQ(FirstContainer().restart_count(), 1);
  EXPECT_EQ(FirstContainer().last_state().terminated().exit_code(), 128 + SIGTERM);
  ASSERT_EQ(targets_.size(), 1u);
  EXPECT_EQ(targets_[0].attempt, 1);
  EXPECT_TRUE(FirstContainer().ready());
}

TEST_F(LifeTest, Behaviour11_EveryFailedProbeCountsOneRestartFiveInARow) {
  Assign(WithLiveness().Get());
  Settle();
  for (int i = 1; i <= 5; ++i) {
    health_["web"].failed = ProbeKind::kLiveness;
    Pass(absl::Minutes(1));
    EXPECT_EQ(FirstContainer().restart_count(), i);
    RestartAgent();
    Settle();
    EXPECT_EQ(FirstContainer().restart_count(), i);
  }
}

TEST_F(LifeTest, AFailedLivenessProbeRestartsAlsoWhatThenEndsWithZero) {
  machine_.IgnoreSignals(true);
  Assign(WithLiveness().Restart(v1::RESTART_POLICY_ON_FAILURE).Get());
  Settle();
  health_["web"].failed = ProbeKind::kLiveness;
  Settle();
  machine_.Exit(kUid, "web", 0);
  Pass(absl::Seconds(1));
  EXPECT_EQ(FirstContainer().restart_count(), 1);
}

TEST_F(LifeTest, AProbesOwnGraceIsUsedWhenItEndsTheContainer) {
  machine_.IgnoreSignals(true);
  PodBuilder pod = WithLiveness();
  pod.First().mutable_liveness_probe()->set_termination_grace_period_seconds(3);
  Assign(pod.Grace(60).Get());
  Settle();
  health_["web"].failed = ProbeKind::kLiveness;
  Pass(absl::Seconds(2));
  EXPECT_EQ(machine_.counts().kills, 0);
  Pass(absl::Seconds(1));
  EXPECT_EQ(machine_.counts().kills, 1);
}

TEST_F(LifeTest, Behaviour30_AnUnreadyContainerIsNeverRestarted) {
  PodBuilder pod;
  pod.First().mutable_readiness_probe();
  pod.First().mutable_readiness_probe()->mutable_exec()->add_command("check");
  Assign(pod.Get());
  Pass(absl::Hours(1));
  EXPECT_FALSE(FirstContainer().ready());
  EXPECT_TRUE(FirstContainer().started());
  EXPECT_EQ(FirstContainer().restart_count(), 0);
  health_["web"].ready = true;
  Settle();
  EXPECT_TRUE(FirstContainer().ready());
  RestartAgent();
  Settle();
  EXPECT_TRUE(FirstContainer().ready()) << "a new agent takes what the old one knew";
  health_["web"].ready = false;
  Settle();
  EXPECT_FALSE(FirstContainer().ready());
}

TEST_F(LifeTest, Behaviour31_AContainerIsNotStartedBeforeItsStartupProbeSaysSo) {
  PodBuilder pod;
  pod.First().mutable_startup_probe()->mutable_exec()->add_command("check");
  Assign(pod.Get());
  Pass(absl::Minutes(1));
  EXPECT_FALSE(FirstContainer().started());
  EXPECT_FALSE(FirstContainer().ready());
  health_["web"].started = true;
  health_["web"].ready = true;
  Settle();
  EXPECT_TRUE(FirstContainer().started());
  EXPECT_TRUE(FirstContainer().ready());
}

TEST_F(LifeTest, NothingIsProbedOnceThePodEnds) {
  machine_.IgnoreSignals(true);
  PodBuilder pod = WithLiveness();
  Assign(pod.Get());
  Settle();
  ASSERT_EQ(targets_.size(), 1u);
  Assign(pod.Deleted(30).Get());
  Settle();
  EXPECT_THAT(targets_, IsEmpty());
}

TEST_F(LifeTest, Behaviour9_ADeadlineFailsThePod) {
  PodBuilder pod;
  pod.Get().mutable_pod()->mutable_spec()->set_active_deadline_seconds(60);
  Assign(pod.Get());
  Pass(absl::Seconds(59));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
  EXPECT_EQ(Status().reason(), "DeadlineExceeded");
  EXPECT_THAT(Status().message(), HasSubstr("60 seconds"));
  EXPECT_EQ(FirstContainer().state().terminated().exit_code(), 128 + SIGTERM);
  Pass(absl::Hours(1));
  EXPECT_EQ(machine_.counts().started, 1) << "it is not restarted";
}

TEST_F(LifeTest, Behaviour9_ADeadlineThatIsLoweredCountsFromTheStart) {
  PodBuilder pod;
  Assign(pod.Get());
  Pass(absl::Seconds(50));
  pod.Get().mutable_pod()->mutable_spec()->set_active_deadline_seconds(60);
  Assign(pod.Epoch(2).Get());
  Pass(absl::Seconds(5));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
  Pass(absl::Seconds(5));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
}

TEST_F(LifeTest, Behaviour9_ADeadlineHoldsForAPodThatDoesNotGetToRun) {
  images_.clear();
  PodBuilder pod;
  pod.Get().mutable_pod()->mutable_spec()->set_active_deadline_seconds(60);
  Assign(pod.Get());
  Pass(absl::Seconds(60));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
  EXPECT_EQ(Status().reason(), "DeadlineExceeded");
}

TEST_F(LifeTest, Behaviour9_ADeadlineCountsTheTimeBeforeAPowerCycle) {
  PodBuilder pod;
  pod.Get().mutable_pod()->mutable_spec()->set_active_deadline_seconds(60);
  Assign(pod.Get());
  Pass(absl::Seconds(50));
  world_.boot_id = "boot-2";
  machine_.PowerCycle();
  RestartAgent();
  Pass(absl::Seconds(9));
  EXPECT_NE(Status().phase(), v1::POD_PHASE_FAILED);
  Pass(absl::Seconds(2));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
}

TEST_F(LifeTest, Behaviour9_AJumpOfTheWallClockMovesNoDeadline) {
  PodBuilder pod;
  pod.Get().mutable_pod()->mutable_spec()->set_active_deadline_seconds(60);
  Assign(pod.Get());
  Pass(absl::Seconds(10));
  clock_.Jump(absl::Hours(2));
  Pass(absl::Seconds(10));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
}

TEST_F(LifeTest, Behaviour7_LastWordsAreTheMessageOfTheEnd) {
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  EXPECT_EQ(machine_.LastSpec(kUid, "web").termination_message_path, "/dev/termination-log");
  machine_.SetLastWords(kUid, "web", "all \xff is lost");
  machine_.Exit(kUid, "web", 1);
  Settle();
  EXPECT_EQ(FirstContainer().state().terminated().message(), "all \xef\xbf\xbd is lost");
  EXPECT_EQ(FirstContainer().state().terminated().reason(), "Error");
}

TEST_F(LifeTest, Behaviour8_TheEndOfTheLogStandsInForLastWordsOfAFailure) {
  PodBuilder pod;
  pod.First().set_termination_message_policy(
      v1::TERMINATION_MESSAGE_POLICY_FALLBACK_TO_LOGS_ON_ERROR);
  Assign(pod.Get());
  Settle();
  ASSERT_TRUE(machine_.WriteLog(kUid, "web", "something went wrong").ok());
  machine_.Exit(kUid, "web", 1);
  Settle();
  EXPECT_EQ(FirstContainer().last_state().terminated().message(), "something went wrong\n");
  Pass(absl::Seconds(1));
  ASSERT_TRUE(machine_.WriteLog(kUid, "web", "all is well").ok());
  machine_.Exit(kUid, "web", 0);
  Settle();
  EXPECT_EQ(FirstContainer().last_state().terminated().message(), "");
  Pass(absl::Seconds(2));
  ASSERT_TRUE(machine_.WriteLog(kUid, "web", "noise").ok());
  machine_.SetLastWords(kUid, "web", "the reason");
  machine_.Exit(kUid, "web", 1);
  Settle();
  EXPECT_EQ(FirstContainer().last_state().terminated().message(), "the reason");
}

TEST_F(LifeTest, Behaviour8_WithPolicyFileALogIsNoMessage) {
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  ASSERT_TRUE(machine_.WriteLog(kUid, "web", "something went wrong").ok());
  machine_.Exit(kUid, "web", 1);
  Settle();
  EXPECT_EQ(FirstContainer().state().terminated().message(), "");
}

}  // namespace
}  // namespace cluster::node
