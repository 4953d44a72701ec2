#include "controller/store/checkpointer.h"

#include <cstdlib>

#include "base/log.h"

namespace cluster::store {

void Checkpointer::Observe(int wal_pages) {
  // The log has started over.
  if (wal_pages + every_pages_ < next_at_) next_at_ = every_pages_;
  if (next_at_ == 0) next_at_ = every_pages_;
  if (wal_pages < next_at_) return;
  next_at_ = wal_pages + every_pages_;
  MutexLock lock(&mutex_);
  wanted_ = true;
  changed_.Signal();
}

void Checkpointer::Run() {
  for (;;) {
    {
      MutexLock lock(&mutex_);
      while (!wanted_ && !stopping_) changed_.Wait(&mutex_);
      if (stopping_) return;
      wanted_ = false;
    }
    Checkpoint();
  }
}

void Checkpointer::Stop() {
  MutexLock lock(&mutex_);
  stopping_ = true;
  changed_.Signal();
}

void Checkpointer::Checkpoint() {
  MutexLock turn(turn_);
  const int code = sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  const absl::Status status = SqliteStatus(connection_.get(), code, "checkpoint");
  if (IsDiskError(status)) {
    LOG_ERROR("store: the disk failed during a checkpoint ({}); this process ends here",
              std::string(status.message()));
    FlushLog();
    std::abort();
  }
  // A full disk, or a foreign reader: the log stays whole and the next turn tries again.
  if (!status.ok()) {
    LOG_WARN("store: {}", std::string(status.message()));
    return;
  }
  ++done_;
}

}  // namespace cluster::store
