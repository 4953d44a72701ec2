#include "jobs_bench.h"

namespace cluster::controller {
namespace {

using domain::Job;
using ::testing::ElementsAre;

class PerIndex : public JobsBench {
 protected:
  void Start(int limit, int completions = 3) {
    Job job("work");
    job.Completions(completions).Parallelism(completions).Indexed().Backoff(1'000'000);
    job.job()->set_backoff_limit_per_index(limit);
    if (most_failed_ >= 0) job.job()->set_max_failed_indexes(most_failed_);
    world_.Put(job);
    Settle();
    BindAll();
  }
  v1::Pod OfIndex(int index) const {
    for (const v1::Pod& pod : Active()) {
      if (IndexOf(pod, Stored().spec()) == index) return pod;
    }
    ADD_FAILURE() << "no pod of index " << index;
    return {};
  }
  void Fail(int index) {
    End(OfIndex(index), 1);
    Settle();
  }

  int most_failed_ = -1;
};

TEST_F(PerIndex, EachIndexHasItsOwnTriesAndPauses) {
  Start(1);
  Fail(1);
  EXPECT_THAT(ActiveIndexes(), ElementsAre(0, 2));
  now_ += absl::Seconds(10);
  Settle();
  EXPECT_EQ(OfIndex(1).metadata().annotations().at("batch.kubernetes.io/job-index-failure-count"),
            "1");
  Fail(1);
  EXPECT_EQ(Status().failed_indexes(), "1");
  EXPECT_EQ(Status().failed(), 2);
  now_ += absl::Hours(1);
  Settle();
  EXPECT_THAT(ActiveIndexes(), ElementsAre(0, 2)) << "the others go on";
  End(OfIndex(0), 0);
  End(OfIndex(2), 0);
  Settle();
  EXPECT_EQ(Status().completed_indexes(), "0,2");
  EXPECT_EQ(ReasonOf("Failed"), "FailedIndexes");
}

TEST_F(PerIndex, TooManyFailedIndexesFailTheJob) {
  most_failed_ = 1;
  Start(0, 4);
  Fail(0);
  EXPECT_EQ(ActiveIndexes().size(), 3u);
  Fail(3);
  EXPECT_EQ(ActiveIndexes().size(), 0u);
  RemoveEnded();
  Settle();
  EXPECT_EQ(ReasonOf("Failed"), "MaxFailedIndexesExceeded");
  EXPECT_EQ(Status().failed_indexes(), "0,3");
}

TEST_F(PerIndex, TheLastFailedPodStaysUntilItsNumberIsTakenOver) {
  Start(5);
  Fail(1);
  int held = 0;
  for (const v1::Pod& pod : Pods()) held += IsHeld(pod) && IsFinished(pod) ? 1 : 0;
  EXPECT_EQ(held, 1);
  now_ += absl::Seconds(10);
  Settle();
  for (const v1::Pod& pod : Pods()) EXPECT_EQ(IsHeld(pod), !IsFinished(pod));
  EXPECT_EQ(Status().failed(), 1);
}

class FailurePolicy : public JobsBench {
 protected:
  v1::PodFailureRule* AddRule(Job* job, v1::PodFailureAction action) {
    job->job()->set_pod_replacement_policy(v1::POD_REPLACEMENT_POLICY_FAILED);
    v1::PodFailureRule* rule = job->job()->mutable_pod_failure_policy()->add_rules();
    rule->set_action(action);
    return rule;
  }
  void OnExit(Job* job, v1::PodFailureAction action, v1::ExitCodesOperator op, int code) {
    v1::PodFailureOnExitCodes* codes = AddRule(job, action)->mutable_on_exit_codes();
    codes->set_operator_(op);
    codes->add_values(code);
  }
  void OnDisruption(Job* job, v1::PodFailureAction action) {
    v1::PodFailureOnPodCondition* condition = AddRule(job, action)->add_on_pod_conditions();
    condition->set_type("DisruptionTarget");
    condition->set_status(v1::CONDITION_STATUS_TRUE);
  }
};

TEST_F(FailurePolicy, Behaviour47AnExitCodeFailsTheJobAtOnce) {
  Job job("work");
  job.Completions(2).Parallelism(2);
  OnExit(&job, v1::POD_FAILURE_ACTION_FAIL_JOB, v1::EXIT_CODES_OPERATOR_IN, 42);
  world_.Put(job);
  Settle();
  BindAll();
  const std::string name = Active()[0].metadata().name();
  End(Active()[0], 42);
  Settle();
  EXPECT_EQ(Active().size(), 0u);
  RemoveEnded();
  Settle();
  EXPECT_EQ(ReasonOf("Failed"), "PodFailurePolicy");
  EXPECT_EQ(FindCondition(Status().conditions(), "Failed")->message(),
            absl::StrCat("Container main for pod default/", name,
                         " failed with exit code 42 matching FailJob rule at index 0"));
}

TEST_F(FailurePolicy, Behaviour47DisruptionsThatAreIgnoredDoNotCount) {
  Job job("work");
  job.Backoff(0);
  OnDisruption(&job, v1::POD_FAILURE_ACTION_IGNORE);
  world_.Put(job);
  for (int i = 0; i < 3; ++i) {
    Settle();
    ASSERT_EQ(Active().size(), 1u) << i;
    Change(Active()[0], [this](v1::Pod* pod) {
      MarkDisrupted("TerminationByKubelet", "The node was short of memory.", now_, pod);
    });
    End(Active()[0], 137);
    Settle();
    now_ += absl::Minutes(6);
  }
  Settle();
  EXPECT_EQ(Status().failed(), 0);
  EXPECT_EQ(Active().size(), 1u);
  EXPECT_FALSE(Holds("FailureTarget"));
  End(Active()[0], 137);
  Settle();
  EXPECT_EQ(ReasonOf("Failed"), "BackoffLimitExceeded") << "without the condition it counts";
}

TEST_F(FailurePolicy, TheFirstRuleThatFitsDecides) {
  Job job("work");
  OnExit(&job, v1::POD_FAILURE_ACTION_COUNT, v1::EXIT_CODES_OPERATOR_IN, 3);
  OnExit(&job, v1::POD_FAILURE_ACTION_FAIL_JOB, v1::EXIT_CODES_OPERATOR_NOT_IN, 7);
  const v1::JobSpec& spec = *job.job();
  const auto judge = [&](int code, const std::string& container = "main") {
    domain::Pod pod("p");
    pod.Phase(v1::POD_PHASE_FAILED);
    v1::ContainerStatus* status = pod.message().mutable_status()->add_container_statuses();
    status->set_name(container);
    status->mutable_state()->mutable_terminated()->set_exit_code(code);
    return JudgeFailure(spec, pod.message());
  };
  EXPECT_FALSE(judge(3).fails_job.has_value());
  EXPECT_TRUE(judge(4).fails_job.has_value());
  EXPECT_FALSE(judge(7).fails_job.has_value());
  EXPECT_FALSE(judge(0).fails_job.has_value()) << "a container that succeeded fits no rule";
  EXPECT_TRUE(judge(7).counts);
  job.job()
      ->mutable_pod_failure_policy()
      ->mutable_rules(1)
      ->mutable_on_exit_codes()
      ->set_container_name("other");
  EXPECT_FALSE(judge(4).fails_job.has_value());
  EXPECT_TRUE(judge(4, "other").fails_job.has_value());
}

TEST_F(FailurePolicy, FailIndexGivesTheIndexUpAtOnce) {
  Job job("work");
  job.Completions(2).Parallelism(2).Indexed().Backoff(1'000'000);
  job.job()->set_backoff_limit_per_index(5);
  OnExit(&job, v1::POD_FAILURE_ACTION_FAIL_INDEX, v1::EXIT_CODES_OPERATOR_IN, 42);
  world_.Put(job);
  Settle();
  End(Active()[0], 42);
  Settle();
  EXPECT_EQ(Status().failed_indexes(), "0");
  EXPECT_THAT(ActiveIndexes(), ElementsAre(1));
}

}  // namespace
}  // namespace cluster::controller
