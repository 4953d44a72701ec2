#include "controller/reconcile/cron_jobs.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/jobs.h"
#include "proto/schema/scalars.h"
#include "tests/domain/builders.h"
#include "tests/domain/job_builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::CronJob;
using domain::World;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class CronJobs : public ::testing::Test {
 protected:
  Changes Pass() {
    Changes changes = ReconcileCronJobs(world_.view(), taken_, now_, &random_);
    EXPECT_THAT(world_.Commit(changes), IsEmpty());
    for (const EventNote& note : changes.events) reasons_.push_back(note.reason);
    return changes;
  }
  Changes Settle() {
    for (int i = 0; i < 5; ++i) {
      Changes changes = Pass();
      if (changes.writes.empty()) return changes;
    }
    ADD_FAILURE() << "no fixpoint after five passes";
    return {};
  }
  static absl::Time At(int hour, int minute, int second = 0) {
    return absl::FromCivil(absl::CivilSecond(2026, 3, 2, hour, minute, second),
                           absl::UTCTimeZone());
  }
  void PassAt(absl::Time time) {
    now_ = time;
    Settle();
  }
  std::vector<v1::Job> Jobs() const {
    std::vector<v1::Job> jobs;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kJob)) {
      jobs.push_back(entry->object.job());
    }
    return jobs;
  }
  v1::CronJobStatus Status() const {
    return world_.Find("cronjobs/default/backup")->object.cron_job().status();
  }
  void End(const v1::Job& job, bool success) {
    v1::Object after = world_.Find("jobs/default/" + job.metadata().name())->object;
    SetCondition({success ? "Complete" : "Failed", v1::CONDITION_STATUS_TRUE, "", ""}, now_,
                 after.mutable_job()->mutable_status()->mutable_conditions());
    *after.mutable_job()->mutable_status()->mutable_start_time() =
        job.metadata().creation_timestamp();
    if (success) *after.mutable_job()->mutable_status()->mutable_completion_time() = Seconds(now_);
    world_.Put(after);
  }
  void Edit(const std::function<void(v1::CronJobSpec*)>& edit) {
    v1::Object after = world_.Find("cronjobs/default/backup")->object;
    edit(after.mutable_cron_job()->mutable_spec());
    world_.Put(after);
  }
  // Every ten minutes, made at 00:05.
  void Put(CronJob cron_job = CronJob("backup", "*/10 * * * *")) {
    cron_job.CreatedAt(absl::ToUnixSeconds(At(0, 5)));
    world_.Put(cron_job);
  }

  World world_;
  Random random_{1};
  absl::flat_hash_set<std::string> taken_;
  absl::Time now_ = At(0, 5);
  std::vector<std::string> reasons_;
};

TEST_F(CronJobs, Behaviour48AJobIsMadeAtItsTimeAndOnlyOnce) {
  Put();
  EXPECT_EQ(Settle().wake_at, At(0, 10));
  EXPECT_EQ(Jobs().size(), 0u);
  EXPECT_EQ(ToTime(Status().next_schedule_time()), At(0, 10));
  now_ = At(0, 10);
  const Changes changes = Pass();
  ASSERT_EQ(changes.writes.size(), 2u);
  EXPECT_TRUE(changes.writes[1].with_previous) << "the job and the note that it was made";
  Settle();
  ASSERT_EQ(Jobs().size(), 1u);
  const v1::Job job = Jobs()[0];
  EXPECT_EQ(job.metadata().name(), "backup-" + std::to_string(absl::ToUnixSeconds(At(0, 10)) / 60));
  EXPECT_EQ(job.metadata().owner_references(0).uid(), "CronJob-backup");
  EXPECT_EQ(job.metadata().annotations().at("batch.kubernetes.io/cronjob-scheduled-timestamp"),
            "2026-03-02T00:10:00+00:00");
  EXPECT_EQ(job.spec().backoff_limit(), 6);
  EXPECT_EQ(job.spec().selector().match_labels().at("batch.kubernetes.io/controller-uid"),
            job.metadata().uid());
  EXPECT_EQ(ToTime(Status().last_schedule_time()), At(0, 10));
  EXPECT_EQ(Status().active(0).name(), job.metadata().name());
  EXPECT_THAT(reasons_, ElementsAre("SuccessfulCreate"));
  PassAt(At(0, 11));
  EXPECT_EQ(Jobs().size(), 1u);
}

TEST_F(CronJobs, ADeletedJobIsNotMadeAgain) {
  Put();
  PassAt(At(0, 10));
  world_.Remove("jobs/default/" + Jobs()[0].metadata().name());
  PassAt(At(0, 12));
  EXPECT_EQ(Jobs().size(), 0u);
  EXPECT_EQ(Status().active_size(), 0);
  EXPECT_THAT(reasons_, Contains("MissingJob"));
}

TEST_F(CronJobs, OfAHundredMissedRunsOnlyTheLatestStarts) {
  Put();
  now_ = At(0, 5) + absl::Hours(24 * 365) + absl::Minutes(3);
  Settle();
  ASSERT_EQ(Jobs().size(), 1u);
  EXPECT_EQ(ToTime(Status().last_schedule_time()), At(0, 0) + absl::Hours(24 * 365));
}

TEST_F(CronJobs, Behaviour48AllowStartsOverlappingJobs) {
  Put();
  PassAt(At(0, 10));
  PassAt(At(0, 20));
  EXPECT_EQ(Jobs().size(), 2u);
  EXPECT_EQ(Status().active_size(), 2);
}

TEST_F(CronJobs, Behaviour48ForbidWaitsWhileOneIsActive) {
  Put(CronJob("backup", "*/10 * * * *").Policy(v1::CONCURRENCY_POLICY_FORBID));
  PassAt(At(0, 10));
  PassAt(At(0, 20));
  PassAt(At(0, 25));
  PassAt(At(0, 31));
  ASSERT_EQ(Jobs().size(), 1u);
  EXPECT_EQ(std::count(reasons_.begin(), reasons_.end(), "JobAlreadyActive"), 2)
      << "once for each run that is left out";
  End(Jobs()[0], true);
  Settle();
  ASSERT_EQ(Jobs().size(), 2u) << "as in Kubernetes the latest that was left out follows";
  EXPECT_EQ(ToTime(Status().last_schedule_time()), At(0, 30));
}

TEST_F(CronJobs, Behaviour48ReplaceEndsTheOldOneAndStartsTheNew) {
  Put(CronJob("backup", "*/10 * * * *").Policy(v1::CONCURRENCY_POLICY_REPLACE));
  PassAt(At(0, 10));
  const std::string old = Jobs()[0].metadata().name();
  now_ = At(0, 20);
  const Changes changes = Pass();
  ASSERT_EQ(changes.writes.size(), 3u);
  EXPECT_TRUE(changes.writes[1].with_previous && changes.writes[2].with_previous)
      << "no run is made beside one that could not be ended";
  Settle();
  ASSERT_EQ(Jobs().size(), 1u);
  EXPECT_NE(Jobs()[0].metadata().name(), old);
  EXPECT_EQ(Status().active_size(), 1);
  EXPECT_THAT(reasons_, Contains("SuccessfulDelete"));
}

TEST_F(CronJobs, Behaviour48SuspendedItStartsNone) {
  Put();
  Edit([](v1::CronJobSpec* spec) { spec->set_suspend(true); });
  PassAt(At(0, 10));
  PassAt(At(0, 20));
  EXPECT_EQ(Jobs().size(), 0u);
  EXPECT_FALSE(Status().has_next_schedule_time());
  Edit([](v1::CronJobSpec* spec) { spec->set_suspend(false); });
  PassAt(At(0, 21));
  EXPECT_EQ(ToTime(Status().last_schedule_time()), At(0, 20)) << "the latest that was missed";
}

TEST_F(CronJobs, ARunThatIsTooLateIsLeftOut) {
  CronJob cron_job("backup", "*/10 * * * *");
  cron_job.cron_job()->set_starting_deadline_seconds(60);
  Put(cron_job);
  Settle();
  PassAt(At(0, 11, 1));
  EXPECT_EQ(Jobs().size(), 0u);
  EXPECT_THAT(reasons_, ElementsAre("MissSchedule"));
  PassAt(At(0, 12));
  EXPECT_THAT(reasons_, ElementsAre("MissSchedule")) << "it is said once";
  PassAt(At(0, 21, 0));
  EXPECT_EQ(Jobs().size(), 1u) << "at the deadline it is still in time";
}

TEST_F(CronJobs, KeepsTheNewestEndedJobs) {
  CronJob cron_job("backup", "*/10 * * * *");
  cron_job.cron_job()->set_successful_jobs_history_limit(2);
  cron_job.cron_job()->set_failed_jobs_history_limit(1);
  Put(cron_job);
  for (int i = 1; i <= 6; ++i) {
    PassAt(At(i / 6, (i * 10) % 60));
    for (const v1::Job& job : Jobs()) {
      if (!IsJobFinished(job)) End(job, i % 2 == 0);
    }
  }
  Settle();
  std::vector<absl::Time> kept;
  for (const v1::Job& job : Jobs()) kept.push_back(ToTime(job.metadata().creation_timestamp()));
  EXPECT_THAT(kept, ElementsAre(At(0, 40), At(0, 50), At(1, 0)));
  EXPECT_EQ(ToTime(Status().last_successful_time()), At(1, 0));
  EXPECT_THAT(reasons_, Contains("SawCompletedJob"));
}

TEST_F(CronJobs, ItsTimeZoneCounts) {
  Put(CronJob("backup", "30 9 * * *").Zone("Asia/Kolkata"));
  EXPECT_EQ(Settle().wake_at, At(4, 0));
  PassAt(At(4, 0));
  ASSERT_EQ(Jobs().size(), 1u);
  EXPECT_EQ(
      Jobs()[0].metadata().annotations().at("batch.kubernetes.io/cronjob-scheduled-timestamp"),
      "2026-03-02T09:30:00+05:30");
}

TEST_F(CronJobs, AStrangersJobOfTheSameNameIsLeftAlone) {
  Put();
  v1::Object stranger = domain::Job("x");
  stranger.mutable_job()->mutable_metadata()->set_name(
      "backup-" + std::to_string(absl::ToUnixSeconds(At(0, 10)) / 60));
  world_.Put(stranger);
  PassAt(At(0, 10));
  EXPECT_EQ(Jobs().size(), 1u);
  EXPECT_THAT(reasons_, ElementsAre("FailedCreate"));
  PassAt(At(0, 20));
  EXPECT_EQ(Jobs().size(), 2u);
}

TEST_F(CronJobs, AScheduleThatNeverComesBlocksNothing) {
  Put(CronJob("backup", "0 0 31 2 *"));
  EXPECT_EQ(Settle().wake_at, std::nullopt);
  EXPECT_FALSE(Status().has_next_schedule_time());
}

TEST_F(CronJobs, NothingIsMadeInANamespaceThatGoes) {
  Put();
  world_.Put(domain::Namespace("default").Deleting());
  PassAt(At(0, 10));
  EXPECT_EQ(Jobs().size(), 0u);
}

TEST_F(CronJobs, ALostWriteLosesBothOrNeither) {
  Put();
  Settle();
  now_ = At(0, 10);
  const Changes lost = ReconcileCronJobs(world_.view(), taken_, now_, &random_);
  Edit([](v1::CronJobSpec* spec) { spec->set_failed_jobs_history_limit(2); });
  EXPECT_THAT(world_.Commit(lost), Not(IsEmpty()));
  EXPECT_EQ(Jobs().size(), 0u);
  EXPECT_FALSE(Status().has_last_schedule_time());
  Settle();
  EXPECT_EQ(Jobs().size(), 1u);
}

}  // namespace
}  // namespace cluster::controller
