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

}  // namespace
}  // namespace cluster::cli
