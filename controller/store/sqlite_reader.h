// Reads the tables of the SQLite store over a connection of its own, beside the writer.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "controller/store/fanout.h"
#include "controller/store/sqlite.h"
#include "controller/store/store.h"

namespace cluster::store {

// Thread-safe; one read at a time.
class TableReader {
 public:
  // The tables must exist.
  static absl::StatusOr<std::unique_ptr<TableReader>> Make(Connection connection);

  absl::StatusOr<Listing> List(const std::string& prefix, Rev at);
  // Some hundred revisions that follow `after`.
  absl::StatusOr<HistorySlice> ReadHistory(Rev after);

 private:
  explicit TableReader(Connection connection) : connection_(std::move(connection)) {}

  struct Bounds {
    Rev rev = 0;
    Rev compacted = 0;
  };
  absl::StatusOr<Bounds> ReadBounds() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Listing> ListNow(const std::string& prefix, Rev at)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<HistorySlice> ReadSlice(Rev after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Collect(Statement* rows, const std::string& prefix, Rev at, std::vector<Kv>* kvs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Guards the connection, so it is held over its reads.
  Mutex mutex_;
  Connection connection_ ABSL_GUARDED_BY(mutex_);
  Statement begin_ ABSL_GUARDED_BY(mutex_);
  Statement end_ ABSL_GUARDED_BY(mutex_);
  Statement bounds_ ABSL_GUARDED_BY(mutex_);
  Statement current_ ABSL_GUARDED_BY(mutex_);
  Statement changed_since_ ABSL_GUARDED_BY(mutex_);
  Statement changes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::store
