// A CronJob has one Job for each time that its schedule names, in their order, none before its
// time, too late, beside another where that is forbidden, or while it is suspended; and in calm
// none is left out.
#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

// Faults are over for so long before a run that is not there is missed.
constexpr Nanos kRecovered = 5 * kMinute;
// A run begins within so long after its time, then.
constexpr int64_t kPunctual = 30;  // seconds

// Seconds between two runs: users here say "*/5 * * * *".
int64_t PeriodOf(const v1::CronJobSpec& spec) {
  absl::string_view minutes = *absl::StrSplit(spec.schedule(), ' ').begin();
  int64_t number = 0;
  if (!absl::ConsumePrefix(&minutes, "*/") || !absl::SimpleAtoi(minutes, &number)) return 0;
  return number * 60;
}

// Seconds since 1970; 0: it does not say.
int64_t RunOf(const v1::ObjectMeta& job) {
  const auto found = job.annotations().find("batch.kubernetes.io/cronjob-scheduled-timestamp");
  absl::Time time;
  if (found == job.annotations().end() ||
      !absl::ParseTime(absl::RFC3339_full, found->second, &time, nullptr)) {
    return 0;
  }
  return absl::ToUnixSeconds(time);
}

class CronJobsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "CronJobs: each time one Job"; }

  void OnTick() override { NoteClock(); }

  void OnCommit(const Commit& commit) override {
    NoteClock();
    for (const Change& change : commit.changes) {
      if (change.before == nullptr && change.after->object.has_job()) CheckBirth(*change.after);
      if (change.before == nullptr || change.after == nullptr) continue;
      if (!change.after->object.has_cron_job()) continue;
      // By a user, in calm: it has run until now.
      const bool ends = change.after->object.cron_job().spec().suspend() &&
                        !change.before->object.cron_job().spec().suspend();
      const Nanos calm = world_->now() - world_->calm_since();
      if (ends && world_->calm_since() > 0 && calm > kRecovered && calm < 25 * kMinute) {
        CheckNoneMissed(*change.before);
      }
    }
  }

  void OnRest() override {
    for (const auto& [key, entry] : truth().All(v1::Object::kCronJob)) {
      const v1::CronJob& cron_job = entry->object.cron_job();
      if (IsGoing(cron_job.metadata())) Fail(key + " never goes");
      if (cron_job.status().active_size() > 0) Fail(key + " has active Jobs, and is suspended");
      int succeeded = 0;
      int failed = 0;
      for (const EntryPtr& job : truth().OwnedBy(v1::Object::kJob, cron_job.metadata().uid())) {
        ++(Holds(job->object.job().status().conditions(), "Complete") ? succeeded : failed);
      }
      if (succeeded > cron_job.spec().successful_jobs_history_limit() ||
          failed > cron_job.spec().failed_jobs_history_limit()) {
        Fail(absl::StrCat(key, " keeps ", succeeded, " Jobs that succeeded and ", failed,
                          " that failed"));
      }
    }
  }

 private:
  // How far the controller's wall clock is ahead of the world's time, in seconds.
  int64_t Ahead() const {
    return absl::ToUnixSeconds(world_->controller_clock()->Now()) - world_->now() / kSecond;
  }
  void NoteClock() {
    const int64_t ahead = Ahead();
    if (!base_.has_value()) base_ = ahead;
    ahead_.Set(world_->now(), static_cast<int>(ahead - *base_));
  }

  void CheckBirth(const Entry& entry) {
    const v1::ObjectMeta& meta = Meta(entry.object);
    const v1::OwnerReference* owner = OwnerOf(meta, "CronJob");
    if (owner == nullptr) return;
    const EntryPtr found = truth().FindUid(owner->uid());
    if (found == nullptr) return Fail(entry.key + " is made, and its CronJob is not there");
    const v1::CronJobSpec& spec = found->object.cron_job().spec();
    const int64_t run = RunOf(meta);
    const int64_t period = PeriodOf(spec);
    if (period == 0 || run == 0 || run % period != 0) {
      return Fail(
          absl::StrCat(entry.key, " is for ", run, ", which ", spec.schedule(), " does not name"));
    }
    int64_t& last = last_[owner->uid()];
    if (run <= last) Fail(absl::StrCat(entry.key, " is made after the Job for ", last));
    last = run;
    if (spec.suspend()) Fail(entry.key + " is made, and its CronJob is suspended");
    // By the clock, which may have been set anew since the controller looked at it.
    const int64_t now = world_->now() / kSecond + *base_;
    if (run > now + ahead_.Highest(SeenSince(*world_)) + 1) {
      Fail(absl::StrCat(entry.key, " is made ", run - now, " s before its time"));
    }
    const Nanos since = SeenSince(*world_);
    const int64_t earliest = now + ahead_.Lowest(since) - (world_->now() - since) / kSecond;
    if (spec.has_starting_deadline_seconds() && run < earliest - spec.starting_deadline_seconds()) {
      Fail(absl::StrCat(entry.key, " is made ", now - run, " s after its time"));
    }
    if (spec.concurrency_policy() == v1::CONCURRENCY_POLICY_ALLOW) return;
    for (const EntryPtr& job : truth().OwnedBy(v1::Object::kJob, owner->uid())) {
      if (job->key == entry.key || IsFinished(job->object.job())) continue;
      if (IsGoing(Meta(job->object))) continue;
      Fail(absl::StrCat(entry.key, " is made while ", job->key, " runs, and only one may"));
    }
  }

  void CheckNoneMissed(const Entry& entry) {
    const v1::CronJob& cron_job = entry.object.cron_job();
    const int64_t period = PeriodOf(cron_job.spec());
    if (period == 0) return;
    // A run that takes longer holds the next one up, where that is the policy, until it is too
    // late.
    if (cron_job.spec().concurrency_policy() == v1::CONCURRENCY_POLICY_FORBID &&
        (cron_job.status().active_size() > 0 || cron_job.spec().has_starting_deadline_seconds())) {
      return;
    }
    const int64_t now = world_->now() / kSecond + Ahead();
    const int64_t due = (now - kPunctual) / period * period;
    // Runs are told apart by their times: a clock that was set back has to pass them again first.
    const int64_t last = std::max(cron_job.status().last_schedule_time().seconds(),
                                  cron_job.metadata().creation_timestamp().seconds());
    if (last < due) {
      Fail(absl::StrCat(entry.key, " has not run at ", due, ", the last time was ", last));
    }
  }

  std::map<std::string, int64_t> last_;  // run, by uid of the CronJob
  std::optional<int64_t> base_;
  RecentNumber ahead_;  // of base_
};

}  // namespace

std::unique_ptr<Checker> CronJobs(World* world) { return std::make_unique<CronJobsChecker>(world); }

}  // namespace cluster::sim
