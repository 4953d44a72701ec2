#include "controller/store/sqlite.h"

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::store {
namespace {

constexpr absl::string_view kDiskErrorUrl = "cluster.store/disk-error";

// ENOSPC reaches us as SQLITE_FULL from write(2), but as an I/O error from the growing of PATH-shm.
bool IsFull(sqlite3* db, int code) {
  if ((code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE) return true;
  if ((code & 0xff) != SQLITE_IOERR || db == nullptr) return false;
  const int error = sqlite3_system_errno(db);
  return error == ENOSPC || error == EDQUOT;
}

absl::StatusCode CodeOf(sqlite3* db, int code) {
  if (IsFull(db, code)) return absl::StatusCode::kResourceExhausted;
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CANTOPEN:
      return absl::StatusCode::kNotFound;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status SqliteStatus(sqlite3* db, int code, absl::string_view operation) {
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return absl::OkStatus();
  std::string text = absl::StrCat(operation, ": ", sqlite3_errstr(code));
  if (db != nullptr && !absl::StrContains(text, sqlite3_errmsg(db))) {
    absl::StrAppend(&text, " (", sqlite3_errmsg(db), ")");
  }
  absl::Status status(CodeOf(db, code), text);
  if ((code & 0xff) == SQLITE_IOERR && !IsFull(db, code)) {
    status.SetPayload(kDiskErrorUrl, absl::Cord(absl::StrCat(code)));
  }
  return status;
}

bool IsDiskError(const absl::Status& status) {
  return status.GetPayload(kDiskErrorUrl).has_value();
}

void Statement::Bind(int position, int64_t value) {
  sqlite3_bind_int64(statement_.get(), position, value);
}

void Statement::Bind(int position, absl::string_view bytes) {
  // A null pointer would bind NULL, which means "deleted" in the history.
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  sqlite3_bind_blob64(statement_.get(), position, data, bytes.size(), SQLITE_STATIC);
}

void Statement::BindNull(int position) { sqlite3_bind_null(statement_.get(), position); }

absl::StatusOr<bool> Statement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  absl::Status status =
      SqliteStatus(sqlite3_db_handle(statement_.get()), code, sqlite3_sql(statement_.get()));
  Reset();
  if (!status.ok()) return status;
  return false;
}

absl::Status Statement::Run() {
  ASSIGN_OR_RETURN(const bool row, Step());
  if (row) Reset();
  return absl::OkStatus();
}

void Statement::Reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }

absl::string_view Statement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (data == nullptr) return "";
  return {static_cast<const char*>(data), static_cast<size_t>(size)};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

absl::StatusOr<Connection> Connection::Open(const std::string& path, const std::string& vfs,
                                            bool create) {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (create ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, vfs.empty() ? nullptr : vfs.c_str());
  Connection connection(raw);
  RETURN_IF_ERROR(SqliteStatus(raw, code, absl::StrCat("open ", path)));
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, 5000);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return connection;
}

absl::Status Connection::Execute(const char* sql) {
  return SqliteStatus(get(), sqlite3_exec(get(), sql, nullptr, nullptr, nullptr), sql);
}

absl::StatusOr<Statement> Connection::Prepare(absl::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  RETURN_IF_ERROR(SqliteStatus(get(), code, sql));
  return Statement(statement);
}

}  // namespace cluster::store
