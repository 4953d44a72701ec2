// All pods of the node, each with its worker, on a few threads: pods advance in parallel, no pod
// has two verbs at a time, and a verb that is stuck holds up only its own pod.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "base/strand.h"
#include "node/pod/claim_book.h"
#include "node/pod/pod_worker.h"
#include "node/pod/round_queue.h"

namespace cluster::node {

// What the controller wants, merged into what the node holds.
struct AssignmentChange {
  bool complete = false;  // everything that is not in `assignments` goes
  std::vector<v1::Assignment> assignments;
  std::vector<std::string> removed;  // uids
  v1::NodeRecord node;               // as it is after this change
};

struct WorkersOptions {
  int threads = 8;        // that do verbs at once
  int max_threads = 128;  // with those that are stuck
  // A verb that takes longer no longer counts against `threads`.
  absl::Duration stuck_after = absl::Seconds(2);
  // Rounds run one after another on a strand of this executor, and no threads are made.
  Executor* executor = nullptr;
};

// Thread-safe.
class PodWorkers {
 public:
  explicit PodWorkers(PodWorld world, WorkersOptions options = {});
  ~PodWorkers();

  // Once, before anything else: adopts what the runtime finds and begins to work.
  absl::Status Recover();

  // Durable when it returns, or an error and nothing is changed. Assignments with a lower epoch
  // than the one held are left out; `refused` counts them.
  absl::Status Apply(AssignmentChange change, int* refused);

  // Look at this pod again. Does not block.
  void Poke(const std::string& uid);
  // Ends the pod as Failed, reason Evicted, with at most so much of its own grace; nothing for one
  // that is not here or ends already. Does not block.
  void Evict(const std::string& uid, const std::string& message, absl::Duration grace);
  // The node's lease was over for a while: pods that exist once end. Does not block.
  void LoseLease();
  // Look at every pod again, hurdles included: images came, the network is up.
  void RetryAll();

  // (uid, epoch) of everything that the controller assigned and has not removed.
  std::map<std::string, int64_t> Epochs() const;
  // Pods that the controller no longer lists and that are not gone yet.
  size_t StaleCount() const;
  // Called from a worker's thread whenever a pod was forgotten.
  void SetForgottenListener(std::function<void()> listener);
  // Each record as it was last kept, in the order of uids. `see` must not call back.
  void Visit(const std::function<void(const v1::PodRecord&)>& see) const;
  // NotFound names the pod.
  absl::StatusOr<v1::PodRecord> Find(const std::string& name_space, const std::string& name) const;

  // A pod on the node was assigned with this claim, and is not gone.
  bool UsesClaim(const std::string& claim_uid) const;

  // No new verb begins; containers live on. False when a verb did not end within `patience`: then
  // the object must not be destroyed.
  bool Stop(absl::Duration patience);

 private:
  struct Slot {
    std::unique_ptr<PodWorker> worker;
    bool assigned = true;
    int64_t epoch = 0;
    bool leaving = false;  // by the word of the controller
    bool queued = false;
    bool running = false;
    bool again = false;  // poked while it ran
    absl::Duration due = absl::InfiniteDuration();
  };

  PodWorld WithPoke(PodWorld world);
  NodeRoom RoomFor(const std::string& uid) const;
  absl::Status TakeClaims(const std::string& uid, const std::vector<std::string>& claims);
  // They may have what others hold up no longer.
  void RetryThose(const std::set<std::string>& uids) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `first`: before the others of its kind.
  void Enqueue(const std::string& uid, Slot* slot, bool first = false)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetDue(const std::string& uid, Slot* slot, absl::Duration due)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  v1::NodeStateChange Merge(const AssignmentChange& change, int* refused)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeOver(const v1::NodeStateChange& change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Spawn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Work();
  // One round of the next pod; lets go of the mutex meanwhile. False when none is to have one now.
  bool Turn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FireTimers(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // On an executor: what the threads do else, as far as it is due.
  void Drive(int64_t number);
  void DriveAt(absl::Duration due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishRound(const std::string& uid, absl::Duration next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Turns timers into work and adds threads for stuck ones.
  void Dispatch();

  const PodWorld world_;
  const WorkersOptions options_;
  Mutex apply_mutex_;  // one Apply at a time; held over its commit

  Mutex admission_;   // of resizes; before mutex_
  ClaimBook claims_;  // calls back, and so comes before mutex_

  mutable Mutex mutex_;
  CondVar work_;      // rounds_ or stopping_ changed
  CondVar dispatch_;  // timers, rounds_ or stopping_ changed
  CondVar ended_;     // a round ended
  std::map<std::string, Slot> slots_ ABSL_GUARDED_BY(mutex_);
  RoundQueue rounds_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<absl::Duration, std::string>> timers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;  // threads that wait for work
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> forgotten_ ABSL_GUARDED_BY(mutex_);
  // When Drive is to run next; infinite: it is not. Of those that were posted the last one counts.
  absl::Duration drive_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  int64_t drive_number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread dispatcher_;
  std::optional<Strand> strand_;  // last: its tasks use everything above
};

}  // namespace cluster::node
