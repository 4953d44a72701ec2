#include "cli/output/progress.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "objects.h"

namespace cluster::cli {
namespace {

Progress Rollout(absl::string_view status) {
  return RolloutProgress(
      Parse(absl::StrCat("deployment { metadata { name: 'web' generation: 2 } spec { replicas: 3 }"
                         " status { ",
                         status, " } }"))
          .deployment());
}

TEST(RolloutProgressTest, GoesThroughKubectlsSteps) {
  EXPECT_EQ(Rollout("observed_generation: 1 updated_replicas: 3").message,
            "Waiting for deployment spec update to be observed...");
  EXPECT_EQ(Rollout("observed_generation: 2 replicas: 3 updated_replicas: 1").message,
            "Waiting for deployment \"web\" rollout to finish: 1 out of 3 new replicas have been "
            "updated...");
  EXPECT_EQ(Rollout("observed_generation: 2 replicas: 4 updated_replicas: 3").message,
            "Waiting for deployment \"web\" rollout to finish: 1 old replicas are pending "
            "termination...");
  EXPECT_EQ(Rollout("observed_generation: 2 replicas: 3 updated_replicas: 3 available_replicas: 2")
                .message,
            "Waiting for deployment \"web\" rollout to finish: 2 of 3 updated replicas are "
            "available...");
  const Progress done =
      Rollout("observed_generation: 2 replicas: 3 updated_replicas: 3 available_replicas: 3");
  EXPECT_EQ(done.state, ProgressState::kReached);
  EXPECT_EQ(done.message, "deployment \"web\" successfully rolled out");
}

TEST(RolloutProgressTest, GivesUpAtTheDeadline) {
  const Progress progress = Rollout(
      "observed_generation: 2 conditions { type: 'Progressing' reason: 'ProgressDeadlineExceeded' "
      "}");
  EXPECT_EQ(progress.state, ProgressState::kGivenUp);
  EXPECT_EQ(progress.message, "deployment \"web\" exceeded its progress deadline");
}

TEST(PodProgressTest, ReadyOrSucceededIsReached) {
  EXPECT_EQ(PodProgress(ParsePod("status { phase: POD_PHASE_SUCCEEDED }")).state,
            ProgressState::kReached);
  const std::string ready = "status { conditions { type: 'Ready' status: CONDITION_STATUS_TRUE } }";
  EXPECT_EQ(PodProgress(ParsePod(ready)).state, ProgressState::kReached);
  EXPECT_EQ(PodProgress(ParsePod(ready + " metadata { deletion_timestamp { seconds: 1 } }")).state,
            ProgressState::kUnderWay);
}

TEST(PodProgressTest, FailureSaysWhichContainerEndedHow) {
  const Progress progress = PodProgress(ParsePod(
      "metadata { name: 'job' } spec { node_name: 'node1' } status { phase: POD_PHASE_FAILED"
      " container_statuses { name: 'main' state { terminated { exit_code: 3 reason: 'Error' } } } "
      "}"));
  EXPECT_EQ(progress.state, ProgressState::kGivenUp);
  EXPECT_EQ(progress.message,
            "pod \"job\" has failed: pod/job: container main ended with 3 (Error)");
}

TEST(WhyNotReadyTest, NamesTheFirstThingThatHoldsThePodUp) {
  EXPECT_EQ(
      WhyNotReady(ParsePod("metadata { name: 'a' } status { conditions { type: 'PodScheduled' "
                           "status: CONDITION_STATUS_FALSE message: '0/3 nodes fit' } }")),
      "pod/a: 0/3 nodes fit");
  EXPECT_EQ(
      WhyNotReady(ParsePod(
          "metadata { name: 'a' } spec { node_name: 'n' } status { container_statuses { name: "
          "'c' state { waiting { reason: 'ImageNotPresent' message: 'no web:2' } } } }")),
      "pod/a: container c is waiting: ImageNotPresent: no web:2");
  EXPECT_EQ(WhyNotReady(ParsePod("metadata { name: 'a' }")), "pod/a: Pending");
  EXPECT_EQ(WhyNotReady(
                ParsePod("status { conditions { type: 'Ready' status: CONDITION_STATUS_TRUE } }")),
            "");
}

Progress Daemon(absl::string_view spec, absl::string_view status) {
  return ReadyProgress(
      Parse(absl::StrCat("daemon_set { metadata { name: 'log' generation: 2 } spec"
                         " { update_strategy { ",
                         spec, " } } status { ", status, " } }")));
}

TEST(DaemonSetProgressTest, GoesThroughKubectlsSteps) {
  EXPECT_EQ(Daemon("", "observed_generation: 1").message,
            "Waiting for daemon set spec update to be observed...");
  const std::string desired = "observed_generation: 2 desired_number_scheduled: 3 ";
  EXPECT_EQ(Daemon("", desired + "updated_number_scheduled: 1").message,
            "Waiting for daemon set \"log\" rollout to finish: 1 out of 3 new pods have been "
            "updated...");
  EXPECT_EQ(Daemon("", desired + "updated_number_scheduled: 3 number_available: 2").message,
            "Waiting for daemon set \"log\" rollout to finish: 2 of 3 updated pods are "
            "available...");
  const Progress done = Daemon("", desired + "updated_number_scheduled: 3 number_available: 3");
  EXPECT_EQ(done.state, ProgressState::kReached);
  EXPECT_EQ(done.message, "daemon set \"log\" successfully rolled out");
  EXPECT_EQ(
      Daemon("type: DAEMON_SET_STRATEGY_TYPE_ON_DELETE", desired + "number_available: 3").state,
      ProgressState::kReached);
}

Progress Stateful(absl::string_view strategy, absl::string_view status) {
  return ReadyProgress(
      Parse(absl::StrCat("stateful_set { metadata { name: 'db' generation: 2 } spec { replicas: 3 "
                         "update_strategy { ",
                         strategy, " } } status { ", status, " } }")));
}

TEST(StatefulSetProgressTest, GoesThroughKubectlsSteps) {
  EXPECT_EQ(Stateful("", "observed_generation: 1").message,
            "Waiting for statefulset spec update to be observed...");
  EXPECT_EQ(Stateful("", "observed_generation: 2 ready_replicas: 1").message,
            "Waiting for 2 pods to be ready...");
  const std::string ready = "observed_generation: 2 ready_replicas: 3 current_replicas: 3 ";
  EXPECT_EQ(Stateful("", ready + "updated_replicas: 2 current_revision: 'a' update_revision: 'b'")
                .message,
            "waiting for statefulset rolling update to complete 2 pods at revision b...");
  EXPECT_EQ(Stateful("", ready + "current_revision: 'b' update_revision: 'b'").message,
            "statefulset rolling update complete 3 pods at revision b...");
  EXPECT_EQ(Stateful("rolling_update { partition: 1 }", ready + "updated_replicas: 1").message,
            "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...");
  EXPECT_EQ(Stateful("rolling_update { partition: 1 }", ready + "updated_replicas: 2").message,
            "partitioned roll out complete: 2 new pods have been updated...");
  EXPECT_EQ(Stateful("type: STATEFUL_SET_STRATEGY_TYPE_ON_DELETE", ready).state,
            ProgressState::kReached);
}

TEST(JobProgressTest, CompleteIsReachedAndFailureIsGivenUp) {
  const auto progress = [](const std::string& text) {
    return JobProgress(Parse(absl::StrCat("job { metadata { name: 'work' } spec { completions: 2 }"
                                          " status { succeeded: 1 ",
                                          text, " } }"))
                           .job());
  };
  EXPECT_EQ(progress("").state, ProgressState::kUnderWay);
  EXPECT_EQ(progress("").message, "Waiting for job \"work\" to complete: 1/2...");
  EXPECT_EQ(progress("conditions { type: 'Complete' status: CONDITION_STATUS_TRUE }").state,
            ProgressState::kReached);
  const Progress failed =
      progress("conditions { type: 'Failed' status: CONDITION_STATUS_TRUE message: 'too often' }");
  EXPECT_EQ(failed.state, ProgressState::kGivenUp);
  EXPECT_EQ(failed.message, "job \"work\" has failed: too often");
  v1::Job suspended;
  suspended.mutable_spec()->set_suspend(true);
  EXPECT_EQ(JobProgress(suspended).state, ProgressState::kReached);
}

}  // namespace
}  // namespace cluster::cli
