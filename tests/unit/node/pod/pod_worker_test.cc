#include "node/pod/pod_worker.h"

#include <signal.h>

#include "absl/strings/match.h"
#include "gmock/gmock.h"

#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

using testing::Contains;
using testing::HasSubstr;

using PodWorkerTest = PodBench;

TEST_F(PodWorkerTest, AnAssignedPodRuns) {
  Assign(PodBuilder().Get());
  Settle();
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
  EXPECT_TRUE(FirstContainer().ready());
  EXPECT_EQ(FirstContainer().image_id(), "sha256:abc");
  EXPECT_EQ(Status().pod_ip(), "10.64.0.2");
  EXPECT_EQ(Status().host_ip(), "10.99.0.1");
  EXPECT_EQ(machine_.LastSpec(kUid, "web").argv, std::vector<std::string>{"nginx"});
  EXPECT_EQ(machine_.counts().started, 1);
}

TEST_F(PodWorkerTest, RoundsWithoutNewsDoNothing) {
  Assign(PodBuilder().Get());
  Settle();
  const size_t verbs = machine_.verbs().size();
  const size_t updates = updates_.size();
  Pass(absl::Minutes(5));
  EXPECT_EQ(machine_.verbs().size(), verbs);
  EXPECT_EQ(updates_.size(), updates);
}

TEST_F(PodWorkerTest, Behaviour3_AlwaysRestartsAfterSuccessAndFailure) {
  Assign(PodBuilder().Get());
  Settle();
  machine_.Exit(kUid, "web", 0);
  Pass(absl::Seconds(1));
  EXPECT_EQ(FirstContainer().restart_count(), 1);
  machine_.Exit(kUid, "web", 1);
  Pass(absl::Seconds(2));
  EXPECT_EQ(FirstContainer().restart_count(), 2);
  EXPECT_TRUE(FirstContainer().state().has_running());
  EXPECT_EQ(FirstContainer().last_state().terminated().exit_code(), 1);
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_RUNNING);
}

TEST_F(PodWorkerTest, Behaviour3_OnFailureRestartsOnlyAfterFailure) {
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_ON_FAILURE).Get());
  Settle();
  machine_.Exit(kUid, "web", 7);
  Pass(absl::Seconds(1));
  EXPECT_EQ(FirstContainer().restart_count(), 1);
  machine_.Exit(kUid, "web", 0);
  Pass(absl::Minutes(10));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_SUCCEEDED);
  EXPECT_EQ(FirstContainer().restart_count(), 1);
  EXPECT_EQ(machine_.counts().started, 2);
}

TEST_F(PodWorkerTest, Behaviour3_NeverNeverRestarts) {
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  machine_.Exit(kUid, "web", 3);
  Pass(absl::Hours(1));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
  EXPECT_EQ(machine_.counts().started, 1);
}

TEST_F(PodWorkerTest, Behaviour4_AFailedContainerTellsItsExitCodeReasonAndTimes) {
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  clock_.Advance(absl::Seconds(3));
  machine_.Exit(kUid, "web", 42);
  Settle();
  const v1::ContainerStateTerminated& end = FirstContainer().state().terminated();
  EXPECT_EQ(end.exit_code(), 42);
  EXPECT_EQ(end.reason(), "Error");
  EXPECT_EQ(end.finished_at().seconds() - end.started_at().seconds(), 3);
}

TEST_F(PodWorkerTest, Behaviour5_APodThatAlwaysFailsCanBeDeleted) {
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  for (int i = 0; i < 5; ++i) {
    machine_.Exit(kUid, "web", 1);
    Pass(absl::Minutes(1));
  }
  machine_.Exit(kUid, "web", 1);
  Settle();
  Assign(pod.Deleted(30).Get());
  Settle();
  EXPECT_TRUE(updates_.back().gone());
  EXPECT_TRUE(machine_.pods().empty());
}

TEST_F(PodWorkerTest, Behaviour6_ASignalIsReportedAs128PlusItsNumber) {
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  ASSERT_TRUE(runtime_.Signal({kUid, "web", 0}, SIGKILL).ok());
  Settle();
  EXPECT_EQ(FirstContainer().state().terminated().exit_code(), 137);
  EXPECT_EQ(FirstContainer().state().terminated().signal(), SIGKILL);
  EXPECT_EQ(FirstContainer().state().terminated().reason(), "Error");
}

TEST_F(PodWorkerTest, Behaviour6_OutOfMemoryHasItsOwnReason) {
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  machine_.OomKill(kUid, "web");
  Settle();
  EXPECT_EQ(FirstContainer().state().terminated().reason(), "OOMKilled");
  EXPECT_EQ(FirstContainer().state().terminated().exit_code(), 137);
}

TEST_F(PodWorkerTest, Behaviour10_AnObedientContainerIsNotKilled) {
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(30).Get());
  Settle();
  EXPECT_EQ(machine_.counts().signals, 1);
  EXPECT_EQ(machine_.counts().kills, 0);
  EXPECT_TRUE(updates_.back().gone());
  EXPECT_EQ(Status().container_statuses(0).state().terminated().exit_code(), 128 + SIGTERM);
}

TEST_F(PodWorkerTest, Behaviour10_TheImagesStopSignalIsUsed) {
  images_["nginx"].config.stop_signal = "SIGQUIT";
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(30).Get());
  Settle();
  EXPECT_THAT(machine_.verbs(), Contains("Signal uid-web/web/3"));
}

TEST_F(PodWorkerTest, Behaviour10_KillComesOnlyAfterGrace) {
  machine_.IgnoreSignals(true);
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(20).Get());
  Pass(absl::Seconds(19));
  EXPECT_EQ(machine_.counts().kills, 0);
  EXPECT_FALSE(updates_.back().gone());
  Pass(absl::Seconds(1));
  EXPECT_EQ(machine_.counts().kills, 1);
  EXPECT_EQ(machine_.counts().signals, 1);
  EXPECT_TRUE(updates_.back().gone());
}

TEST_F(PodWorkerTest, Behaviour10_ASecondDeleteOnlyShortensGrace) {
  machine_.IgnoreSignals(true);
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(100).Get());
  Pass(absl::Seconds(10));
  Assign(pod.Deleted(200).Get());
  Pass(absl::Seconds(5));
  Assign(pod.Deleted(1).Get());
  Settle();
  EXPECT_EQ(machine_.counts().kills, 0);
  Pass(absl::Seconds(1));
  EXPECT_EQ(machine_.counts().kills, 1);
}

TEST_F(PodWorkerTest, Behaviour85_APodThatWasReplacedWhileItsNodeWasLostEndsSoon) {
  machine_.IgnoreSignals(true);
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  pod.Deleted(300).Get().mutable_pod()->mutable_status()->set_reason("NodeLost");
  Assign(pod.Get());
  Pass(absl::Seconds(5));
  EXPECT_EQ(machine_.counts().signals, 1);
  EXPECT_TRUE(updates_.back().gone());
}

TEST_F(PodWorkerTest, GraceZeroKillsAtOnceWithoutASignal) {
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(0).Get());
  Settle();
  EXPECT_EQ(machine_.counts().signals, 0);
  EXPECT_EQ(machine_.counts().kills, 1);
}

TEST_F(PodWorkerTest, Behaviour11_RestartCountsGrowOverAgentRestarts) {
  Assign(PodBuilder().Get());
  Settle();
  machine_.Exit(kUid, "web", 1);
  Pass(absl::Seconds(1));
  RestartAgent();
  Settle();
  EXPECT_EQ(FirstContainer().restart_count(), 1);
  machine_.Exit(kUid, "web", 1);
  RestartAgent();
  Pass(absl::Seconds(2));
  EXPECT_EQ(FirstContainer().restart_count(), 2);
  EXPECT_EQ(machine_.counts().started, 3);
}

TEST_F(PodWorkerTest, Law5_ContainersOutliveTheAgentAndTheirExitIsKnown) {
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  const int64_t pid = FirstContainer().state().running().pid();
  RestartAgent();
  Settle();
  EXPECT_EQ(FirstContainer().state().running().pid(), pid);
  EXPECT_EQ(machine_.counts().started, 1);
  worker_.reset();
  machine_.Exit(kUid, "web", 9);
  RestartAgent();
  Settle();
  EXPECT_EQ(FirstContainer().state().terminated().exit_code(), 9);
  EXPECT_EQ(machine_.counts().started, 1);
}

TEST_F(PodWorkerTest, Law2_AFinishedPodIsNotRunAgainByANewAgent) {
  Assign(PodBuilder().Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  machine_.Exit(kUid, "web", 0);
  Settle();
  world_.boot_id = "boot-2";
  machine_.PowerCycle();
  RestartAgent();
  Pass(absl::Minutes(5));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_SUCCEEDED);
  EXPECT_EQ(machine_.counts().started, 1);
}

TEST_F(PodWorkerTest, APowerCycleEndsWhatRanUnseenAndStartsItAgain) {
  Assign(PodBuilder().Get());
  Settle();
  world_.boot_id = "boot-2";
  machine_.PowerCycle();
  RestartAgent();
  Pass(absl::Seconds(2));
  EXPECT_EQ(FirstContainer().restart_count(), 1);
  EXPECT_TRUE(FirstContainer().state().has_running());
  EXPECT_EQ(FirstContainer().last_state().terminated().reason(), "ContainerStatusUnknown");
  EXPECT_EQ(FirstContainer().last_state().terminated().exit_code(), 255);
  EXPECT_EQ(machine_.counts().sandboxes_made, 2);
}

TEST_F(PodWorkerTest, AKilledSandboxIsMadeAgain) {
  Assign(PodBuilder().Get());
  Settle();
  machine_.LoseSandbox(kUid);
  Pass(absl::Seconds(1));
  EXPECT_EQ(machine_.counts().sandboxes_made, 2);
  EXPECT_EQ(FirstContainer().restart_count(), 1);
  EXPECT_EQ(Status().pod_ip(), "10.64.0.3");
}

TEST_F(PodWorkerTest, BackOffDoublesAndEndsAfterTenStableMinutes) {
  Assign(PodBuilder().Get());
  Settle();
  for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    machine_.Exit(kUid, "web", 1);
    Settle();
    EXPECT_EQ(FirstContainer().state().waiting().reason(), "CrashLoopBackOff");
    EXPECT_THAT(FirstContainer().state().waiting().message(),
                HasSubstr(absl::StrCat("back-off ", absl::FormatDuration(absl::Seconds(seconds)))));
    Pass(absl::Seconds(seconds) - absl::Milliseconds(1));
    EXPECT_TRUE(FirstContainer().state().has_waiting());
    Pass(absl::Milliseconds(1));
    EXPECT_TRUE(FirstContainer().state().has_running()) << seconds;
  }
  Pass(absl::Minutes(10));
  machine_.Exit(kUid, "web", 1);
  Pass(absl::Seconds(1));
  EXPECT_TRUE(FirstContainer().state().has_running());
}

TEST_F(PodWorkerTest, AWallClockJumpDoesNotChangeTheBackOff) {
  Assign(PodBuilder().Get());
  Settle();
  machine_.Exit(kUid, "web", 1);
  Settle();
  clock_.Jump(-absl::Hours(5));
  Pass(absl::Seconds(1));
  EXPECT_TRUE(FirstContainer().state().has_running());
}

TEST_F(PodWorkerTest, Law10_AMissingImageIsTheReasonToWait) {
  images_.clear();
  Assign(PodBuilder().Get());
  Pass(absl::Minutes(1));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_PENDING);
  EXPECT_EQ(FirstContainer().state().waiting().reason(), "ImageNotPresent");
  EXPECT_THAT(FirstContainer().state().waiting().message(), HasSubstr("nginx"));
  images_["nginx"].config.cmd = {"nginx"};
  worker_->Retry();
  Settle();
  EXPECT_TRUE(FirstContainer().state().has_running());
}

TEST_F(PodWorkerTest, Law10_AMissingConfigMapIsTheReasonToWait) {
  PodBuilder pod;
  v1::EnvVar* variable = pod.First().add_env();
  variable->set_name("COLOR");
  variable->mutable_value_from()->mutable_config_map_key_ref()->set_name("settings");
  variable->mutable_value_from()->mutable_config_map_key_ref()->set_key("color");
  Assign(pod.Get());
  Settle();
  EXPECT_EQ(FirstContainer().state().waiting().reason(), "CreateContainerConfigError");
  EXPECT_THAT(FirstContainer().state().waiting().message(), HasSubstr("\"settings\""));
  v1::ConfigMap* map = pod.Get().add_references()->mutable_config_map();
  map->mutable_metadata()->set_name("settings");
  (*map->mutable_data())["color"] = "green";
  Assign(pod.Get());
  Settle();
  EXPECT_TRUE(FirstContainer().state().has_running());
  EXPECT_THAT(machine_.LastSpec(kUid, "web").env, Contains("COLOR=green"));
}

TEST_F(PodWorkerTest, Law10_AFailingSandboxIsTheReasonToWaitAndIsTriedAgain) {
  bool broken = true;
  machine_.SetFault([&](const std::string& verb, const std::string&) {
    return broken && verb == "PrepareSandbox" ? absl::UnavailableError("no address is free")
                                              : absl::OkStatus();
  });
  Assign(PodBuilder().Get());
  Pass(absl::Seconds(5));
  EXPECT_EQ(FirstContainer().state().waiting().reason(), "ContainerCreating");
  EXPECT_THAT(FirstContainer().state().waiting().message(), HasSubstr("no address is free"));
  broken = false;
  Pass(absl::Seconds(30));
  EXPECT_TRUE(FirstContainer().state().has_running());
}

TEST_F(PodWorkerTest, Law10_AFailingStartIsTheReasonToWaitAndKeepsItsAttempt) {
  bool broken = true;
  machine_.SetFault([&](const std::string& verb, const std::string&) {
    return broken && verb == "StartContainer" ? absl::ResourceExhaustedError("clone3: EAGAIN")
                                              : absl::OkStatus();
  });
  Assign(PodBuilder().Get());
  Pass(absl::Seconds(5));
  EXPECT_EQ(FirstContainer().state().waiting().reason(), "RunContainerError");
  EXPECT_THAT(FirstContainer().state().waiting().message(), HasSubstr("clone3: EAGAIN"));
  broken = false;
  Pass(absl::Seconds(30));
  EXPECT_TRUE(FirstContainer().state().has_running());
  EXPECT_EQ(FirstContainer().restart_count(), 0);
}

TEST_F(PodWorkerTest, ACommandThatDoesNotExistEndsWithStartError) {
  PodBuilder pod;
  pod.First().add_command("/absent");
  Assign(pod.Restart(v1::RESTART_POLICY_NEVER).Get());
  Settle();
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
  EXPECT_EQ(FirstContainer().state().terminated().reason(), "StartError");
  EXPECT_EQ(FirstContainer().state().terminated().exit_code(), 127);
  EXPECT_THAT(FirstContainer().state().terminated().message(), HasSubstr("ENOENT"));
}

TEST_F(PodWorkerTest, APodThatTheControllerNoLongerKnowsIsKilledAndForgotten) {
  machine_.IgnoreSignals(true);
  Assign(PodBuilder().Get());
  Settle();
  const size_t updates = updates_.size();
  Unassign(kUid);
  Settle();
  EXPECT_TRUE(machine_.pods().empty());
  EXPECT_EQ(updates_.size(), updates) << "nobody wants to hear of it";
  EXPECT_TRUE(worker_->Finished());
  EXPECT_TRUE(records_->Pods().empty());
}

TEST_F(PodWorkerTest, AGonePodIsKeptUntilTheControllerForgotIt) {
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(5).Get());
  Settle();
  RestartAgent();
  Settle();
  EXPECT_TRUE(updates_.back().gone()) << "told again by the new agent";
  EXPECT_FALSE(worker_->Finished());
  Unassign(kUid);
  Settle();
  EXPECT_TRUE(worker_->Finished());
}

TEST_F(PodWorkerTest, AStuckRemovalIsReportedAndTriedAgain) {
  bool stuck = true;
  machine_.SetFault([&](const std::string& verb, const std::string&) {
    return stuck && verb == "Remove" ? absl::UnavailableError("rmdir cgroup: EBUSY")
                                     : absl::OkStatus();
  });
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  Assign(pod.Deleted(0).Get());
  Settle();
  EXPECT_FALSE(updates_.back().gone());
  EXPECT_THAT(Status().message(), HasSubstr("rmdir cgroup: EBUSY"));
  stuck = false;
  Pass(absl::Seconds(30));
  EXPECT_TRUE(updates_.back().gone());
}

TEST_F(PodWorkerTest, EveryAttemptIsRecordedBeforeItIsStarted) {
  std::vector<int> recorded;
  machine_.SetFault([&](const std::string& verb, const std::string& uid) {
    if (verb == "StartContainer") {
      const v1::PodRecord record = records_->Pods()[uid];
      EXPECT_TRUE(record.containers(0).intended());
      recorded.push_back(record.containers(0).attempt());
    }
    return absl::OkStatus();
  });
  Assign(PodBuilder().Get());
  Settle();
  machine_.Exit(kUid, "web", 1);
  Pass(absl::Seconds(1));
  EXPECT_EQ(recorded, (std::vector<int>{0, 1}));
}

TEST_F(PodWorkerTest, EventsTellWhatHappened) {
  PodBuilder pod;
  Assign(pod.Get());
  Settle();
  machine_.Exit(kUid, "web", 1);
  Pass(absl::Seconds(1));
  Assign(pod.Deleted(5).Get());
  Settle();
  std::vector<std::string> reasons;
  for (const v1::Event& event : events_) reasons.push_back(event.reason());
  EXPECT_EQ(reasons, (std::vector<std::string>{"Started", "BackOff", "Started", "Killing"}));
  EXPECT_EQ(events_[0].involved_object().uid(), kUid);
}

}  // namespace
}  // namespace cluster::node
