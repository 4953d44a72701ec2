#include "controller/reconcile/jobs.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/object/claims.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/garbage.h"
#include "controller/reconcile/job_tally.h"
#include "controller/reconcile/ownership.h"
#include "controller/reconcile/pod_ranking.h"
#include "controller/reconcile/pod_state.h"
#include "proto/schema/scalars.h"
#include "proto/schema/stable_bytes.h"
#include "proto/validate/job_rules.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kJobController = "job-controller";
// Pods made per job and pass at most.
constexpr int kMostCreated = 500;
// The job itself is in the same transaction.
constexpr size_t kMostCounted = kMostTogether - 1;

const v1::Condition* EndCondition(const v1::Job& job) {
  for (const char* type : {"Complete", "Failed"}) {
    const v1::Condition* condition = FindCondition(job.status().conditions(), type);
    if (condition != nullptr && condition->status() == v1::CONDITION_STATUS_TRUE) return condition;
  }
  return nullptr;
}

// One job that is not over yet.
class JobSync {
 public:
  JobSync(const View& view, const Entry& job, std::vector<EntryPtr> pods, absl::Time now,
          Random* random)
      : view_(view),
        entry_(job),
        spec_(job.object.job().spec()),
        pods_(std::move(pods)),
        now_(now),
        random_(random),
        tally_(TallyJob(job.object.job(), pods_)),
        after_(job.object) {}

  Changes Run() {
    Start();
    std::optional<absl::Time> deadline;
    const auto verdict = JudgeJob(after_.job(), tally_, now_, &deadline);
    if (deadline.has_value()) changes_.WakeAt(*deadline);
    if (verdict.has_value()) {
      StopAll();
    } else if (spec_.suspend()) {
      Remove(tally_.active);
    } else {
      Manage();
    }
    CountEnds(verdict.has_value());
    if (verdict.has_value()) {
      Conclude(*verdict);
    } else {
      NoteSuspension();
    }
    Write();
    return std::move(changes_);
  }

 private:
  v1::JobStatus* status() { return after_.mutable_job()->mutable_status(); }

  void Note(absl::string_view type, absl::string_view reason, std::string message) {
    changes_.events.push_back(
        MakeEvent(entry_.object, type, reason, std::move(message), kJobController));
  }

  // The clock of the deadline; it begins anew when a suspended job goes on.
  void Start() {
    if (spec_.suspend()) return;
    const bool resumed = IsTrue(status()->conditions(), "Suspended");
    if (resumed || !status()->has_start_time()) *status()->mutable_start_time() = Seconds(now_);
  }

  void NoteSuspension() {
    const bool was = IsTrue(status()->conditions(), "Suspended");
    if (was == spec_.suspend()) return;
    const ConditionUpdate update =
        spec_.suspend()
            ? ConditionUpdate{"Suspended", v1::CONDITION_STATUS_TRUE, "JobSuspended",
                              "Job suspended"}
            : ConditionUpdate{"Suspended", v1::CONDITION_STATUS_FALSE, "JobResumed", "Job resumed"};
    SetCondition(update, now_, status()->mutable_conditions());
    Note("Normal", spec_.suspend() ? "Suspended" : "Resumed", update.message);
  }

  // ---- what runs ----

  // The job is over: what still runs is ended, and counts as failed.
  void StopAll() {
    for (const EntryPtr& pod : tally_.active) {
      if (!IsHeld(pod->object.pod())) {
        EndPod(*pod, now_, std::nullopt, &changes_);
      } else if (together_.writes.size() < kMostCounted) {
        ReleasePod(*pod, /*end=*/true, now_, &together_);
        ++counted_failed_;
      } else {
        left_ = true;
        return;
      }
      Stopped(*pod);
    }
  }

  // Pods that are not wanted any more and whose end says nothing about the job.
  void Remove(const std::vector<EntryPtr>& pods) {
    for (const EntryPtr& pod : pods) {
      ReleasePod(*pod, /*end=*/true, now_, &changes_);
      Stopped(*pod);
    }
  }

  void Stopped(const Entry& pod) {
    --active_;
    if (IsBound(pod.object.pod())) ++terminating_;
    Note("Normal", "SuccessfulDelete", absl::StrCat("Deleted pod: ", Meta(pod.object).name()));
  }

  int Wanted() const {
    const int active = static_cast<int>(tally_.active.size());
    if (!spec_.has_completions()) return tally_.succeeded > 0 ? active : spec_.parallelism();
    return std::max(0, std::min(spec_.completions() - tally_.succeeded, spec_.parallelism()));
  }

  void Manage() {
    const std::vector<EntryPtr> surplus = Surplus(Wanted());
    if (!surplus.empty()) return Remove(surplus);
    int missing = Wanted() - static_cast<int>(tally_.active.size());
    if (ReplacesOnlyFailed(spec_)) missing -= static_cast<int>(tally_.ending.size());
    if (missing <= 0 || !IsOpen(view_, Meta(entry_.object).namespace_())) return;
    missing = std::min(missing, kMostCreated);
    if (!spec_.has_backoff_limit_per_index()) {
      const absl::Time may = MayReplaceAt(spec_, pods_, now_);
      if (may > now_) return changes_.WakeAt(may);
    }
    if (!IsIndexed(spec_)) {
      for (int i = 0; i < missing; ++i) Create(-1, {});
    } else {
      CreateIndexes(missing);
    }
  }

  // Of an Indexed job first those whose index is not wanted, or not of them alone.
  std::vector<EntryPtr> Surplus(int wanted) const {
    std::vector<EntryPtr> surplus;
    std::vector<EntryPtr> rest = tally_.active;
    if (IsIndexed(spec_)) {
      rest.clear();
      std::set<int> seen;
      for (const EntryPtr& pod : tally_.active) {
        const int index = IndexOf(pod->object.pod(), spec_);
        const bool due = index >= 0 && !tally_.done.Has(index) &&
                         !tally_.failed_indexes.Has(index) && seen.insert(index).second;
        (due ? rest : surplus).push_back(pod);
      }
    }
    const int more = static_cast<int>(rest.size()) - wanted;
    if (more <= 0) return surplus;
    for (EntryPtr& pod : FirstToDelete(rest, more)) surplus.push_back(std::move(pod));
    return surplus;
  }

  void CreateIndexes(int missing) {
    std::set<int> running;
    for (const EntryPtr& pod : tally_.active) running.insert(IndexOf(pod->object.pod(), spec_));
    if (ReplacesOnlyFailed(spec_)) {
      for (const EntryPtr& pod : tally_.ending) running.insert(IndexOf(pod->object.pod(), spec_));
    }
    for (int index = 0; missing > 0; ++index) {
      index = Untried(index);
      if (index >= spec_.completions()) return;
      if (running.contains(index)) continue;
      IndexFailures failures;
      const auto last = tally_.last_failures.find(index);
      if (last != tally_.last_failures.end()) {
        const absl::Time may = MayReplaceIndexAt(last->second, now_);
        if (may > now_) {
          changes_.WakeAt(may);
          continue;
        }
        failures = FailuresBefore(last->second.pod->object.pod());
        ++(last->second.verdict.counts ? failures.counted : failures.ignored);
      }
      Create(index, failures);
      --missing;
    }
  }

  // The first index from here on that has neither succeeded nor failed.
  int Untried(int index) const {
    while (tally_.done.Has(index) || tally_.failed_indexes.Has(index)) {
      index = tally_.failed_indexes.FirstMissing(tally_.done.FirstMissing(index));
    }
    return index;
  }

  void Create(int index, IndexFailures failures) {
    v1::Object pod = NewJobPod(entry_.object, index, failures, now_, random_);
    while (view_.Find(Key(pod)) != nullptr) {
      pod = NewJobPod(entry_.object, index, failures, now_, random_);
    }
    Note("Normal", "SuccessfulCreate", absl::StrCat("Created pod: ", Meta(pod).name()));
    creations_.Create(std::move(pod));
  }

  // ---- what has ended ----

  void CountEnds(bool over) {
    for (const Ended& ended : tally_.ended) {
      if (!over && IsLastFailure(ended)) continue;
      if (together_.writes.size() >= kMostCounted) {
        left_ = true;
        return;
      }
      Count(ended);
      ReleasePod(*ended.pod, /*end=*/false, now_, &together_);
    }
  }

  bool IsLastFailure(const Ended& ended) const {
    const auto last = tally_.last_failures.find(ended.index);
    return last != tally_.last_failures.end() && last->second.pod == ended.pod;
  }

  void Count(const Ended& ended) {
    if (IsIndexed(spec_) && ended.index < 0) return;
    if (!ended.succeeded) {
      if (ended.verdict.counts) ++counted_failed_;
      if (tally_.failed_indexes.Has(ended.index)) new_failed_indexes_.insert(ended.index);
    } else if (IsIndexed(spec_)) {
      new_done_.insert(ended.index);
    } else {
      ++counted_succeeded_;
    }
  }

  void AddIndexes(const std::set<int>& indexes, std::string* text) const {
    IndexSet set = IndexSet::Parse(*text, spec_.completions());
    for (const int index : indexes) set.Add(index);
    *text = set.ToString();
  }

  // ---- the status ----

  // Over, and said so for good once nothing of it is left to end or to count.
  void Conclude(const JobVerdict& verdict) {
    auto* conditions = status()->mutable_conditions();
    SetCondition({verdict.success ? "SuccessCriteriaMet" : "FailureTarget",
                  v1::CONDITION_STATUS_TRUE, verdict.reason, verdict.message},
                 now_, conditions);
    if (left_ || active_ > 0 || terminating_ > 0) return;
    SetCondition({verdict.success ? "Complete" : "Failed", v1::CONDITION_STATUS_TRUE,
                  verdict.reason, verdict.message},
                 now_, conditions);
    if (verdict.success) {
      *status()->mutable_completion_time() = Seconds(now_);
      Note("Normal", "Completed", "Job completed");
    } else {
      Note("Warning", verdict.reason, verdict.message);
    }
  }

  void Write() {
    const int ready = static_cast<int>(
        std::count_if(tally_.active.begin(), tally_.active.end(),
                      [](const EntryPtr& pod) { return IsReady(pod->object.pod()); }));
    status()->set_active(active_);
    status()->set_ready(std::min(ready, active_));
    status()->set_terminating(terminating_);
    status()->set_failed(status()->failed() + counted_failed_);
    if (IsIndexed(spec_)) {
      AddIndexes(new_done_, status()->mutable_completed_indexes());
      AddIndexes(new_failed_indexes_, status()->mutable_failed_indexes());
      status()->set_succeeded(
          IndexSet::Parse(status()->completed_indexes(), spec_.completions()).size());
    } else {
      status()->set_succeeded(status()->succeeded() + counted_succeeded_);
    }
    Changes counting;
    if (!SameMessage(after_, entry_.object)) counting.Put(entry_, std::move(after_));
    counting.Together(std::move(together_));
    Changes all;
    all.Together(std::move(counting));
    MergeChanges(std::move(changes_), &all);
    // Last: a replacement follows the end that it replaces.
    MergeChanges(std::move(creations_), &all);
    changes_ = std::move(all);
  }

  const View& view_;
  const Entry& entry_;
  const v1::JobSpec& spec_;
  const std::vector<EntryPtr> pods_;
  const absl::Time now_;
  Random* const random_;
  const JobTally tally_;
  v1::Object after_;
  int active_ = static_cast<int>(tally_.active.size());
  int terminating_ = static_cast<int>(tally_.ending.size());
  int counted_succeeded_ = 0;
  int counted_failed_ = 0;
  std::set<int> new_done_;
  std::set<int> new_failed_indexes_;
  bool left_ = false;  // ended pods that the next pass counts
  Changes together_;   // pods that are counted, with the status
  Changes creations_;
  Changes changes_;
};

class JobsPass {
 public:
  JobsPass(const View& view, const absl::flat_hash_set<std::string>& taken, absl::Time now,
           Random* random)
      : view_(view), taken_(taken), now_(now), random_(random) {}

  Changes Run() {
    for (const auto& [key, entry] : view_.All(v1::Object::kJob)) Look(*entry);
    ReleaseStrays();
    Changes unique;
    MergeChanges(std::move(all_), &unique);
    return unique;
  }

 private:
  void Look(const Entry& entry) {
    const v1::Job& job = entry.object.job();
    const std::vector<EntryPtr> owned = view_.OwnedBy(v1::Object::kPod, job.metadata().uid());
    const bool waits = taken_.contains(entry.key) ||
                       std::any_of(owned.begin(), owned.end(), [this](const EntryPtr& pod) {
                         return taken_.contains(pod->key);
                       });
    if (waits) return;
    if (job.metadata().has_deletion_timestamp() || IsJobFinished(job)) {
      ReleaseAll(owned);
      if (!job.metadata().has_deletion_timestamp()) Expire(entry);
      return;
    }
    Changes claims;
    std::vector<EntryPtr> pods = Claim(entry, owned, &claims);
    all_.Append(std::move(claims));
    all_.Append(JobSync(view_, entry, std::move(pods), now_, random_).Run());
  }

  void ReleaseAll(const std::vector<EntryPtr>& pods) {
    for (const EntryPtr& pod : pods) {
      if (IsHeld(pod->object.pod())) ReleasePod(*pod, /*end=*/false, now_, &all_);
    }
  }

  void Expire(const Entry& entry) {
    const v1::Job& job = entry.object.job();
    if (!job.spec().has_ttl_seconds_after_finished()) return;
    const absl::Time ends = ToTime(EndCondition(job)->last_transition_time()) +
                            absl::Seconds(job.spec().ttl_seconds_after_finished());
    if (ends > now_) return all_.WakeAt(ends);
    DeleteObject(entry, now_, &all_);
  }

  // The job's pods: its own, but for those that run and do not match any more, and those that run,
  // match and are nobody's. One that has ended is not taken on: it may have been counted already.
  std::vector<EntryPtr> Claim(const Entry& job, const std::vector<EntryPtr>& owned,
                              Changes* changes) {
    std::vector<EntryPtr> pods;
    for (const EntryPtr& pod : owned) {
      if (!IsActive(pod->object.pod()) || Selects(job.object, *pod)) {
        pods.push_back(pod);
        continue;
      }
      v1::Object released = WithoutOwner(pod->object, Meta(job.object).uid());
      RemoveFinalizer(kJobFinalizer, MutableMeta(&released));
      changes->Put(*pod, std::move(released));
    }
    for (const EntryPtr& pod : OrphansOf(job)) {
      if (!IsActive(pod->object.pod()) || taken_.contains(pod->key)) continue;
      if (!adopted_.insert(pod->key).second) continue;
      v1::Object adopted = pod->object;
      AddOwner(job.object, MutableMeta(&adopted));
      if (!IsHeld(pod->object.pod())) {
        MutableMeta(&adopted)->add_finalizers(std::string(kJobFinalizer));
      }
      changes->Put(*pod, std::move(adopted));
      pods.push_back(pod);
    }
    return pods;
  }

  std::vector<EntryPtr> OrphansOf(const Entry& job) const {
    std::vector<EntryPtr> orphans;
    const v1::LabelSelector& selector = job.object.job().spec().selector();
    // A generated selector names the job: no other pods need to be looked at.
    const auto uid = selector.match_labels().find(kJobUidLabel);
    const std::vector<EntryPtr> labeled =
        uid == selector.match_labels().end()
            ? std::vector<EntryPtr>()
            : view_.WithLabel(v1::Object::kPod, kJobUidLabel, uid->second);
    const auto consider = [&](const EntryPtr& pod) {
      const v1::ObjectMeta& meta = Meta(pod->object);
      if (ControllerOf(meta) == nullptr && Selects(job.object, *pod)) orphans.push_back(pod);
    };
    for (const EntryPtr& pod : labeled) consider(pod);
    if (uid == selector.match_labels().end()) {
      for (const EntryPtr& pod : view_.WithoutController(v1::Object::kPod)) consider(pod);
    }
    return orphans;
  }

  // Nobody will count what has no job any more.
  void ReleaseStrays() {
    for (const EntryPtr& pod : view_.HeldPods()) {
      if (taken_.contains(pod->key) || !IsHeld(pod->object.pod())) continue;
      const v1::OwnerReference* owner = ControllerOf(Meta(pod->object));
      const EntryPtr job = owner == nullptr ? nullptr : view_.FindUid(owner->uid());
      if (job != nullptr && job->object.has_job()) continue;
      ReleasePod(*pod, /*end=*/false, now_, &all_);
    }
  }

  const View& view_;
  const absl::flat_hash_set<std::string>& taken_;
  const absl::Time now_;
  Random* const random_;
  absl::flat_hash_set<std::string> adopted_;
  Changes all_;
};

}  // namespace

bool IsJobFinished(const v1::Job& job) { return EndCondition(job) != nullptr; }

Changes ReconcileJobs(const View& view, const absl::flat_hash_set<std::string>& taken,
                      absl::Time now, Random* random) {
  return JobsPass(view, taken, now, random).Run();
}

}  // namespace cluster::controller
