#include "controller/reconcile/job_tally.h"

#include <algorithm>
#include <utility>

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

constexpr absl::Duration kFirstJobBackoff = absl::Seconds(10);
constexpr absl::Duration kLongestJobBackoff = absl::Minutes(6);

absl::Duration BackoffAfter(int failures) {
  if (failures == 0) return absl::ZeroDuration();
  return std::min(kFirstJobBackoff * (1 << std::min(failures - 1, 10)), kLongestJobBackoff);
}

bool IsOf(const Ended& ended, const v1::JobSpec& spec) {
  return !IsIndexed(spec) || ended.index >= 0;
}

bool FailsIndex(const Ended& ended, const v1::JobSpec& spec) {
  if (ended.verdict.fails_index) return true;
  return ended.verdict.counts &&
         FailuresBefore(ended.pod->object.pod()).counted >= spec.backoff_limit_per_index();
}

// Pods of one index come one after another; the one with the most failures before it is the last.
void FindLastFailures(const v1::JobSpec& spec, const std::vector<EntryPtr>& pods, JobTally* tally) {
  std::map<int, int> most;
  for (const EntryPtr& pod : pods) {
    const int index = IndexOf(pod->object.pod(), spec);
    const auto [known, added] = most.try_emplace(index, 0);
    known->second = std::max(known->second, FailuresBefore(pod->object.pod()).total());
  }
  for (const Ended& ended : tally->ended) {
    const int index = ended.index;
    if (ended.succeeded || index < 0) continue;
    if (tally->done.Has(index) || tally->failed_indexes.Has(index)) continue;
    if (FailuresBefore(ended.pod->object.pod()).total() < most[index]) continue;
    tally->last_failures.try_emplace(index, ended);
  }
}

void CountEnded(const v1::JobSpec& spec, JobTally* tally) {
  for (const Ended& ended : tally->ended) {
    if (!ended.succeeded || !IsOf(ended, spec)) continue;
    if (!IsIndexed(spec)) {
      ++tally->succeeded;
    } else if (tally->done.Add(ended.index)) {
      ++tally->succeeded;
    }
  }
  for (const Ended& ended : tally->ended) {
    if (ended.succeeded || !IsOf(ended, spec)) continue;
    if (ended.verdict.counts) ++tally->failed;
    if (ended.verdict.fails_job.has_value() && !tally->fails_job.has_value()) {
      tally->fails_job = ended.verdict.fails_job;
    }
    const bool per_index = spec.has_backoff_limit_per_index() && !tally->done.Has(ended.index);
    if (per_index && FailsIndex(ended, spec)) tally->failed_indexes.Add(ended.index);
  }
}

int Restarts(const v1::PodStatus& status) {
  int restarts = 0;
  for (const auto* each : {&status.container_statuses(), &status.init_container_statuses()}) {
    for (const v1::ContainerStatus& container : *each) restarts += container.restart_count();
  }
  return restarts;
}

// With OnFailure it is not pods that fail but their containers.
bool RestartedTooOften(const v1::JobSpec& spec, const JobTally& tally) {
  if (spec.template_().spec().restart_policy() != v1::RESTART_POLICY_ON_FAILURE) return false;
  int restarts = 0;
  for (const auto* pods : {&tally.active, &tally.ending}) {
    for (const EntryPtr& pod : *pods) restarts += Restarts(pod->object.pod().status());
  }
  return spec.backoff_limit() == 0 ? restarts > 0 : restarts >= spec.backoff_limit();
}

std::optional<JobVerdict> JudgeIndexes(const v1::JobSpec& spec, const JobTally& tally) {
  if (!spec.has_backoff_limit_per_index()) return std::nullopt;
  const int failed = tally.failed_indexes.size();
  if (spec.has_max_failed_indexes() && failed > spec.max_failed_indexes()) {
    return JobVerdict{false, "MaxFailedIndexesExceeded",
                      "Job has exceeded the specified maximal number of failed indexes"};
  }
  if (failed > 0 && failed + tally.done.size() >= spec.completions()) {
    return JobVerdict{false, "FailedIndexes", "Job has failed indexes"};
  }
  return std::nullopt;
}

// The verdict of an earlier pass, which waits for the pods' ends.
std::optional<JobVerdict> EarlierVerdict(const v1::JobStatus& status) {
  for (const bool success : {true, false}) {
    const absl::string_view type = success ? "SuccessCriteriaMet" : "FailureTarget";
    if (!IsTrue(status.conditions(), type)) continue;
    const v1::Condition* condition = FindCondition(status.conditions(), type);
    return JobVerdict{success, condition->reason(), condition->message()};
  }
  return std::nullopt;
}

bool HasSucceeded(const v1::JobSpec& spec, const JobTally& tally) {
  if (!tally.active.empty()) return false;
  return spec.has_completions() ? tally.succeeded >= spec.completions() : tally.succeeded > 0;
}

}  // namespace

JobTally TallyJob(const v1::Job& job, const std::vector<EntryPtr>& pods) {
  const v1::JobSpec& spec = job.spec();
  JobTally tally;
  tally.failed = job.status().failed();
  if (IsIndexed(spec)) {
    tally.done = IndexSet::Parse(job.status().completed_indexes(), spec.completions());
    tally.failed_indexes = IndexSet::Parse(job.status().failed_indexes(), spec.completions());
    tally.succeeded = tally.done.size();
  } else {
    tally.succeeded = job.status().succeeded();
  }
  for (const EntryPtr& entry : pods) {
    const v1::Pod& pod = entry->object.pod();
    if (!IsFinished(pod)) (IsTerminating(pod) ? tally.ending : tally.active).push_back(entry);
    if (!IsHeld(pod)) continue;
    const bool succeeded = pod.status().phase() == v1::POD_PHASE_SUCCEEDED;
    if (!succeeded && !HasFailed(pod, spec)) continue;
    Ended ended{entry, succeeded, IndexOf(pod, spec), {}};
    if (!succeeded) ended.verdict = JudgeFailure(spec, pod);
    tally.ended.push_back(std::move(ended));
  }
  CountEnded(spec, &tally);
  if (spec.has_backoff_limit_per_index()) FindLastFailures(spec, pods, &tally);
  return tally;
}

std::optional<JobVerdict> JudgeJob(const v1::Job& job, const JobTally& tally, absl::Time now,
                                   std::optional<absl::Time>* wake_at) {
  const v1::JobSpec& spec = job.spec();
  if (auto earlier = EarlierVerdict(job.status()); earlier.has_value()) return earlier;
  if (tally.fails_job.has_value()) return JobVerdict{false, "PodFailurePolicy", *tally.fails_job};
  if (tally.failed > spec.backoff_limit() || RestartedTooOften(spec, tally)) {
    return JobVerdict{false, "BackoffLimitExceeded", "Job has reached the specified backoff limit"};
  }
  if (spec.has_active_deadline_seconds() && !spec.suspend() && job.status().has_start_time()) {
    const absl::Time deadline =
        ToTime(job.status().start_time()) + absl::Seconds(spec.active_deadline_seconds());
    if (deadline <= now) {
      return JobVerdict{false, "DeadlineExceeded", "Job was active longer than specified deadline"};
    }
    *wake_at = deadline;
  }
  if (auto verdict = JudgeIndexes(spec, tally); verdict.has_value()) return verdict;
  if (HasSucceeded(spec, tally)) {
    return JobVerdict{true, "CompletionsReached", "Reached expected number of succeeded pods"};
  }
  return std::nullopt;
}

absl::Time MayReplaceAt(const v1::JobSpec& spec, const std::vector<EntryPtr>& pods,
                        absl::Time now) {
  absl::Time last_success = absl::InfinitePast();
  std::vector<absl::Time> failures;
  for (const EntryPtr& entry : pods) {
    const v1::Pod& pod = entry->object.pod();
    // Somebody's decision, and no sign that the next one would fail too.
    if (IsTerminating(pod)) continue;
    if (pod.status().phase() == v1::POD_PHASE_SUCCEEDED) {
      last_success = std::max(last_success, FinishTime(pod, now));
    } else if (HasFailed(pod, spec)) {
      failures.push_back(FinishTime(pod, now));
    }
  }
  const auto after_success = std::count_if(failures.begin(), failures.end(),
                                           [&](absl::Time time) { return time > last_success; });
  if (after_success == 0) return absl::InfinitePast();
  return *std::max_element(failures.begin(), failures.end()) +
         BackoffAfter(static_cast<int>(after_success));
}

absl::Time MayReplaceIndexAt(const Ended& last, absl::Time now) {
  const v1::Pod& pod = last.pod->object.pod();
  if (IsTerminating(pod)) return absl::InfinitePast();
  return FinishTime(pod, now) + BackoffAfter(FailuresBefore(pod).total() + 1);
}

}  // namespace cluster::controller
