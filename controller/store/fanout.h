// Brings committed batches to the watches: the recent ones out of a bounded ring, older ones out of
// the store's history. A watch is a position and pulls from there, so there can be no gap between
// replay and what is live, and a slow watch holds up nothing but itself.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "controller/store/store.h"

namespace cluster::store {

using BatchPtr = std::shared_ptr<const Batch>;

// A stretch of history.
struct HistorySlice {
  Rev oldest = 0;  // smallest revision that may be asked after; more than `after` = it is compacted
  Rev through = 0;  // the batches are complete up to and including this revision
  std::vector<BatchPtr> batches;
};

class Fanout {
 public:
  // Reads on from `after`, some hundred revisions at most. Called by the delivering thread,
  // unlocked.
  using ReadHistory = std::function<absl::StatusOr<HistorySlice>(Rev after)>;

  // `now` is the store's revision.
  Fanout(Rev now, ReadHistory read_history);

  // Any thread. The first delivery comes with the next Deliver.
  std::unique_ptr<WatchHandle> Add(const std::string& prefix, Rev after, WatchSink* sink);
  // Committed batches in order, each with the revision after the one before. Any thread, one at a
  // time.
  void Publish(const std::vector<BatchPtr>& batches);

  // Watches that start after an earlier revision are refused from now on, though the ring may have
  // it.
  void SetOldest(Rev oldest);

  // Brings every watch up to the last published revision, slice by slice and in turns, so that a
  // watch with much to replay does not keep the others waiting. One thread at a time.
  void Deliver();
  // Delivers until Stop: the body of a delivering thread.
  void Run();
  void Stop();

 private:
  struct Watcher;
  class Handle;

  std::vector<std::shared_ptr<Watcher>> Due() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DeliverTo(const std::shared_ptr<Watcher>& watcher);
  HistorySlice ReadOn(Watcher* watcher);
  // False when the watch is over.
  bool Hand(Watcher* watcher, const HistorySlice& slice);
  void Remove(const std::shared_ptr<Watcher>& watcher);
  void DropFirst() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Nobody waits for anything: the ring becomes small.
  void Shrink();

  const ReadHistory read_history_;

  Mutex mutex_;
  CondVar changed_;
  Rev now_ ABSL_GUARDED_BY(mutex_);
  // Batches with ring_start_ < rev <= now_.
  std::deque<BatchPtr> ring_ ABSL_GUARDED_BY(mutex_);
  Rev ring_start_ ABSL_GUARDED_BY(mutex_);
  size_t ring_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  Rev oldest_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::store
