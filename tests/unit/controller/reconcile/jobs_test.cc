#include "jobs_bench.h"

namespace cluster::controller {
namespace {

using domain::Job;
using domain::World;
using ::testing::Contains;
using ::testing::ElementsAre;

using Jobs = JobsBench;

TEST_F(Jobs, Behaviour44RunsSoManyAtATimeUntilEnoughHaveSucceeded) {
  world_.Put(Job("work").Completions(5).Parallelism(2));
  int rounds = 0;
  for (; !IsJobFinished(Stored()); ++rounds) {
    ASSERT_LT(rounds, 10);
    Settle();
    EXPECT_LE(Active().size(), 2u);
    for (const v1::Pod& pod : Active()) End(pod, 0);
  }
  EXPECT_EQ(rounds, 4);  // 2 + 2 + 1, and one to see it
  EXPECT_EQ(Status().succeeded(), 5);
  EXPECT_EQ(Status().active(), 0);
  EXPECT_EQ(Pods().size(), 5u);
  EXPECT_TRUE(Holds("Complete"));
  EXPECT_EQ(ReasonOf("Complete"), "CompletionsReached");
  EXPECT_TRUE(Status().has_completion_time());
  EXPECT_THAT(reasons_, Contains("Completed"));
  for (const v1::Pod& pod : Pods()) EXPECT_FALSE(IsHeld(pod));
}

TEST_F(Jobs, PodsCarryTheTemplateTheirOwnerAndTheFinalizer) {
  world_.Put(Job("work").Image("app:7"));
  Settle();
  ASSERT_EQ(Pods().size(), 1u);
  const v1::Pod pod = Pods()[0];
  EXPECT_EQ(pod.spec().containers(0).image(), "app:7");
  EXPECT_EQ(pod.metadata().labels().at("batch.kubernetes.io/job-name"), "work");
  EXPECT_EQ(pod.metadata().labels().at("job-name"), "work");
  EXPECT_EQ(pod.metadata().labels().at("batch.kubernetes.io/controller-uid"), "Job-work");
  EXPECT_THAT(pod.metadata().finalizers(), ElementsAre("batch.kubernetes.io/job-tracking"));
  EXPECT_EQ(pod.metadata().owner_references(0).uid(), "Job-work");
  EXPECT_EQ(Status().active(), 1);
  EXPECT_EQ(Status().start_time().seconds(), 100'000);
}

TEST_F(Jobs, Behaviour44AFailedPodIsReplacedAfterAPause) {
  world_.Put(Job("work"));
  absl::Duration pause = absl::Seconds(10);
  for (int i = 0; i < 6; ++i) {
    Settle();
    ASSERT_EQ(Active().size(), 1u) << i;
    End(Active()[0], 1);
    EXPECT_EQ(Settle().wake_at, now_ + pause) << i;
    now_ += pause - absl::Seconds(1);
    Settle();
    EXPECT_EQ(Active().size(), 0u) << i;
    now_ += absl::Seconds(1);
    pause = std::min(pause * 2, absl::Minutes(6));
  }
  EXPECT_EQ(Status().failed(), 6);
  Settle();
  End(Active()[0], 0);
  Settle();
  EXPECT_TRUE(Holds("Complete"));
}

TEST_F(Jobs, AFailureIsNotDatedByTheClockOfItsNodeWhereThatIsAhead) {
  world_.Put(Job("work"));
  Settle();
  BindAll();
  now_ += absl::Hours(2);
  End(Active()[0], 1);
  now_ -= absl::Hours(2);
  Settle();
  now_ += absl::Seconds(10);
  Settle();
  EXPECT_EQ(Active().size(), 1u);
}

TEST_F(Jobs, AFailureAheadOfAClockThatWasSetBackDoesNotDelay) {
  world_.Put(Job("work"));
  Settle();
  BindAll();
  End(Active()[0], 1);
  now_ -= absl::Hours(2);
  Settle();
  now_ += absl::Seconds(10);
  Settle();
  EXPECT_EQ(Active().size(), 1u);
}

TEST_F(Jobs, ASuccessEndsThePauses) {
  world_.Put(Job("work").Completions(3));
  Settle();
  End(Active()[0], 1);
  Settle();
  now_ += absl::Seconds(10);
  Settle();
  now_ += absl::Seconds(1);
  End(Active()[0], 0);
  Settle();
  EXPECT_EQ(Active().size(), 1u);
  EXPECT_EQ(Status().failed(), 1);
  EXPECT_EQ(Status().succeeded(), 1);
}

TEST_F(Jobs, FailsWhenTooManyPodsHaveFailed) {
  world_.Put(Job("work").Completions(4).Parallelism(2).Backoff(1));
  Settle();
  BindAll();
  for (int i = 0; i < 2; ++i) {
    End(Active()[0], 1);
    Settle();
    now_ += absl::Minutes(1);
    Settle();
    BindAll();
  }
  EXPECT_TRUE(Holds("FailureTarget"));
  EXPECT_FALSE(Holds("Failed")) << "a pod is still ending";
  EXPECT_EQ(Active().size(), 0u);
  RemoveEnded();
  Settle();
  EXPECT_TRUE(Holds("Failed"));
  EXPECT_EQ(ReasonOf("Failed"), "BackoffLimitExceeded");
  EXPECT_EQ(Status().failed(), 3) << "what ran when the job failed counts";
  EXPECT_FALSE(Status().has_completion_time());
  EXPECT_THAT(reasons_, Contains("BackoffLimitExceeded"));
}

TEST_F(Jobs, Behaviour44WithOnFailureRestartsCount) {
  world_.Put(Job("work").RestartsPods().Backoff(3));
  Settle();
  const auto restart = [this](int count) {
    Change(Active()[0], [count](v1::Pod* pod) {
      pod->mutable_spec()->set_node_name("n1");
      pod->mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
      pod->mutable_status()->clear_container_statuses();
      pod->mutable_status()->add_container_statuses()->set_restart_count(count);
    });
    Settle();
  };
  restart(2);
  EXPECT_EQ(Active().size(), 1u);
  restart(3);
  EXPECT_EQ(Active().size(), 0u);
  RemoveEnded();
  Settle();
  EXPECT_EQ(ReasonOf("Failed"), "BackoffLimitExceeded");
}

TEST_F(Jobs, FailsAtItsDeadline) {
  Job job("work");
  job.job()->set_active_deadline_seconds(30);
  world_.Put(job);
  EXPECT_EQ(Settle().wake_at, now_ + absl::Seconds(30));
  BindAll();
  now_ += absl::Seconds(30);
  Settle();
  EXPECT_EQ(Active().size(), 0u);
  RemoveEnded();
  Settle();
  EXPECT_EQ(ReasonOf("Failed"), "DeadlineExceeded");
}

TEST_F(Jobs, WithoutCompletionsOneSuccessIsEnoughAndTheOthersRunToTheirEnd) {
  Job job("work");
  job.Parallelism(3);
  job.job()->clear_completions();
  world_.Put(job);
  Settle();
  ASSERT_EQ(Active().size(), 3u);
  End(Active()[0], 0);
  Settle();
  EXPECT_EQ(Active().size(), 2u);
  End(Active()[0], 1);
  Settle();
  now_ += absl::Hours(1);
  Settle();
  EXPECT_EQ(Active().size(), 1u) << "no new ones";
  End(Active()[0], 0);
  Settle();
  EXPECT_TRUE(Holds("Complete"));
  EXPECT_EQ(Status().succeeded(), 2);
}

TEST_F(Jobs, Behaviour46IndexedPodsHaveAnIndexEach) {
  world_.Put(Job("work").Completions(4).Parallelism(3).Indexed());
  Settle();
  EXPECT_THAT(ActiveIndexes(), ElementsAre(0, 1, 2));
  for (const v1::Pod& pod : Active()) {
    const std::string index =
        pod.metadata().annotations().at("batch.kubernetes.io/job-completion-index");
    EXPECT_EQ(pod.metadata().labels().at("batch.kubernetes.io/job-completion-index"), index);
    EXPECT_EQ(pod.spec().hostname(), "work-" + index);
    EXPECT_EQ(pod.metadata().name().rfind("work-" + index + "-", 0), 0u);
    const v1::EnvVar& variable = pod.spec().containers(0).env(0);
    EXPECT_EQ(variable.name(), "JOB_COMPLETION_INDEX");
    EXPECT_EQ(variable.value_from().field_ref().field_path(),
              "metadata.annotations['batch.kubernetes.io/job-completion-index']");
  }
  End(Active()[2], 0);
  End(Active()[0], 0);
  Settle();
  EXPECT_EQ(Status().completed_indexes(), "0,2");
  EXPECT_EQ(Status().succeeded(), 2);
  EXPECT_THAT(ActiveIndexes(), ElementsAre(1, 3));
  for (const v1::Pod& pod : Active()) End(pod, 0);
  Settle();
  EXPECT_EQ(Status().completed_indexes(), "0-3");
  EXPECT_TRUE(Holds("Complete"));
}

TEST_F(Jobs, AnIndexThatFailedIsTriedAgain) {
  world_.Put(Job("work").Completions(2).Parallelism(2).Indexed());
  Settle();
  End(Active()[1], 1);
  Settle();
  now_ += absl::Seconds(10);
  Settle();
  EXPECT_THAT(ActiveIndexes(), ElementsAre(0, 1));
  EXPECT_EQ(Status().failed(), 1);
}

TEST_F(Jobs, TwoPodsOfOneIndexAreOneTooMany) {
  world_.Put(Job("work").Completions(2).Parallelism(2).Indexed());
  Settle();
  v1::Pod twin = Active()[0];
  twin.mutable_metadata()->set_name("twin");
  twin.mutable_metadata()->set_uid("twin");
  world_.Put(Wrap(twin));
  Settle();
  EXPECT_THAT(ActiveIndexes(), ElementsAre(0, 1));
  EXPECT_EQ(Status().failed(), 0);
}

TEST_F(Jobs, AnEndingPodIsReplacedAtOnceOrOnlyOnceItHasEnded) {
  for (const bool only_failed : {false, true}) {
    SCOPED_TRACE(only_failed);
    world_ = World();
    Job job("work");
    if (only_failed) job.job()->set_pod_replacement_policy(v1::POD_REPLACEMENT_POLICY_FAILED);
    world_.Put(job);
    Settle();
    Bind(Active()[0]);
    Change(Active()[0], [this](v1::Pod* pod) { StampDeletion(now_, std::nullopt, pod); });
    Settle();
    EXPECT_EQ(Active().size(), only_failed ? 0u : 1u);
    EXPECT_EQ(Status().failed(), only_failed ? 0 : 1);
    EXPECT_EQ(Status().terminating(), 1);
    for (const v1::Pod& pod : Pods()) {
      if (IsTerminating(pod)) End(pod, 143);
    }
    Settle();
    EXPECT_EQ(Active().size(), 1u) << "somebody's deletion asks for no pause";
    EXPECT_EQ(Status().failed(), 1) << "counted once, whatever comes of it later";
    EXPECT_EQ(Status().terminating(), 0);
  }
}

TEST_F(Jobs, SuspendedItEndsItsPodsAndCountsNothing) {
  Job job("work");
  job.Completions(3).Parallelism(2);
  job.job()->set_active_deadline_seconds(100);
  world_.Put(job);
  Settle();
  Bind(Active()[0]);
  Edit([](v1::JobSpec* spec) { spec->set_suspend(true); });
  now_ += absl::Seconds(60);
  EXPECT_EQ(Settle().wake_at, std::nullopt) << "its clock stands";
  EXPECT_EQ(Active().size(), 0u);
  EXPECT_EQ(Pods().size(), 1u) << "the one that had no node is gone";
  EXPECT_TRUE(Holds("Suspended"));
  EXPECT_EQ(Status().failed(), 0);
  End(Pods()[0], 0);
  Settle();
  EXPECT_EQ(Status().succeeded(), 0);
  now_ += absl::Hours(5);
  Edit([](v1::JobSpec* spec) { spec->set_suspend(false); });
  EXPECT_EQ(Settle().wake_at, now_ + absl::Seconds(100)) << "its clock begins anew";
  EXPECT_EQ(Active().size(), 2u);
  EXPECT_FALSE(Holds("Suspended"));
  EXPECT_EQ(ReasonOf("Suspended"), "JobResumed");
  EXPECT_THAT(reasons_, Contains("Suspended"));
  EXPECT_THAT(reasons_, Contains("Resumed"));
}

TEST_F(Jobs, ASuspendedJobHasNotStarted) {
  Job job("work");
  job.job()->set_suspend(true);
  world_.Put(job);
  Settle();
  EXPECT_EQ(Pods().size(), 0u);
  EXPECT_FALSE(Status().has_start_time());
}

TEST_F(Jobs, LessParallelismEndsPodsWithoutCountingThem) {
  world_.Put(Job("work").Completions(8).Parallelism(4));
  Settle();
  BindAll();
  Edit([](v1::JobSpec* spec) { spec->set_parallelism(1); });
  Settle();
  EXPECT_EQ(Active().size(), 1u);
  EXPECT_EQ(Status().failed(), 0);
  EXPECT_EQ(Status().terminating(), 3);
  RemoveEnded();
  Edit([](v1::JobSpec* spec) { spec->set_parallelism(0); });
  Settle();
  EXPECT_EQ(Active().size(), 0u);
  EXPECT_FALSE(IsJobFinished(Stored()));
}

TEST_F(Jobs, NeverMoreThanWhatIsLeftToDo) {
  world_.Put(Job("work").Completions(3).Parallelism(10));
  Settle();
  EXPECT_EQ(Active().size(), 3u);
  End(Active()[0], 0);
  Settle();
  EXPECT_EQ(Active().size(), 2u);
}

TEST_F(Jobs, NothingToDoIsDone) {
  world_.Put(Job("work").Completions(0));
  Settle();
  EXPECT_TRUE(Holds("Complete"));
  EXPECT_EQ(Pods().size(), 0u);
}

TEST_F(Jobs, CountsEachEndOnceWhenItsWriteIsLost) {
  world_.Put(Job("work").Completions(2).Parallelism(2));
  Settle();
  End(Active()[0], 0);
  const Changes lost = ReconcileJobs(world_.view(), taken_, now_, &random_);
  // The pod's node writes first, so the pod and with it the job are refused.
  Change(Pods()[0], [](v1::Pod* pod) { pod->mutable_status()->set_message("x"); });
  Change(Pods()[1], [](v1::Pod* pod) { pod->mutable_status()->set_message("x"); });
  EXPECT_THAT(world_.Commit(lost), Contains("jobs/default/work"));
  EXPECT_EQ(Status().succeeded(), 0);
  Settle();
  EXPECT_EQ(Status().succeeded(), 1);
  Settle();
  EXPECT_EQ(Status().succeeded(), 1);
}

TEST_F(Jobs, ManyEndsAreCountedInSeveralWrites) {
  world_.Put(Job("work").Completions(900).Parallelism(900).Uid("big"));
  Settle();
  ASSERT_EQ(Active().size(), 900u);
  for (const v1::Pod& pod : Active()) End(pod, 0);
  const Changes first = Pass();
  EXPECT_LE(first.writes.size(), kMostTogether);
  EXPECT_FALSE(IsJobFinished(Stored()));
  Settle();
  EXPECT_EQ(Status().succeeded(), 900);
  EXPECT_TRUE(Holds("Complete"));
}

TEST_F(Jobs, GoesSomeTimeAfterItsEnd) {
  Job job("work");
  job.job()->set_ttl_seconds_after_finished(60);
  world_.Put(job);
  Settle();
  End(Active()[0], 0);
  EXPECT_EQ(Settle().wake_at, now_ + absl::Seconds(60));
  now_ += absl::Seconds(60);
  Pass();
  EXPECT_EQ(world_.Find("jobs/default/work"), nullptr);
}

TEST_F(Jobs, Behaviour45PodsOfADeletedJobAreHeldByNothing) {
  world_.Put(Job("work").Parallelism(2).Completions(2));
  Settle();
  Bind(Active()[0]);
  world_.Remove("jobs/default/work");
  Settle();
  for (const v1::Pod& pod : Pods()) EXPECT_FALSE(IsHeld(pod));
}

TEST_F(Jobs, TakesOnPodsThatItsSelectorMatches) {
  Job job("work");
  job.job()->set_manual_selector(true);
  job.job()->mutable_selector()->mutable_match_labels()->clear();
  (*job.job()->mutable_selector()->mutable_match_labels())["app"] = "work";
  (*job.job()->mutable_template_()->mutable_metadata()->mutable_labels())["app"] = "work";
  world_.Put(job);
  world_.Put(domain::Pod("mine").Label("app", "work"));
  world_.Put(domain::Pod("ended").Label("app", "work").Phase(v1::POD_PHASE_SUCCEEDED));
  world_.Put(domain::Pod("other").Label("app", "else"));
  Settle();
  EXPECT_TRUE(IsHeld(world_.PodNamed("mine")));
  EXPECT_EQ(world_.PodNamed("mine").metadata().owner_references_size(), 1);
  EXPECT_FALSE(IsHeld(world_.PodNamed("other")));
  EXPECT_FALSE(IsHeld(world_.PodNamed("ended"))) << "it may have been counted before";
  EXPECT_EQ(Pods().size(), 3u);
}

TEST_F(Jobs, APodThatAnotherLawWritesWaitsWithItsJob) {
  world_.Put(Job("work"));
  Settle();
  End(Active()[0], 0);
  taken_ = {absl::StrCat("pods/default/", Pods()[0].metadata().name())};
  EXPECT_TRUE(Pass().writes.empty());
  taken_.clear();
  Settle();
  EXPECT_TRUE(Holds("Complete"));
}

}  // namespace
}  // namespace cluster::controller
