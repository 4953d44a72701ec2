#include "controller/session/status_merge.h"

#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

v1::PodStatus Phase(v1::PodPhase phase) {
  v1::PodStatus status;
  status.set_phase(phase);
  return status;
}

v1::ContainerStatus* AddContainer(v1::PodStatus* status, int restarts, const std::string& id) {
  v1::ContainerStatus* container = status->add_container_statuses();
  container->set_name("app");
  container->set_restart_count(restarts);
  container->set_container_id(id);
  return container;
}

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

v1::PodStatus Merged(const v1::PodStatus& stored, const v1::PodStatus& reported) {
  return MergePodStatus(stored, reported, kNow);
}

// Law 2, over every pair of phases.
TEST(StatusMerge, Law2_NoPairOfPhasesMovesBack) {
  for (const v1::PodPhase stored :
       {v1::POD_PHASE_UNSPECIFIED, v1::POD_PHASE_PENDING, v1::POD_PHASE_RUNNING,
        v1::POD_PHASE_SUCCEEDED, v1::POD_PHASE_FAILED}) {
    for (const v1::PodPhase reported :
         {v1::POD_PHASE_UNSPECIFIED, v1::POD_PHASE_PENDING, v1::POD_PHASE_RUNNING,
          v1::POD_PHASE_SUCCEEDED, v1::POD_PHASE_FAILED}) {
      const v1::PodPhase merged = Merged(Phase(stored), Phase(reported)).phase();
      if (IsTerminal(stored)) {
        EXPECT_EQ(merged, stored);
      } else {
        EXPECT_EQ(merged, std::max(stored, reported));
      }
    }
  }
}

TEST(StatusMerge, ARestartCountOnlyGrows) {
  v1::PodStatus stored = Phase(v1::POD_PHASE_RUNNING);
  AddContainer(&stored, 5, "five");
  v1::PodStatus reported = Phase(v1::POD_PHASE_RUNNING);
  AddContainer(&reported, 4, "four");
  EXPECT_EQ(Merged(stored, reported).container_statuses(0).restart_count(), 5);
  reported.mutable_container_statuses(0)->set_restart_count(6);
  EXPECT_EQ(Merged(stored, reported).container_statuses(0).restart_count(), 6);
}

TEST(StatusMerge, HowAnInstanceEndedNeverChanges) {
  v1::PodStatus stored = Phase(v1::POD_PHASE_RUNNING);
  AddContainer(&stored, 1, "one")->mutable_state()->mutable_terminated()->set_exit_code(0);
  v1::PodStatus reported = Phase(v1::POD_PHASE_RUNNING);
  AddContainer(&reported, 1, "one")->mutable_state()->mutable_terminated()->set_exit_code(137);
  EXPECT_EQ(Merged(stored, reported).container_statuses(0).state().terminated().exit_code(), 0);
  // While it waits for its restart the end is in the last state.
  reported.mutable_container_statuses(0)->mutable_state()->mutable_waiting()->set_reason(
      "CrashLoopBackOff");
  reported.mutable_container_statuses(0)->mutable_last_state()->mutable_terminated()->set_exit_code(
      137);
  const v1::PodStatus merged = Merged(stored, reported);
  EXPECT_EQ(merged.container_statuses(0).state().waiting().reason(), "CrashLoopBackOff");
  EXPECT_EQ(merged.container_statuses(0).last_state().terminated().exit_code(), 0);
}

TEST(StatusMerge, TheNextInstanceHasItsOwnEnd) {
  v1::PodStatus stored = Phase(v1::POD_PHASE_RUNNING);
  AddContainer(&stored, 1, "one")->mutable_state()->mutable_terminated()->set_exit_code(0);
  v1::PodStatus reported = Phase(v1::POD_PHASE_RUNNING);
  AddContainer(&reported, 2, "two")->mutable_state()->mutable_terminated()->set_exit_code(3);
  EXPECT_EQ(Merged(stored, reported).container_statuses(0).state().terminated().exit_code(), 3);
}

TEST(StatusMerge, WhatTheNodeDoesNotKnowStays) {
  v1::PodStatus stored = Phase(v1::POD_PHASE_PENDING);
  stored.add_conditions()->set_type("PodScheduled");
  stored.set_qos_class(v1::QOS_CLASS_BURSTABLE);
  stored.mutable_start_time()->set_seconds(7);
  v1::PodStatus reported = Phase(v1::POD_PHASE_RUNNING);
  reported.add_conditions()->set_type("Ready");
  const v1::PodStatus merged = Merged(stored, reported);
  EXPECT_EQ(merged.conditions_size(), 2);
  EXPECT_EQ(merged.qos_class(), v1::QOS_CLASS_BURSTABLE);
  EXPECT_EQ(merged.start_time().seconds(), 7);
}

// The node's clock is two hours ahead, or behind: a pod that is to be ready for a minute before it
// counts waits for a minute.
TEST(StatusMerge, AConditionTurnsWhenThatIsStoredWhateverTheNodesClockSays) {
  for (const int64_t off : {-7200, 7200}) {
    v1::PodStatus reported = Phase(v1::POD_PHASE_RUNNING);
    v1::Condition* ready = reported.add_conditions();
    ready->set_type("Ready");
    ready->set_status(v1::CONDITION_STATUS_TRUE);
    ready->mutable_last_transition_time()->set_seconds(absl::ToUnixSeconds(kNow) + off);
    const v1::PodStatus stored = Merged(Phase(v1::POD_PHASE_PENDING), reported);
    EXPECT_EQ(stored.conditions(0).last_transition_time().seconds(), absl::ToUnixSeconds(kNow));
    // Said again later on it has not turned.
    const v1::PodStatus again = MergePodStatus(stored, reported, kNow + absl::Minutes(5));
    EXPECT_EQ(again.conditions(0).last_transition_time().seconds(), absl::ToUnixSeconds(kNow));
    ready->set_status(v1::CONDITION_STATUS_FALSE);
    const v1::PodStatus turned = MergePodStatus(again, reported, kNow + absl::Minutes(6));
    EXPECT_EQ(turned.conditions(0).last_transition_time().seconds(),
              absl::ToUnixSeconds(kNow + absl::Minutes(6)));
  }
}

TEST(StatusMerge, MergingTwiceIsMergingOnce) {
  v1::PodStatus stored = Phase(v1::POD_PHASE_RUNNING);
  AddContainer(&stored, 1, "one")->mutable_state()->mutable_running();
  v1::PodStatus reported = Phase(v1::POD_PHASE_FAILED);
  AddContainer(&reported, 1, "one")->mutable_state()->mutable_terminated()->set_exit_code(2);
  reported.set_reason("Error");
  const v1::PodStatus once = Merged(stored, reported);
  EXPECT_EQ(Merged(once, reported).SerializeAsString(), once.SerializeAsString());
}

}  // namespace
}  // namespace cluster::controller
