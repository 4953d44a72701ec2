// Moves committed pages from the write-ahead log into the database, on a connection and a thread of
// its own, so that no commit waits for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/mutex.h"
#include "controller/store/sqlite.h"

namespace cluster::store {

class Checkpointer {
 public:
  // `turn` is held for each checkpoint, here and wherever else one is made: SQLite refuses a second
  // one at a time instead of waiting.
  Checkpointer(Connection connection, int64_t every_pages, Mutex* turn)
      : connection_(std::move(connection)), every_pages_(every_pages), turn_(turn) {}

  // Any one thread, after each commit: wakes Run when enough has piled up.
  void Observe(int wal_pages);
  // The body of the checkpointing thread.
  void Run();
  void Stop();

  int64_t done() const { return done_; }

 private:
  void Checkpoint();

  Connection connection_;  // the thread of Run's
  const int64_t every_pages_;
  Mutex* const turn_;
  int64_t next_at_ = 0;  // Observe's
  std::atomic<int64_t> done_{0};

  Mutex mutex_;
  CondVar changed_;
  bool wanted_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cluster::store
