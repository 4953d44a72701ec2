#include "controller/reconcile/cron_jobs.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "controller/admission/admission.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/garbage.h"
#include "controller/reconcile/jobs.h"
#include "controller/reconcile/ownership.h"
#include "proto/schema/cron.h"
#include "proto/schema/scalars.h"
#include "proto/schema/stable_bytes.h"
#include "proto/validate/validate.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kCronJobController = "cronjob-controller";

std::string JobName(const v1::CronJob& cron_job, absl::Time run) {
  return absl::StrCat(cron_job.metadata().name(), "-", absl::ToUnixSeconds(run) / 60);
}

v1::Object NewJob(const v1::Object& owner, absl::Time run, const absl::TimeZone& zone,
                  absl::Time now, Random* random) {
  const v1::CronJob& cron_job = owner.cron_job();
  const v1::JobTemplateSpec& job_template = cron_job.spec().job_template();
  v1::Object object = NewObject(KindOf(v1::Object::kJob));
  v1::Job* job = object.mutable_job();
  v1::ObjectMeta* meta = job->mutable_metadata();
  *meta->mutable_labels() = job_template.metadata().labels();
  *meta->mutable_annotations() = job_template.metadata().annotations();
  (*meta->mutable_annotations())[std::string(kScheduledTime)] =
      absl::FormatTime(absl::RFC3339_sec, run, zone);
  meta->set_name(JobName(cron_job, run));
  meta->set_namespace_(cron_job.metadata().namespace_());
  meta->set_uid(RandomUid(random));
  meta->set_generation(1);
  *meta->mutable_creation_timestamp() = Seconds(now);
  AddOwner(owner, meta);
  *job->mutable_spec() = job_template.spec();
  SetDefaults(&object);
  return object;
}

bool HasSucceeded(const v1::Job& job) { return IsTrue(job.status().conditions(), "Complete"); }

// The oldest first.
bool StartedEarlier(const EntryPtr& a, const EntryPtr& b) {
  const auto order = [](const EntryPtr& entry) {
    const v1::Job& job = entry->object.job();
    const auto& time = job.status().has_start_time() ? job.status().start_time()
                                                     : job.metadata().creation_timestamp();
    return std::make_tuple(time.seconds(), entry->key);
  };
  return order(a) < order(b);
}

class CronSync {
 public:
  CronSync(const View& view, const Entry& entry, std::vector<EntryPtr> jobs, absl::Time now,
           Random* random)
      : view_(view),
        entry_(entry),
        spec_(entry.object.cron_job().spec()),
        jobs_(std::move(jobs)),
        now_(now),
        random_(random),
        after_(entry.object) {
    std::sort(jobs_.begin(), jobs_.end(), StartedEarlier);
    for (const EntryPtr& job : jobs_) {
      const bool ends = Meta(job->object).has_deletion_timestamp();
      if (!IsJobFinished(job->object.job()) && !ends) active_.push_back(job);
    }
  }

  Changes Run() {
    NoteEnds();
    CleanHistory(true, spec_.successful_jobs_history_limit());
    CleanHistory(false, spec_.failed_jobs_history_limit());
    if (spec_.suspend()) {
      status()->clear_next_schedule_time();
    } else {
      FollowSchedule();
    }
    Write();
    return std::move(changes_);
  }

 private:
  v1::CronJobStatus* status() { return after_.mutable_cron_job()->mutable_status(); }

  void Note(absl::string_view type, absl::string_view reason, std::string message) {
    changes_.events.push_back(
        MakeEvent(entry_.object, type, reason, std::move(message), kCronJobController));
  }

  // Of jobs that were active when this was last looked at.
  void NoteEnds() {
    for (const v1::ObjectReference& was : entry_.object.cron_job().status().active()) {
      const EntryPtr job = view_.FindUid(was.uid());
      if (job == nullptr) {
        Note("Normal", "MissingJob", absl::StrCat("Active job went missing: ", was.name()));
        continue;
      }
      if (!job->object.has_job() || !IsJobFinished(job->object.job())) continue;
      Note("Normal", "SawCompletedJob",
           absl::StrCat("Saw completed job: ", was.name(),
                        ", condition: ", HasSucceeded(job->object.job()) ? "Complete" : "Failed"));
    }
    for (const EntryPtr& entry : jobs_) {
      const v1::Job& job = entry->object.job();
      if (!HasSucceeded(job)) continue;
      const absl::Time last = ToTime(status()->last_successful_time());
      if (status()->has_last_successful_time() && last >= ToTime(job.status().completion_time())) {
        continue;
      }
      *status()->mutable_last_successful_time() = job.status().completion_time();
    }
  }

  void CleanHistory(bool succeeded, int limit) {
    std::vector<EntryPtr> ended;
    for (const EntryPtr& entry : jobs_) {
      const v1::Job& job = entry->object.job();
      if (IsJobFinished(job) && HasSucceeded(job) == succeeded) ended.push_back(entry);
    }
    const size_t keep = static_cast<size_t>(std::max(limit, 0));
    for (size_t i = 0; i + keep < ended.size(); ++i) DeleteJob(*ended[i], &changes_);
  }

  void DeleteJob(const Entry& job, Changes* changes) {
    if (Meta(job.object).has_deletion_timestamp()) return;
    DeleteObject(job, now_, changes);
    Note("Normal", "SuccessfulDelete", absl::StrCat("Deleted job ", Meta(job.object).name()));
  }

  // Both were fine when the object was written; the machine's time zones may have changed since.
  void FollowSchedule() {
    const auto schedule = CronSchedule::Parse(spec_.schedule());
    const auto zone = spec_.has_time_zone() ? FindTimeZone(spec_.time_zone())
                                            : absl::StatusOr<absl::TimeZone>(absl::UTCTimeZone());
    if (!schedule.ok() || !zone.ok()) {
      // Once, not in each pass.
      if (!status()->has_next_schedule_time()) return;
      status()->clear_next_schedule_time();
      return Note("Warning", schedule.ok() ? "UnknownTimeZone" : "UnparseableSchedule",
                  std::string((schedule.ok() ? zone.status() : schedule.status()).message()));
    }
    const std::optional<absl::Time> next = schedule->Next(now_, *zone);
    const bool passed =
        status()->has_next_schedule_time() && ToTime(status()->next_schedule_time()) <= now_;
    status()->clear_next_schedule_time();
    if (next.has_value()) {
      *status()->mutable_next_schedule_time() = Seconds(*next);
      changes_.WakeAt(*next);
    }
    const std::optional<absl::Time> due = schedule->Latest(Earliest(), now_, *zone);
    if (due.has_value()) {
      RunAt(*due, *zone, passed);
    } else if (passed && !Ran(entry_.object.cron_job().status().next_schedule_time())) {
      Note("Warning", "MissSchedule",
           absl::StrCat("Missed scheduled time to start a job: ",
                        FormatTimestamp(entry_.object.cron_job().status().next_schedule_time())));
    }
  }

  bool Ran(const google::protobuf::Timestamp& time) {
    return status()->has_last_schedule_time() &&
           ToTime(status()->last_schedule_time()) >= ToTime(time);
  }

  // Runs up to and including this time are over, or too late.
  absl::Time Earliest() {
    const v1::ObjectMeta& meta = Meta(entry_.object);
    absl::Time earliest = ToTime(status()->has_last_schedule_time() ? status()->last_schedule_time()
                                                                    : meta.creation_timestamp());
    if (!spec_.has_starting_deadline_seconds()) return earliest;
    // A run at exactly the deadline is still in time.
    return std::max(earliest,
                    now_ - absl::Seconds(spec_.starting_deadline_seconds()) - absl::Nanoseconds(1));
  }

  void RunAt(absl::Time due, const absl::TimeZone& zone, bool passed) {
    if (!IsOpen(view_, Meta(entry_.object).namespace_())) return;
    if (spec_.concurrency_policy() == v1::CONCURRENCY_POLICY_FORBID && !active_.empty()) {
      if (!passed) return;
      return Note("Normal", "JobAlreadyActive",
                  "Not starting job because prior execution is running and concurrency policy is "
                  "Forbid");
    }
    v1::Object job = NewJob(entry_.object, due, zone, now_, random_);
    if (const EntryPtr same = view_.Find(Key(job)); same != nullptr) {
      // Of this very run, whose note in the status was lost, or a stranger that has the name.
      const v1::OwnerReference* owner = ControllerOf(Meta(same->object));
      if (owner == nullptr || owner->uid() != Meta(entry_.object).uid()) {
        Note("Warning", "FailedCreate",
             absl::StrCat("Error creating job: ", Meta(job).name(),
                          " exists and is not of this CronJob; delete or rename it"));
      }
      *status()->mutable_last_schedule_time() = Seconds(due);
      return;
    }
    if (const std::string refusal = WhyRefused(view_, job); !refusal.empty()) {
      // Once for each run, not in each pass.
      if (!passed) return;
      return Note(
          "Warning", "FailedCreate",
          absl::StrCat("Error creating job: ", ForbiddenText(job, Meta(job).name(), refusal)));
    }
    if (spec_.concurrency_policy() == v1::CONCURRENCY_POLICY_REPLACE) {
      for (const EntryPtr& each : std::exchange(active_, {})) DeleteJob(*each, &run_);
    }
    *status()->mutable_last_schedule_time() = Seconds(due);
    Note("Normal", "SuccessfulCreate", absl::StrCat("Created job ", Meta(job).name()));
    started_ = std::move(job);
  }

  void Write() {
    status()->clear_active();
    for (const EntryPtr& job : active_) *status()->add_active() = ReferenceTo(job->object);
    if (started_.has_value()) *status()->add_active() = ReferenceTo(*started_);
    if (!SameMessage(after_, entry_.object)) run_.Put(entry_, std::move(after_));
    if (started_.has_value()) run_.Create(*std::move(started_));
    Changes all;
    all.Together(std::move(run_));
    MergeChanges(std::move(changes_), &all);
    changes_ = std::move(all);
  }

  const View& view_;
  const Entry& entry_;
  const v1::CronJobSpec& spec_;
  std::vector<EntryPtr> jobs_;
  const absl::Time now_;
  Random* const random_;
  v1::Object after_;
  std::vector<EntryPtr> active_;
  std::optional<v1::Object> started_;
  // A new run, what it replaces, and the status that tells of it: all of it or nothing.
  Changes run_;
  Changes changes_;
};

}  // namespace

Changes ReconcileCronJobs(const View& view, const absl::flat_hash_set<std::string>& taken,
                          absl::Time now, Random* random) {
  Changes all;
  for (const auto& [key, entry] : view.All(v1::Object::kCronJob)) {
    const v1::ObjectMeta& meta = Meta(entry->object);
    if (meta.has_deletion_timestamp() || taken.contains(key)) continue;
    std::vector<EntryPtr> jobs = view.OwnedBy(v1::Object::kJob, meta.uid());
    const bool waits = std::any_of(jobs.begin(), jobs.end(),
                                   [&](const EntryPtr& job) { return taken.contains(job->key); });
    if (waits) continue;
    all.Append(CronSync(view, *entry, std::move(jobs), now, random).Run());
  }
  Changes unique;
  MergeChanges(std::move(all), &unique);
  return unique;
}

}  // namespace cluster::controller
