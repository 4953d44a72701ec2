#include "cli/output/pod_status.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "objects.h"

namespace cluster::cli {
namespace {

std::string StatusOf(absl::string_view text) { return Summarize(ParsePod(text)).status; }

TEST(PodStatusTest, IsThePhaseWhereNothingElseIsKnown) {
  EXPECT_EQ(StatusOf(""), "Pending");
  EXPECT_EQ(StatusOf("status { phase: POD_PHASE_PENDING }"), "Pending");
  EXPECT_EQ(StatusOf("status { phase: POD_PHASE_RUNNING }"), "Running");
}

TEST(PodStatusTest, IsTheReasonOfTheFirstContainerThatWaits) {
  EXPECT_EQ(StatusOf("status { phase: POD_PHASE_PENDING container_statuses { state { waiting {"
                     " reason: 'ContainerCreating' } } } }"),
            "ContainerCreating");
  EXPECT_EQ(StatusOf("status { phase: POD_PHASE_RUNNING"
                     " container_statuses { state { waiting { reason: 'CrashLoopBackOff' } } }"
                     " container_statuses { ready: true state { running {} } } }"),
            "CrashLoopBackOff");
}

TEST(PodStatusTest, SaysHowAContainerEnded) {
  EXPECT_EQ(StatusOf("status { phase: POD_PHASE_SUCCEEDED container_statuses { state { terminated {"
                     " reason: 'Completed' } } } }"),
            "Completed");
  EXPECT_EQ(StatusOf("status { phase: POD_PHASE_FAILED container_statuses { state { terminated {"
                     " reason: 'OOMKilled' exit_code: 137 } } } }"),
            "OOMKilled");
  EXPECT_EQ(StatusOf("status { container_statuses { state { terminated { exit_code: 3 } } } }"),
            "ExitCode:3");
  EXPECT_EQ(
      StatusOf(
          "status { container_statuses { state { terminated { exit_code: 137 signal: 9 } } } }"),
      "Signal:9");
}

TEST(PodStatusTest, ACompletedContainerBesideARunningOneIsNotTheWholePod) {
  const std::string containers =
      "container_statuses { state { terminated { reason: 'Completed' } } }"
      "container_statuses { ready: true state { running {} } }";
  EXPECT_EQ(StatusOf(absl::StrCat("status { phase: POD_PHASE_RUNNING ", containers, "}")),
            "NotReady");
  EXPECT_EQ(
      StatusOf(absl::StrCat("status { phase: POD_PHASE_RUNNING conditions { type: 'Ready' status: "
                            "CONDITION_STATUS_TRUE }",
                            containers, "}")),
      "Running");
}

constexpr char kTwoInit[] =
    "spec { init_containers { name: 'one' } init_containers { name: 'two' } containers {} } ";

std::string InitStatus(absl::string_view one, absl::string_view two) {
  return StatusOf(absl::StrCat(
      kTwoInit, "status { phase: POD_PHASE_PENDING init_container_statuses { name: 'one' state { ",
      one, " } } init_container_statuses { name: 'two' state { ", two,
      " } } container_statuses { state { waiting { reason: 'PodInitializing' } } } }"));
}

TEST(PodStatusTest, Behaviour22_SaysHowFarTheInitContainersAre) {
  const std::string waiting = "waiting { reason: 'PodInitializing' }";
  const std::string done = "terminated { reason: 'Completed' }";
  EXPECT_EQ(InitStatus("running {}", waiting), "Init:0/2");
  EXPECT_EQ(InitStatus(done, "running {}"), "Init:1/2");
  EXPECT_EQ(InitStatus(done, done), "PodInitializing");
  EXPECT_EQ(InitStatus("waiting { reason: 'CrashLoopBackOff' }", waiting), "Init:CrashLoopBackOff");
  EXPECT_EQ(InitStatus("terminated { exit_code: 1 reason: 'Error' }", waiting), "Init:Error");
  EXPECT_EQ(InitStatus("terminated { exit_code: 7 }", waiting), "Init:ExitCode:7");
  EXPECT_EQ(InitStatus("terminated { exit_code: 137 signal: 9 }", waiting), "Init:Signal:9");
}

TEST(PodStatusTest, SidecarsCountAmongTheContainers) {
  const PodSummary summary = Summarize(ParsePod(
      "spec { init_containers { name: 'mesh' restart_policy: CONTAINER_RESTART_POLICY_ALWAYS }"
      " init_containers { name: 'setup' } containers { name: 'main' } }"
      "status { phase: POD_PHASE_RUNNING"
      " conditions { type: 'Initialized' status: CONDITION_STATUS_TRUE }"
      " init_container_statuses { name: 'mesh' ready: true started: true restart_count: 2"
      " state { running {} } }"
      " init_container_statuses { name: 'setup' restart_count: 5"
      " state { terminated { reason: 'Completed' } } }"
      " container_statuses { name: 'main' ready: true restart_count: 1 state { running {} } } }"));
  EXPECT_EQ(summary.status, "Running");
  EXPECT_EQ(summary.ready, 2);
  EXPECT_EQ(summary.containers, 2);
  EXPECT_EQ(summary.restarts, 3) << "of those that run now";
}

TEST(PodStatusTest, DeletionIsTerminatingUnlessThePodHasEndedOrItsNodeIsLost) {
  const std::string deleted = "metadata { deletion_timestamp { seconds: 1 } } ";
  EXPECT_EQ(StatusOf(absl::StrCat(deleted, "status { phase: POD_PHASE_RUNNING }")), "Terminating");
  EXPECT_EQ(StatusOf(absl::StrCat(deleted, "status { phase: POD_PHASE_SUCCEEDED }")), "Succeeded");
  EXPECT_EQ(
      StatusOf(absl::StrCat(deleted, "status { phase: POD_PHASE_RUNNING reason: 'NodeLost' }")),
      "Unknown");
}

TEST(PodStatusTest, RestartsSayWhenTheLastOneWas) {
  const PodSummary summary = Summarize(ParsePod(absl::StrCat(
      "spec { containers {} containers {} } status {"
      " container_statuses { restart_count: 2 ready: true last_state { terminated { finished_at ",
      At(absl::Minutes(5)), "} } } container_statuses { restart_count: 1 } }")));
  EXPECT_EQ(summary.ready, 1);
  EXPECT_EQ(summary.containers, 2);
  EXPECT_EQ(RestartsText(summary, Noon()), "3 (5m ago)");
  EXPECT_EQ(RestartsText(PodSummary(), Noon()), "0");
}

}  // namespace
}  // namespace cluster::cli
