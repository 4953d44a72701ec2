// A job and its pods, counted: what has ended and is not in its status yet, what runs, and what
// follows from it. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "controller/cache/view.h"
#include "controller/reconcile/index_set.h"
#include "controller/reconcile/job_pods.h"

namespace cluster::controller {

// A held pod that has ended.
struct Ended {
  EntryPtr pod;
  bool succeeded = false;
  int index = -1;
  FailureVerdict verdict;  // of a failed one
};

struct JobTally {
  std::vector<EntryPtr> active;  // neither ended nor ending
  std::vector<EntryPtr> ending;  // being deleted, not ended yet
  std::vector<Ended> ended;      // in the order of their keys
  // With those that have ended and are not in the status yet.
  int succeeded = 0;
  int failed = 0;
  // Only of an Indexed job.
  IndexSet done;
  // Only with backoffLimitPerIndex.
  IndexSet failed_indexes;
  // With backoffLimitPerIndex: of each index that is to be tried again, its last failed pod. It
  // stays held until the next pod of the index, which takes its number of failures over, is there.
  std::map<int, Ended> last_failures;
  // The first pod whose end fails the job, in words.
  std::optional<std::string> fails_job;
};

JobTally TallyJob(const v1::Job& job, const std::vector<EntryPtr>& pods);

// Why a job is over.
struct JobVerdict {
  bool success = false;
  std::string reason;
  std::string message;
};

// Nothing while it is to go on. `wake_at`: when the deadline may change that.
std::optional<JobVerdict> JudgeJob(const v1::Job& job, const JobTally& tally, absl::Time now,
                                   std::optional<absl::Time>* wake_at);

// Before this time no pod is made in place of those that failed: 10 s after the last failure, twice
// as long for each in a row, at most 6 minutes.
absl::Time MayReplaceAt(const v1::JobSpec& spec, const std::vector<EntryPtr>& pods, absl::Time now);
// The same for the index of a pod that failed.
absl::Time MayReplaceIndexAt(const Ended& last, absl::Time now);

}  // namespace cluster::controller
