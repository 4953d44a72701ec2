// What a pod means to its job: the marks it carries, whether and when it has ended, what its end
// counts for. Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "cluster/v1/job.pb.h"
#include "controller/reconcile/changes.h"
#include "controller/reconcile/names.h"

namespace cluster::controller {

// On every pod of a job until it is counted; it keeps the pod from going before that.
constexpr absl::string_view kJobFinalizer = "batch.kubernetes.io/job-tracking";
// Annotation and label of a pod of an Indexed job.
constexpr absl::string_view kIndexAnnotation = "batch.kubernetes.io/job-completion-index";
// With backoffLimitPerIndex: how many pods of the index have failed before this one, those that
// count and those that a rule ignored.
constexpr absl::string_view kIndexFailures = "batch.kubernetes.io/job-index-failure-count";
constexpr absl::string_view kIndexIgnored = "batch.kubernetes.io/job-index-ignored-failure-count";

inline bool IsIndexed(const v1::JobSpec& spec) {
  return spec.completion_mode() == v1::COMPLETION_MODE_INDEXED;
}
// Pods are replaced once they have ended, not while they are ending.
inline bool ReplacesOnlyFailed(const v1::JobSpec& spec) {
  return spec.pod_replacement_policy() == v1::POD_REPLACEMENT_POLICY_FAILED ||
         spec.has_pod_failure_policy();
}

// The finalizer is on it: its end is still to be counted.
bool IsHeld(const v1::Pod& pod);
// The job sees it as failed: it has failed, or, where that is enough, it is ending.
bool HasFailed(const v1::Pod& pod, const v1::JobSpec& spec);
// -1 where it has none, or one that the job does not have.
int IndexOf(const v1::Pod& pod, const v1::JobSpec& spec);
struct IndexFailures {
  int counted = 0;
  int ignored = 0;
  int total() const { return counted + ignored; }
};
IndexFailures FailuresBefore(const v1::Pod& pod);
// When it ended, as well as that can be told.
absl::Time FinishTime(const v1::Pod& pod, absl::Time now);

// What the podFailurePolicy makes of a failed pod.
struct FailureVerdict {
  bool counts = true;
  bool fails_index = false;
  // Set: the whole job fails, for this reason.
  std::optional<std::string> fails_job;
};
FailureVerdict JudgeFailure(const v1::JobSpec& spec, const v1::Pod& pod);

// A new pod of the job, held. `index` -1: the job has no indexes.
v1::Object NewJobPod(const v1::Object& job, int index, IndexFailures failures, absl::Time now,
                     Random* random);

// Takes the finalizer off, and ends the pod where `end` says so. One that no node has goes at once.
void ReleasePod(const Entry& entry, bool end, absl::Time now, Changes* changes);

}  // namespace cluster::controller
