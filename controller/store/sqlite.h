// SQLite's C interface with owners and Status. A connection and its statements are used by one
// thread at a time. https://www.sqlite.org/c3ref/intro.html
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cluster::store {

// ResourceExhausted: disk full. DataLoss: the file is corrupt or no database. Unavailable: locked
// by another connection. Internal: the disk reported an I/O error (IsDiskError), or SQLite was
// misused.
absl::Status SqliteStatus(sqlite3* db, int code, absl::string_view operation);
// The disk failed us: what it holds now is unknown.
bool IsDiskError(const absl::Status& status);

class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  // Bound text must stay until the next Reset. Positions start at 1.
  void Bind(int position, int64_t value);
  void Bind(int position, absl::string_view bytes);
  void BindNull(int position);

  // True with a row to read, false at the end. After false or an error the statement is reset.
  absl::StatusOr<bool> Step();
  // Steps once, for statements that give no rows.
  absl::Status Run();
  void Reset();

  // Columns start at 0.
  int64_t Int(int column) const;
  absl::string_view Bytes(int column) const;  // until the next Step or Reset
  bool IsNull(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Resets a statement at the end of a scope, so that no early return leaves a read transaction open.
class StatementReset {
 public:
  explicit StatementReset(Statement* statement) : statement_(statement) {}
  StatementReset(const StatementReset&) = delete;
  StatementReset& operator=(const StatementReset&) = delete;
  ~StatementReset() { statement_->Reset(); }

 private:
  Statement* const statement_;
};

class Connection {
 public:
  // Opens an existing file, or creates it when `create`. Closing does not checkpoint: a file that
  // was found damaged must stay as it is.
  static absl::StatusOr<Connection> Open(const std::string& path, const std::string& vfs,
                                         bool create);

  absl::Status Execute(const char* sql);
  absl::StatusOr<Statement> Prepare(absl::string_view sql);
  sqlite3* get() const { return db_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  explicit Connection(sqlite3* db) : db_(db) {}

  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace cluster::store
