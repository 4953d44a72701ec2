// The embedded store: one SQLite file, one process, group commit.
//
// A writer thread drains the queue: many transactions share one SQLite commit and one fsync, each
// still is its own revision. Answers go out after the commit is on disk. Watches are served by a
// thread of their own, checkpoints by another, so that neither delays a commit.
//
// Files beside PATH: PATH-wal and PATH-shm (SQLite's), PATH-lock (held by the one process that has
// the store open), PATH-head (highest acknowledged revision, to notice a lost or torn WAL),
// PATH-ballast (space given back to the disk when it is full, so that deletes still work).
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "controller/store/store.h"

namespace cluster::store {

struct SqliteOptions {
  std::string path;                  // of the database file; its directory must exist
  const Clock* clock = RealClock();  // leases; must be thread-safe
  int64_t ballast_bytes = 16 << 20;
  // WAL pages (of 4 KiB) after which a passive checkpoint runs beside the writer.
  int64_t checkpoint_pages = 1000;
  // WAL pages after which the writer itself makes the WAL start over. Less than the ballast holds,
  // so that a full disk has room for what is still in the log.
  int64_t max_wal_pages = 3000;
  size_t max_group = 1024;  // transactions that share one commit
  std::string vfs;          // name of a registered sqlite3_vfs; empty = the default
};

struct SqliteStats {
  int64_t transactions = 0;  // committed, each one revision
  int64_t commits = 0;       // SQLite commits, each one fsync of the WAL
  int64_t checkpoints = 0;
  int64_t cache_bytes = 0;  // of pages, after the last commit
};

// Aborts the process when the disk reports an I/O error for a commit: what is on disk is unknown
// then, and fsync must not be tried again. Thread-safe.
class SqliteStore : public Store {
 public:
  // Opens or creates. FailedPrecondition when it is open already, holding
  // PATH-lock (base/process_lock.h); DataLoss when the file
  // is torn, corrupt or lacks acknowledged revisions: it is left as it is, never replaced;
  // ResourceExhausted when the disk is too full to open it.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const SqliteOptions& options);

  // For tests and metrics.
  virtual SqliteStats GetStats() const = 0;
};

}  // namespace cluster::store
