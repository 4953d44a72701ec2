// A Job counts each end of a pod once, never more successes than it has, and is never given more
// pods than it may have at a time.
#include <map>
#include <set>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/checkers/recent.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

constexpr absl::string_view kTracked = "batch.kubernetes.io/job-tracking";

bool IsTracked(const v1::ObjectMeta& meta) {
  for (const std::string& each : meta.finalizers()) {
    if (each == kTracked) return true;
  }
  return false;
}

std::string IndexOf(const v1::Pod& pod) {
  const auto& annotations = pod.metadata().annotations();
  const auto found = annotations.find("batch.kubernetes.io/job-completion-index");
  return found == annotations.end() ? "" : found->second;
}

class JobsChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "what Jobs count"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.before != nullptr && change.before->object.has_pod()) NoteCounted(change);
      if (change.before == nullptr && change.after->object.has_pod()) CheckBirth(*change.after);
    }
    for (const Change& change : commit.changes) {
      if (change.after == nullptr) continue;
      if (change.after->object.has_pod()) NoteSpoiled(change.after->object.pod());
      if (change.after->object.has_job()) CheckJob(change);
    }
  }

  void OnRest() override {
    for (const auto& [key, entry] : truth().All(v1::Object::kJob)) {
      const v1::Job& job = entry->object.job();
      const auto finished = finished_.find(job.metadata().uid());
      if (finished == finished_.end() || !job.spec().has_ttl_seconds_after_finished()) continue;
      // The end of another may lie ahead of a clock that was set back.
      if (!ended_fine_.contains(job.metadata().uid())) continue;
      const Nanos age = world_->now() - finished->second;
      if (age > (job.spec().ttl_seconds_after_finished() + 60) * kSecond) {
        Fail(absl::StrCat(key, " has ended ", age / kSecond, " s ago, and was to be kept for ",
                          job.spec().ttl_seconds_after_finished(), " s"));
      }
    }
  }

 private:
  struct Counted {
    std::set<std::string> succeeded;  // uids, or indexes
    std::set<std::string> failed;
  };

  // A pod that has lost its finalizer is counted.
  void NoteCounted(const Change& change) {
    const v1::Pod& before = change.before->object.pod();
    const v1::OwnerReference* owner = OwnerOf(before.metadata(), "Job");
    if (owner == nullptr || !IsTracked(before.metadata())) return;
    if (change.after != nullptr && IsTracked(Meta(change.after->object))) return;
    const v1::Pod& last = change.after != nullptr ? change.after->object.pod() : before;
    const std::string index = IndexOf(last);
    const std::string id = index.empty() ? last.metadata().uid() : index;
    if (last.status().phase() == v1::POD_PHASE_SUCCEEDED)
      counted_[owner->uid()].succeeded.insert(id);
  }

  void CheckJob(const Change& change) {
    const v1::Job& job = change.after->object.job();
    const std::string& uid = job.metadata().uid();
    parallelism_[uid].Set(world_->now(), job.spec().suspend() ? 0 : job.spec().parallelism());
    if (job.spec().suspend()) suspended_.insert(uid);
    if (IsFinished(job)) finished_.try_emplace(uid, world_->now());
    if (IsFinished(job) && world_->fine()) ended_fine_.insert(uid);
    if (Holds(job.status().conditions(), "Complete")) CheckComplete(job);
    const int succeeded = job.status().succeeded();
    if (job.spec().completions() > 0 && succeeded > job.spec().completions()) {
      Fail(absl::StrCat(job.metadata().name(), " counts ", succeeded, " successes of ",
                        job.spec().completions()));
    }
    if (change.before != nullptr && Meta(change.before->object).uid() == uid) {
      const v1::Job& before = change.before->object.job();
      if (succeeded < before.status().succeeded()) {
        Fail(absl::StrCat(job.metadata().name(), " counts ", succeeded, " successes after ",
                          before.status().succeeded()));
      }
      for (const char* end : {"Complete", "Failed"}) {
        if (Holds(before.status().conditions(), end) && !Holds(job.status().conditions(), end)) {
          Fail(absl::StrCat(job.metadata().name(), " is not ", end, " any more"));
        }
      }
    }
    const int known = static_cast<int>(counted_[uid].succeeded.size());
    if (succeeded != known && !IsGoing(job.metadata())) {
      Fail(absl::StrCat(job.metadata().name(), " counts ", succeeded, " successes, and ", known,
                        " of its pods have succeeded and were let go"));
    }
  }

  // It was not to fail: not for its deadline, nor for a pod that ended as none may.
  void CheckComplete(const v1::Job& job) {
    const std::string& uid = job.metadata().uid();
    const Nanos since = SeenSince(*world_);
    const auto begun = begun_.find(uid);
    const Nanos most = job.spec().active_deadline_seconds() * kSecond;
    if (begun != begun_.end() && job.spec().has_active_deadline_seconds() &&
        !suspended_.contains(uid) && world_->fine() && finished_.at(uid) == world_->now() &&
        begun->second + most < since) {
      Fail(absl::StrCat(job.metadata().name(), " is complete ",
                        (world_->now() - begun->second) / kSecond, " s after it began, and had ",
                        job.spec().active_deadline_seconds(), " s"));
    }
    const auto spoiled = spoiled_.find(uid);
    if (spoiled != spoiled_.end() && finished_.at(uid) == world_->now() &&
        spoiled->second < since) {
      Fail(absl::StrCat(job.metadata().name(), " is complete, though a pod ended as none may"));
    }
  }

  // Ended by itself with the code that its Job's policy names.
  void NoteSpoiled(const v1::Pod& pod) {
    const v1::OwnerReference* owner = OwnerOf(pod.metadata(), "Job");
    const EntryPtr job = owner == nullptr ? nullptr : truth().FindUid(owner->uid());
    if (job == nullptr || !job->object.job().spec().has_pod_failure_policy()) return;
    if (IsGoing(pod.metadata()) || pod.status().phase() != v1::POD_PHASE_FAILED) return;
    for (const v1::ContainerStatus& container : pod.status().container_statuses()) {
      if (container.state().terminated().exit_code() == 1) {
        spoiled_.try_emplace(owner->uid(), world_->now());
      }
    }
  }

  void CheckBirth(const Entry& entry) {
    const v1::OwnerReference* owner = OwnerOf(Meta(entry.object), "Job");
    if (owner == nullptr) return;
    begun_.try_emplace(owner->uid(), world_->now());
    const auto found = parallelism_.find(owner->uid());
    if (found == parallelism_.end()) return;
    int active = 0;
    for (const EntryPtr& pod : truth().OwnedBy(v1::Object::kPod, owner->uid())) {
      if (IsActive(pod->object.pod())) ++active;
    }
    if (active > found->second.Highest(SeenSince(*world_))) {
      Fail(absl::StrCat(owner->name(), " has ", active, " pods at a time, and may have ",
                        found->second.Highest(SeenSince(*world_))));
    }
  }

  std::map<std::string, Nanos> finished_;            // when, by uid
  std::map<std::string, Nanos> begun_;               // its first pod, by uid
  std::map<std::string, Nanos> spoiled_;             // its first pod that ended so, by uid
  std::set<std::string> ended_fine_;                 // while nothing failed, by uid
  std::set<std::string> suspended_;                  // once, by uid
  std::map<std::string, Counted> counted_;           // by uid of the Job
  std::map<std::string, RecentNumber> parallelism_;  // by uid of the Job
};

}  // namespace

std::unique_ptr<Checker> Jobs(World* world) { return std::make_unique<JobsChecker>(world); }

}  // namespace cluster::sim
