// The one thread that writes the SQLite store: takes what is queued, commits it together, publishes
// it and answers. Also ends leases that have run out and minds the disk's space.
//
// Space: when the disk is full, the ballast is released and only what removes things is accepted
// (FreesSpace), each in a commit of its own. As soon as the ballast fits on the disk again, writing
// goes on. What deletes free inside the file is given back to the disk for that.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/store/fanout.h"
#include "controller/store/leases.h"
#include "controller/store/sqlite_files.h"
#include "controller/store/sqlite_store.h"
#include "controller/store/sqlite_writer.h"

namespace cluster::store {

class GroupWriter {
 public:
  // Work on the tables that is not a transaction of a user; batches that it made are published.
  using Work = std::function<absl::Status(TableWriter*, std::vector<BatchPtr>*)>;

  GroupWriter(const SqliteOptions& options, std::unique_ptr<TableWriter> tables, HeadFile head,
              Ballast ballast, Fanout* fanout, Mutex* checkpoint_turn);

  // Leases found at open: they get their whole time again.
  void AdoptLeases(const Contents& contents);
  // Called after each commit, on the writing thread, with the pages now in the WAL.
  void SetWalObserver(std::function<void(int pages)> observer) {
    observe_wal_ = std::move(observer);
  }

  // The body of the writing thread; returns when stopped and the queue is empty.
  void Run();
  void Stop();

  // Any thread.
  void Submit(Txn txn, SubmitCallback done);
  // Waits. Not from a callback. `frees_space`: also on a full disk. `committed` runs on the writing
  // thread right after the commit, before anything else is written.
  absl::Status Do(Work work, bool frees_space, std::function<void()> committed = nullptr);
  absl::StatusOr<LeaseId> Grant(absl::Duration ttl);
  absl::Status KeepAlive(LeaseId lease);
  absl::Status Revoke(LeaseId lease);

  Rev rev() const { return rev_; }
  Rev compacted() const { return compacted_; }
  Health health() const;
  int64_t transactions() const { return transactions_; }
  int64_t commits() const { return commits_; }
  int64_t cache_bytes() const { return cache_bytes_; }

 private:
  struct Job {
    Txn txn;
    SubmitCallback done;
    absl::Status refused;  // not ok: only to be answered, in its turn
    // Set for work instead of a transaction.
    Work work;
    bool frees_space = false;
    std::function<void()> committed;
    std::function<void(absl::Status)> worked;
  };

  void Enqueue(Job job);
  std::vector<Job> NextJobs();
  absl::Duration WaitTime() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void KeepLogShort();
  void StartLogOver();
  absl::Status Checkpoint(int mode);
  // Gives back the memory of SQLite's page cache after a time of few writes.
  void ShrinkCache();
  bool CacheLookIsDue();

  void CommitJobs(std::vector<Job>* jobs);
  absl::Status CommitTogether(const std::vector<Job>& jobs);
  void CommitFullDisk(std::vector<Job>* jobs);
  SubmitResult WithoutWriting(const Txn& txn, const absl::Status& full);
  void CommitWork(const Job& job);
  absl::StatusOr<Applied> ApplyTxn(const Txn& txn);
  absl::Status RunWork(const Work& work);
  // Makes the open group durable and known.
  absl::Status Finish(const std::vector<BatchPtr>& batches);
  void FollowLeases(const std::vector<BatchPtr>& batches);
  void ExpireLeases();
  // Deletes the lease and its keys, within an open group.
  absl::Status DropLease(LeaseId lease, TableWriter* tables, std::vector<BatchPtr>* batches);
  void ForgetLease(LeaseId lease);

  // What an error of the tables means for the store from now on.
  void Judge(const absl::Status& status);
  [[noreturn]] void Die(const absl::Status& status);
  void SetHealth(HealthState state, std::string reason);
  void EnterReadOnly(const absl::Status& status);
  void TryToLeaveReadOnly();
  absl::Status GiveBackSpace();
  absl::Status RefusalNow(bool frees_space) const;

  const SqliteOptions options_;
  const std::unique_ptr<TableWriter> tables_;
  HeadFile head_;
  Ballast ballast_;
  Fanout* const fanout_;
  Mutex* const checkpoint_turn_;
  std::function<void(int)> observe_wal_;

  // The writing thread's own.
  bool deleted_while_full_ = false;
  int wal_pages_ = 0;
  int64_t commits_at_look_ = 0;  // when ShrinkCache last looked

  std::atomic<Rev> rev_;
  std::atomic<Rev> compacted_;
  std::atomic<int64_t> transactions_{0};
  std::atomic<int64_t> commits_{0};
  std::atomic<int64_t> cache_bytes_{0};

  mutable Mutex mutex_;
  CondVar queued_;
  std::deque<Job> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  LeaseBook leases_ ABSL_GUARDED_BY(mutex_);
  // At once: the store was read whole when it was opened.
  absl::Duration next_cache_look_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
  absl::Duration retry_leases_at_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
  Health health_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::store
