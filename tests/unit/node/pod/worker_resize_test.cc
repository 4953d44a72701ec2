// A pod's worker: what it makes of new resources for a pod that runs, and of an eviction.
#include <gmock/gmock.h>

#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class WorkerResizeTest : public PodBench {
 protected:
  // A pod with these limits; `epoch` grows with each manifest.
  v1::Assignment Pod(const std::string& cpu, const std::string& memory, bool restarts = false) {
    PodBuilder pod;
    v1::Container& container = pod.First();
    for (auto* amounts : {container.mutable_resources()->mutable_limits(),
                          container.mutable_resources()->mutable_requests()}) {
      (*amounts)["cpu"] = cpu;
      (*amounts)["memory"] = memory;
    }
    if (restarts) {
      v1::ContainerResizePolicy* policy = container.add_resize_policy();
      policy->set_resource_name("memory");
      policy->set_restart_policy(v1::RESOURCE_RESIZE_RESTART_POLICY_RESTART_CONTAINER);
    }
    return pod.Epoch(++epoch_).Get();
  }
  const v1::Condition* Condition(const std::string& type) {
    for (const v1::Condition& condition : Status().conditions()) {
      if (condition.type() == type) return &condition;
    }
    return nullptr;
  }
  std::string ShownCpu() { return FirstContainer().resources().limits().at("cpu"); }
  int64_t SetMemory() { return machine_.LastSpec(kUid, "web").resources.memory_limit; }

  int64_t epoch_ = 0;
};

TEST_F(WorkerResizeTest, ARunningPodGetsNewLimitsWithoutARestart) {
  Assign(Pod("100m", "64Mi"));
  Settle();
  EXPECT_EQ(ShownCpu(), "100m");
  Assign(Pod("200m", "128Mi"));
  Settle();
  EXPECT_EQ(ShownCpu(), "200m");
  EXPECT_EQ(SetMemory(), 128 << 20);
  EXPECT_EQ(machine_.LastSandboxSpec(kUid).resources.memory_limit, 128 << 20);
  EXPECT_EQ(FirstContainer().restart_count(), 0);
  EXPECT_EQ(Condition("PodResizePending"), nullptr);
  EXPECT_EQ(Condition("PodResizeInProgress"), nullptr);
  EXPECT_THAT(EventReasons(), Contains("ResizeCompleted"));
}

TEST_F(WorkerResizeTest, WaitsForRoomAndTakesItWhenItIsThere) {
  NodeRoom room;
  room.allocatable = {1000, 1 << 30};
  room.others = {850, 0};
  world_.with_room = [&room](const std::string&, const auto& decide) { decide(room); };
  Assign(Pod("100m", "64Mi"));
  Settle();
  Assign(Pod("200m", "64Mi"));
  Settle();
  ASSERT_NE(Condition("PodResizePending"), nullptr);
  EXPECT_EQ(Condition("PodResizePending")->reason(), "Deferred");
  EXPECT_THAT(Condition("PodResizePending")->message(),
              AllOf(HasSubstr("cpu, requested: 200m"), HasSubstr("150m")));
  EXPECT_EQ(ShownCpu(), "100m");
  room.others = {700, 0};
  Pass(absl::Seconds(10));
  EXPECT_EQ(ShownCpu(), "200m");
  EXPECT_EQ(Condition("PodResizePending"), nullptr);
}

TEST_F(WorkerResizeTest, WhatTheNodeCanNeverHaveIsInfeasibleUntilItIsTakenBack) {
  world_.with_room = [](const std::string&, const auto& decide) {
    decide(NodeRoom{{1000, 1 << 30}, {}});
  };
  Assign(Pod("100m", "64Mi"));
  Settle();
  Assign(Pod("2", "64Mi"));
  Settle();
  ASSERT_NE(Condition("PodResizePending"), nullptr);
  EXPECT_EQ(Condition("PodResizePending")->reason(), "Infeasible");
  EXPECT_EQ(ShownCpu(), "100m");
  machine_.Exit(kUid, "web", 1);
  Pass(absl::Seconds(1));
  EXPECT_EQ(ShownCpu(), "100m") << "a restart brings in nothing that was not granted";
  Assign(Pod("100m", "64Mi"));
  Settle();
  EXPECT_EQ(Condition("PodResizePending"), nullptr);
}

TEST_F(WorkerResizeTest, ALimitBelowWhatIsInUseIsTriedUntilItFits) {
  Assign(Pod("100m", "128Mi"));
  Settle();
  machine_.UseMemory(kUid, "web", 100 << 20);
  Assign(Pod("100m", "64Mi"));
  Settle();
  ASSERT_NE(Condition("PodResizeInProgress"), nullptr);
  EXPECT_EQ(Condition("PodResizeInProgress")->reason(), "Error");
  EXPECT_THAT(Condition("PodResizeInProgress")->message(), HasSubstr("more memory"));
  EXPECT_EQ(FirstContainer().resources().limits().at("memory"), "128Mi");
  machine_.UseMemory(kUid, "web", 10 << 20);
  Pass(absl::Seconds(10));
  EXPECT_EQ(Condition("PodResizeInProgress"), nullptr);
  EXPECT_EQ(SetMemory(), 64 << 20);
}

TEST_F(WorkerResizeTest, AContainerThatAsksForItIsRestarted) {
  Assign(Pod("100m", "64Mi", true));
  Settle();
  Assign(Pod("200m", "64Mi", true));
  Settle();
  EXPECT_EQ(FirstContainer().restart_count(), 0) << "its policy is about memory";
  Assign(Pod("200m", "128Mi", true));
  Pass(absl::Seconds(2));
  EXPECT_EQ(FirstContainer().restart_count(), 1);
  EXPECT_EQ(SetMemory(), 128 << 20);
  EXPECT_TRUE(FirstContainer().state().has_running());
}

TEST_F(WorkerResizeTest, OneThatWasCutOffByTheAgentsDeathIsFinishedByTheNext) {
  Assign(Pod("100m", "64Mi"));
  Settle();
  machine_.SetFault([](const std::string& verb, const std::string&) {
    return verb == "Resize" ? absl::UnavailableError("the disk is full") : absl::OkStatus();
  });
  Assign(Pod("200m", "64Mi"));
  Settle();
  EXPECT_EQ(ShownCpu(), "100m");
  machine_.SetFault(nullptr);
  RestartAgent();
  Settle();
  EXPECT_EQ(ShownCpu(), "200m");
}

TEST_F(WorkerResizeTest, WhatTheRuntimeRefusesForGoodIsInfeasible) {
  Assign(Pod("1", "64Mi"));
  Settle();
  machine_.SetFault([](const std::string& verb, const std::string&) {
    return verb == "Resize" ? absl::InvalidArgumentError("it has cpus of its own")
                            : absl::OkStatus();
  });
  Assign(Pod("2", "64Mi"));
  Settle();
  ASSERT_NE(Condition("PodResizePending"), nullptr);
  EXPECT_EQ(Condition("PodResizePending")->reason(), "Infeasible");
  EXPECT_THAT(Condition("PodResizePending")->message(), HasSubstr("cpus of its own"));
  const size_t verbs = machine_.verbs().size();
  Pass(absl::Minutes(1));
  EXPECT_EQ(machine_.verbs().size(), verbs) << "it is not tried again and again";
}

TEST_F(WorkerResizeTest, AnEvictedPodIsKilledAtOnceAndFailsWithTheReason) {
  Assign(Pod("100m", "64Mi"));
  Settle();
  machine_.IgnoreSignals(true);
  worker_->Evict("The node was low on resource: memory.");
  Pass(absl::Seconds(1));
  EXPECT_EQ(Status().phase(), v1::POD_PHASE_FAILED);
  EXPECT_EQ(Status().reason(), "Evicted");
  EXPECT_EQ(Status().message(), "The node was low on resource: memory.");
  EXPECT_TRUE(FirstContainer().state().has_terminated());
  EXPECT_THAT(EventReasons(), Contains("Evicted"));
  const auto status = Status();
  const auto disrupted =
      std::find_if(status.conditions().begin(), status.conditions().end(),
                   [](const auto& each) { return each.type() == "DisruptionTarget"; });
  ASSERT_NE(disrupted, status.conditions().end()) << "a job's podFailurePolicy asks for it";
  EXPECT_EQ(disrupted->status(), v1::CONDITION_STATUS_TRUE);
  EXPECT_EQ(disrupted->reason(), "TerminationByKubelet");
  worker_->Evict("again");
  Pass(absl::Seconds(1));
  EXPECT_EQ(Status().message(), "The node was low on resource: memory.");
  RestartAgent();
  Pass(absl::Minutes(2));
  EXPECT_EQ(machine_.counts().started, 1) << "it stays ended";
}

TEST_F(WorkerResizeTest, OneThatMayEndInPeaceGetsTheLesserOfTheTwoGraces) {
  v1::Assignment pod = Pod("100m", "64Mi");
  pod.mutable_pod()->mutable_spec()->set_termination_grace_period_seconds(20);
  Assign(pod);
  Settle();
  machine_.IgnoreSignals(true);
  worker_->Evict("The node was low on resource: memory.", absl::Seconds(10));
  Pass(absl::Seconds(9));
  EXPECT_FALSE(FirstContainer().state().has_terminated());
  Pass(absl::Seconds(2));
  EXPECT_TRUE(FirstContainer().state().has_terminated());
  EXPECT_EQ(Status().reason(), "Evicted");
}

TEST_F(WorkerResizeTest, ThePodsOwnGraceIsNeverExceeded) {
  v1::Assignment pod = Pod("100m", "64Mi");
  pod.mutable_pod()->mutable_spec()->set_termination_grace_period_seconds(5);
  Assign(pod);
  Settle();
  machine_.IgnoreSignals(true);
  worker_->Evict("The node was low on resource: memory.", absl::Seconds(60));
  Pass(absl::Seconds(4));
  EXPECT_FALSE(FirstContainer().state().has_terminated());
  Pass(absl::Seconds(2));
  EXPECT_TRUE(FirstContainer().state().has_terminated());
}

}  // namespace
}  // namespace cluster::node
