#include "controller/store/sqlite_schema.h"

#include <endian.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::store {
namespace {

constexpr int64_t kFormat = 1;

// FNV-1a over words of eight bytes. Each step is a bijection of the state, so any single changed
// byte changes the result.
class Sum {
 public:
  explicit Sum(char table) { Word(static_cast<unsigned char>(table)); }
  Sum& Add(absl::string_view bytes) {
    Word(bytes.size());
    while (!bytes.empty()) {
      uint64_t word = 0;
      const size_t size = std::min(bytes.size(), sizeof word);
      std::memcpy(&word, bytes.data(), size);
      Word(le64toh(word));
      bytes.remove_prefix(size);
    }
    return *this;
  }
  Sum& Add(int64_t number) {
    Word(static_cast<uint64_t>(number));
    return *this;
  }
  // The last multiplications have not reached the low bits from above yet.
  int64_t value() const { return static_cast<int64_t>(hash_ ^ (hash_ >> 32)); }

 private:
  void Word(uint64_t word) { hash_ = (hash_ ^ word) * 0x100000001b3ULL; }
  uint64_t hash_ = 0xcbf29ce484222325ULL;
};

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the database is damaged: ", what));
}

constexpr char kTables[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE kv(k BLOB PRIMARY KEY, v BLOB NOT NULL, create_rev INT NOT NULL,"
    " mod_rev INT NOT NULL, ver INT NOT NULL, lease INT NOT NULL, wid BLOB NOT NULL,"
    " sum INT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE hist(rev INT NOT NULL, k BLOB NOT NULL, v BLOB, prev_rev INT NOT NULL,"
    " create_rev INT NOT NULL, ver INT NOT NULL, lease INT NOT NULL, wid BLOB NOT NULL,"
    " sum INT NOT NULL, PRIMARY KEY(rev, k)) WITHOUT ROWID;"
    "CREATE TABLE txn(rev INTEGER PRIMARY KEY, id BLOB NOT NULL, digest INT NOT NULL,"
    " sum INT NOT NULL);"
    "CREATE TABLE lease(id INTEGER PRIMARY KEY, ttl_ms INT NOT NULL, sum INT NOT NULL);"
    "CREATE TABLE meta(name BLOB PRIMARY KEY, value INT NOT NULL, sum INT NOT NULL)"
    " WITHOUT ROWID;";

absl::StatusOr<bool> HasTables(Connection* connection) {
  ASSIGN_OR_RETURN(Statement tables, connection->Prepare("SELECT 1 FROM sqlite_schema LIMIT 1"));
  return tables.Step();
}

absl::Status CheckFormat(Connection* connection) {
  absl::StatusOr<Statement> format =
      connection->Prepare("SELECT value FROM meta WHERE name = CAST('format' AS BLOB)");
  if (!format.ok()) {
    if (absl::IsDataLoss(format.status())) return format.status();
    return absl::FailedPreconditionError("the database belongs to another program");
  }
  ASSIGN_OR_RETURN(const bool found, format->Step());
  if (!found || format->Int(0) > kFormat) {
    return absl::FailedPreconditionError(
        "the database was written by a later version of this program");
  }
  return absl::OkStatus();
}

absl::Status QuickCheck(Connection* connection) {
  ASSIGN_OR_RETURN(Statement check, connection->Prepare("PRAGMA quick_check(1)"));
  ASSIGN_OR_RETURN(const bool row, check.Step());
  if (!row) return Damaged("quick_check gave no answer");
  const std::string answer(check.Bytes(0));
  if (answer != "ok") return Damaged(answer);
  return absl::OkStatus();
}

absl::Status CheckKv(Connection* connection, Contents* contents, int64_t* digest) {
  ASSIGN_OR_RETURN(Statement rows,
                   connection->Prepare(absl::StrCat("SELECT ", kKvColumns, ", sum FROM kv")));
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return absl::OkStatus();
    const Kv kv = ReadKv(rows);
    const int64_t sum = SumOfKv(kv);
    if (sum != rows.Int(7)) return Damaged(absl::StrCat("wrong checksum of the key ", kv.key));
    *digest ^= sum;
    if (kv.lease != 0) contents->leased_keys.emplace_back(kv.key, kv.lease);
  }
}

absl::Status CheckHist(Connection* connection, int64_t* digest) {
  ASSIGN_OR_RETURN(Statement rows,
                   connection->Prepare(absl::StrCat("SELECT ", kHistColumns, ", sum FROM hist")));
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return absl::OkStatus();
    const Row change = ReadHist(rows);
    const int64_t sum = SumOfHist(change);
    if (sum != rows.Int(8)) {
      return Damaged(absl::StrCat("wrong checksum in the history of ", change.kv.key,
                                  " at revision ", change.kv.mod_rev));
    }
    *digest ^= sum;
  }
}

absl::Status CheckLeases(Connection* connection, Contents* contents, int64_t* digest) {
  ASSIGN_OR_RETURN(Statement rows, connection->Prepare("SELECT id, ttl_ms, sum FROM lease"));
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return absl::OkStatus();
    const int64_t sum = SumOfLease(rows.Int(0), rows.Int(1));
    if (sum != rows.Int(2)) return Damaged("wrong checksum of a lease");
    *digest ^= sum;
    contents->leases.emplace_back(rows.Int(0), rows.Int(1));
  }
}

// The revisions must follow each other without a gap.
absl::Status CheckTxns(Connection* connection, Contents* contents) {
  ASSIGN_OR_RETURN(Statement rows,
                   connection->Prepare("SELECT rev, id, digest, sum FROM txn ORDER BY rev"));
  bool first = true;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) break;
    const Rev rev = rows.Int(0);
    const absl::string_view id = rows.Bytes(1);
    if (SumOfTxn(rev, id, rows.Int(2)) != rows.Int(3)) {
      return Damaged(absl::StrCat("wrong checksum of revision ", rev));
    }
    if (!first && rev != contents->rev + 1) {
      return Damaged(absl::StrCat("revision ", contents->rev + 1, " is missing"));
    }
    first = false;
    contents->rev = rev;
    contents->digest = rows.Int(2);
    if (!id.empty()) contents->writes.emplace_back(rev, std::string(id));
  }
  if (first) return Damaged("there is no revision");
  return absl::OkStatus();
}

absl::Status ReadMeta(Connection* connection, Contents* contents) {
  ASSIGN_OR_RETURN(Statement rows, connection->Prepare("SELECT name, value, sum FROM meta"));
  int found = 0;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) break;
    const std::string name(rows.Bytes(0));
    const int64_t value = rows.Int(1);
    if (SumOfMeta(name, value) != rows.Int(2)) {
      return Damaged(absl::StrCat("wrong checksum of '", name, "'"));
    }
    ++found;
    if (name == "term") contents->term = value;
    if (name == "compacted") contents->compacted = value;
    if (name == "swept") contents->swept = value;
    if (name == "last_lease") contents->last_lease = value;
  }
  return found == 5 ? absl::OkStatus() : Damaged("rows of the table meta are missing");
}

}  // namespace

Kv ReadKv(const Statement& row) {
  Kv kv;
  kv.key = std::string(row.Bytes(0));
  kv.value = std::string(row.Bytes(1));
  kv.create_rev = row.Int(2);
  kv.mod_rev = row.Int(3);
  kv.version = row.Int(4);
  kv.lease = row.Int(5);
  kv.write_id = std::string(row.Bytes(6));
  return kv;
}

Row ReadHist(const Statement& row) {
  Row change;
  change.kv = ReadKv(row);
  change.deleted = row.IsNull(1);
  change.prev_rev = row.Int(7);
  return change;
}

int64_t SumOfKv(const Kv& kv) {
  return Sum('k')
      .Add(kv.key)
      .Add(kv.value)
      .Add(kv.create_rev)
      .Add(kv.mod_rev)
      .Add(kv.version)
      .Add(kv.lease)
      .Add(kv.write_id)
      .value();
}

int64_t SumOfHist(const Row& row) {
  return Sum(row.deleted ? 'd' : 'h').Add(SumOfKv(row.kv)).Add(row.prev_rev).value();
}

int64_t SumOfTxn(Rev rev, absl::string_view write_id, int64_t digest) {
  return Sum('t').Add(rev).Add(write_id).Add(digest).value();
}

int64_t SumOfLease(LeaseId lease, int64_t ttl_ms) {
  return Sum('l').Add(lease).Add(ttl_ms).value();
}

int64_t SumOfMeta(absl::string_view name, int64_t value) {
  return Sum('m').Add(name).Add(value).value();
}

absl::Status Configure(Connection* connection) {
  ASSIGN_OR_RETURN(Statement mode, connection->Prepare("PRAGMA journal_mode=WAL"));
  ASSIGN_OR_RETURN(const bool row, mode.Step());
  if (!row || mode.Bytes(0) != "wal") {
    return absl::FailedPreconditionError(
        "the file system does not support SQLite's write-ahead log; use a local one");
  }
  mode.Reset();
  return connection->Execute(
      "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY;"
      "PRAGMA cache_size=-65536; PRAGMA journal_size_limit=67108864;");
}

absl::Status EnsureTables(Connection* connection, bool may_create) {
  ASSIGN_OR_RETURN(const bool exists, HasTables(connection));
  if (exists) {
    RETURN_IF_ERROR(CheckFormat(connection));
    return Configure(connection);
  }
  if (!may_create) return Damaged("its tables are gone");
  // Takes effect only before anything else is written.
  RETURN_IF_ERROR(connection->Execute("PRAGMA auto_vacuum=INCREMENTAL"));
  RETURN_IF_ERROR(Configure(connection));
  RETURN_IF_ERROR(connection->Execute(kTables));
  ASSIGN_OR_RETURN(Statement meta, connection->Prepare("INSERT INTO meta VALUES(?, ?, ?)"));
  for (const char* name : {"format", "term", "compacted", "swept", "last_lease"}) {
    const int64_t value = absl::string_view(name) == "format" ? kFormat : 0;
    meta.Bind(1, name);
    meta.Bind(2, value);
    meta.Bind(3, SumOfMeta(name, value));
    RETURN_IF_ERROR(meta.Run());
  }
  ASSIGN_OR_RETURN(Statement txn, connection->Prepare("INSERT INTO txn VALUES(0, ?, 0, ?)"));
  txn.Bind(1, "");
  txn.Bind(2, SumOfTxn(0, "", 0));
  RETURN_IF_ERROR(txn.Run());
  return connection->Execute("COMMIT");
}

absl::StatusOr<Contents> CheckAndRead(Connection* connection) {
  Contents contents;
  int64_t digest = 0;
  RETURN_IF_ERROR(QuickCheck(connection));
  RETURN_IF_ERROR(ReadMeta(connection, &contents));
  RETURN_IF_ERROR(CheckTxns(connection, &contents));
  RETURN_IF_ERROR(CheckKv(connection, &contents, &digest));
  RETURN_IF_ERROR(CheckHist(connection, &digest));
  RETURN_IF_ERROR(CheckLeases(connection, &contents, &digest));
  if (digest != contents.digest) return Damaged("rows are missing or doubled");
  return contents;
}

}  // namespace cluster::store
