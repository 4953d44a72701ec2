#include "controller/store/sqlite_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/store/sqlite_schema.h"

namespace cluster::store {
namespace {

constexpr size_t kSliceRevisions = 256;

// The smallest key after all keys with the prefix; empty when there is none.
std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TableReader>> TableReader::Make(Connection connection) {
  std::unique_ptr<TableReader> reader(new TableReader(std::move(connection)));
  MutexLock lock(&reader->mutex_);
  // ?1 = prefix, ?2 = the key after it (NULL = none), ?3 = revision.
  const std::string in_prefix = "k >= ?1 AND (?2 IS NULL OR k < ?2)";
  const std::pair<Statement*, std::string> statements[] = {
      {&reader->begin_, "BEGIN"},
      {&reader->end_, "COMMIT"},
      {&reader->bounds_,
       "SELECT (SELECT max(rev) FROM txn),"
       " (SELECT value FROM meta WHERE name = CAST('compacted' AS BLOB))"},
      {&reader->current_,
       absl::StrCat("SELECT ", kKvColumns, " FROM kv WHERE ", in_prefix, " AND mod_rev <= ?3")},
      // The first change after ?3 of a key names the revision of the value it had then.
      {&reader->changed_since_,
       "SELECT old.k, old.v, old.create_rev, old.rev, old.ver, old.lease, old.wid"
       " FROM hist AS new JOIN hist AS old ON old.rev = new.prev_rev AND old.k = new.k"
       " WHERE new.rev > ?3 AND new.prev_rev BETWEEN 1 AND ?3"
       " AND new.k >= ?1 AND (?2 IS NULL OR new.k < ?2)"},
      {&reader->changes_,
       absl::StrCat("SELECT ", kHistColumns, " FROM hist WHERE rev > ? ORDER BY rev, k")},
  };
  for (const auto& [statement, sql] : statements) {
    ASSIGN_OR_RETURN(*statement, reader->connection_.Prepare(sql));
  }
  return reader;
}

absl::StatusOr<TableReader::Bounds> TableReader::ReadBounds() {
  StatementReset reset(&bounds_);
  ASSIGN_OR_RETURN(const bool row, bounds_.Step());
  if (!row) return absl::DataLossError("store: the tables are gone");
  return Bounds{bounds_.Int(0), bounds_.Int(1)};
}

absl::StatusOr<Listing> TableReader::List(const std::string& prefix, Rev at) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(begin_.Run());
  absl::StatusOr<Listing> listing = ListNow(prefix, at);
  RETURN_IF_ERROR(end_.Run());
  return listing;
}

absl::StatusOr<Listing> TableReader::ListNow(const std::string& prefix, Rev at) {
  ASSIGN_OR_RETURN(const Bounds bounds, ReadBounds());
  if (at > bounds.rev) {
    return absl::InvalidArgumentError(
        absl::StrCat("store: revision ", at, " is not reached yet; the store is at ", bounds.rev));
  }
  if (at != 0 && at < bounds.compacted) {
    return absl::OutOfRangeError(absl::StrCat(
        "store: revision ", at, " is compacted; the oldest kept is ", bounds.compacted));
  }
  Listing listing;
  listing.rev = at == 0 ? bounds.rev : at;
  RETURN_IF_ERROR(Collect(&current_, prefix, listing.rev, &listing.kvs));
  if (listing.rev == bounds.rev) return listing;
  RETURN_IF_ERROR(Collect(&changed_since_, prefix, listing.rev, &listing.kvs));
  std::sort(listing.kvs.begin(), listing.kvs.end(),
            [](const Kv& a, const Kv& b) { return a.key < b.key; });
  return listing;
}

absl::Status TableReader::Collect(Statement* rows, const std::string& prefix, Rev at,
                                  std::vector<Kv>* kvs) {
  StatementReset reset(rows);
  const std::string end = AfterPrefix(prefix);
  rows->Bind(1, prefix);
  if (end.empty()) {
    rows->BindNull(2);
  } else {
    rows->Bind(2, end);
  }
  rows->Bind(3, at);
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, rows->Step());
    if (!row) return absl::OkStatus();
    kvs->push_back(ReadKv(*rows));
  }
}

absl::StatusOr<HistorySlice> TableReader::ReadHistory(Rev after) {
  MutexLock lock(&mutex_);
  RETURN_IF_ERROR(begin_.Run());
  absl::StatusOr<HistorySlice> slice = ReadSlice(after);
  RETURN_IF_ERROR(end_.Run());
  return slice;
}

absl::StatusOr<HistorySlice> TableReader::ReadSlice(Rev after) {
  ASSIGN_OR_RETURN(const Bounds bounds, ReadBounds());
  HistorySlice slice;
  slice.oldest = bounds.compacted;
  slice.through = bounds.rev;
  if (after < bounds.compacted) return slice;
  StatementReset reset(&changes_);
  changes_.Bind(1, after);
  std::shared_ptr<Batch> batch;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, changes_.Step());
    if (!row) return slice;
    Row change = ReadHist(changes_);
    if (batch == nullptr || batch->rev != change.kv.mod_rev) {
      if (slice.batches.size() == kSliceRevisions) {
        slice.through = batch->rev;
        return slice;
      }
      batch = std::make_shared<Batch>();
      batch->rev = change.kv.mod_rev;
      slice.batches.push_back(batch);
    }
    batch->events.emplace_back();
    batch->events.back().kind = change.deleted ? Event::Kind::kDelete : Event::Kind::kPut;
    batch->events.back().kv = std::move(change.kv);
  }
}

}  // namespace cluster::store
