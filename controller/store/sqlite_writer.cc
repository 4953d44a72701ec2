#include "controller/store/sqlite_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::store {

absl::StatusOr<std::unique_ptr<TableWriter>> TableWriter::Make(Connection connection,
                                                               const Contents& contents) {
  std::unique_ptr<TableWriter> writer(new TableWriter(std::move(connection)));
  RETURN_IF_ERROR(writer->PrepareAll());
  writer->state_.rev = contents.rev;
  writer->state_.digest = contents.digest;
  writer->state_.term = contents.term;
  writer->state_.compacted = contents.compacted;
  writer->state_.swept = contents.swept;
  writer->state_.last_lease = contents.last_lease;
  writer->committed_ = writer->state_;
  for (const auto& [rev, id] : contents.writes) {
    writer->writes_[id] = rev;
    writer->write_order_.emplace_back(rev, id);
  }
  return writer;
}

absl::Status TableWriter::PrepareAll() {
  const std::pair<Statement*, std::string> statements[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&read_term_, "SELECT value FROM meta WHERE name = CAST('term' AS BLOB)"},
      {&look_, "SELECT create_rev, mod_rev, ver, sum FROM kv WHERE k = ?"},
      {&get_, absl::StrCat("SELECT ", kKvColumns, " FROM kv WHERE k = ?")},
      {&put_, absl::StrCat("REPLACE INTO kv(", kKvColumns, ", sum) VALUES(?,?,?,?,?,?,?,?)")},
      {&remove_, "DELETE FROM kv WHERE k = ?"},
      {&add_hist_,
       absl::StrCat("INSERT INTO hist(", kHistColumns, ", sum) VALUES(?,?,?,?,?,?,?,?,?)")},
      {&remove_hist_, "DELETE FROM hist WHERE rev = ? AND k = ? RETURNING sum"},
      {&add_txn_, "INSERT INTO txn VALUES(?, ?, ?, ?)"},
      {&get_txn_, "SELECT id FROM txn WHERE rev = ?"},
      {&set_digest_, "UPDATE txn SET digest = ?, sum = ? WHERE rev = ?"},
      {&remove_txns_, "DELETE FROM txn WHERE rev <= ?"},
      {&add_lease_, "INSERT INTO lease VALUES(?, ?, ?)"},
      {&remove_lease_, "DELETE FROM lease WHERE id = ? RETURNING sum"},
      {&set_meta_, "UPDATE meta SET value = ?, sum = ? WHERE name = ?"},
      {&sweep_rows_,
       "SELECT rev, k, prev_rev, v IS NULL FROM hist WHERE rev > ? AND rev <= ? ORDER BY rev, k"},
  };
  for (const auto& [statement, sql] : statements) {
    ASSIGN_OR_RETURN(*statement, connection_.Prepare(sql));
  }
  return absl::OkStatus();
}

absl::Status TableWriter::Begin() {
  RETURN_IF_ERROR(begin_.Run());
  StatementReset reset(&read_term_);
  ASSIGN_OR_RETURN(const bool row, read_term_.Step());
  if (!row || read_term_.Int(0) != state_.term) {
    return absl::FailedPreconditionError(
        absl::StrCat("store: fenced, another controller has opened the store with term ",
                     row ? read_term_.Int(0) : 0, "; this one had ", state_.term));
  }
  return absl::OkStatus();
}

absl::Status TableWriter::Commit() {
  RETURN_IF_ERROR(commit_.Run());
  committed_ = state_;
  fresh_writes_.clear();
  return absl::OkStatus();
}

void TableWriter::Rollback() {
  // Many errors have rolled back already.
  if (sqlite3_get_autocommit(connection_.get()) == 0) {
    sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  state_ = committed_;
  for (const std::string& id : fresh_writes_) {
    writes_.erase(id);
    write_order_.pop_back();
  }
  fresh_writes_.clear();
}

absl::StatusOr<TableWriter::Current> TableWriter::Look(const std::string& key) {
  StatementReset reset(&look_);
  look_.Bind(1, key);
  ASSIGN_OR_RETURN(const bool row, look_.Step());
  Current current;
  if (!row) return current;
  current.create_rev = look_.Int(0);
  current.mod_rev = look_.Int(1);
  current.version = look_.Int(2);
  current.sum = look_.Int(3);
  return current;
}

absl::StatusOr<Kv> TableWriter::Get(const std::string& key) {
  StatementReset reset(&get_);
  get_.Bind(1, key);
  ASSIGN_OR_RETURN(const bool row, get_.Step());
  Kv kv;
  if (row) kv = ReadKv(get_);
  kv.key = key;
  return kv;
}

absl::StatusOr<std::vector<Kv>> TableWriter::Conflicts(const Txn& txn) {
  std::vector<Kv> conflicts;
  for (const Cond& cond : txn.conds) {
    ASSIGN_OR_RETURN(const Current current, Look(cond.key));
    if (current.mod_rev == cond.mod_rev) continue;
    ASSIGN_OR_RETURN(Kv kv, Get(cond.key));
    conflicts.push_back(std::move(kv));
  }
  return conflicts;
}

absl::StatusOr<Applied> TableWriter::Apply(const Txn& txn) {
  Applied applied;
  const auto written = txn.write_id.empty() ? writes_.end() : writes_.find(txn.write_id);
  if (written != writes_.end()) {
    applied.result.commit.rev = written->second;
    applied.known = true;
    return applied;
  }
  ASSIGN_OR_RETURN(applied.result.conflicts, Conflicts(txn));
  if (!applied.result.conflicts.empty()) {
    applied.result.status =
        absl::AbortedError(absl::StrCat("store: ", applied.result.conflicts.front().key,
                                        " has changed meanwhile; look again and retry"));
    return applied;
  }
  if (txn.ops.empty()) {
    applied.result.commit.rev = state_.rev;
    return applied;
  }
  auto batch = std::make_shared<Batch>();
  batch->rev = ++state_.rev;
  for (const Op& op : txn.ops) RETURN_IF_ERROR(ApplyOp(op, txn, batch.get()));
  RETURN_IF_ERROR(AddTxnRow(txn.write_id));
  std::sort(batch->events.begin(), batch->events.end(),
            [](const Event& a, const Event& b) { return a.kv.key < b.kv.key; });
  applied.result.commit.rev = batch->rev;
  applied.batch = std::move(batch);
  return applied;
}

absl::Status TableWriter::ApplyOp(const Op& op, const Txn& txn, Batch* batch) {
  ASSIGN_OR_RETURN(const Current old, Look(op.key));
  Row change;
  change.deleted = op.kind == Op::Kind::kDelete;
  if (change.deleted && old.mod_rev == 0) return absl::OkStatus();
  change.prev_rev = old.mod_rev;
  Kv& kv = change.kv;
  kv.key = op.key;
  kv.mod_rev = state_.rev;
  kv.write_id = txn.write_id;
  state_.digest ^= old.sum;
  if (change.deleted) {
    remove_.Bind(1, op.key);
    RETURN_IF_ERROR(remove_.Run());
  } else {
    kv.value = op.value;
    kv.lease = op.lease;
    kv.create_rev = old.mod_rev == 0 ? state_.rev : old.create_rev;
    kv.version = old.version + 1;
    RETURN_IF_ERROR(PutKv(kv));
  }
  RETURN_IF_ERROR(AddHist(change));
  batch->events.emplace_back();
  batch->events.back().kind = change.deleted ? Event::Kind::kDelete : Event::Kind::kPut;
  batch->events.back().kv = std::move(kv);
  return absl::OkStatus();
}

absl::Status TableWriter::PutKv(const Kv& kv) {
  const int64_t sum = SumOfKv(kv);
  state_.digest ^= sum;
  put_.Bind(1, kv.key);
  put_.Bind(2, kv.value);
  put_.Bind(3, kv.create_rev);
  put_.Bind(4, kv.mod_rev);
  put_.Bind(5, kv.version);
  put_.Bind(6, kv.lease);
  put_.Bind(7, kv.write_id);
  put_.Bind(8, sum);
  return put_.Run();
}

absl::Status TableWriter::AddHist(const Row& change) {
  const int64_t sum = SumOfHist(change);
  state_.digest ^= sum;
  add_hist_.Bind(1, change.kv.key);
  if (change.deleted) {
    add_hist_.BindNull(2);
  } else {
    add_hist_.Bind(2, change.kv.value);
  }
  add_hist_.Bind(3, change.kv.create_rev);
  add_hist_.Bind(4, change.kv.mod_rev);
  add_hist_.Bind(5, change.kv.version);
  add_hist_.Bind(6, change.kv.lease);
  add_hist_.Bind(7, change.kv.write_id);
  add_hist_.Bind(8, change.prev_rev);
  add_hist_.Bind(9, sum);
  return add_hist_.Run();
}

absl::Status TableWriter::AddTxnRow(const std::string& write_id) {
  add_txn_.Bind(1, state_.rev);
  add_txn_.Bind(2, write_id);
  add_txn_.Bind(3, state_.digest);
  add_txn_.Bind(4, SumOfTxn(state_.rev, write_id, state_.digest));
  RETURN_IF_ERROR(add_txn_.Run());
  if (!write_id.empty()) {
    writes_[write_id] = state_.rev;
    write_order_.emplace_back(state_.rev, write_id);
    fresh_writes_.push_back(write_id);
  }
  return absl::OkStatus();
}

// For changes that are no revision: the digest stands in the row of the newest one.
absl::Status TableWriter::RenewDigest() {
  std::string id;
  {
    StatementReset reset(&get_txn_);
    get_txn_.Bind(1, state_.rev);
    ASSIGN_OR_RETURN(const bool row, get_txn_.Step());
    if (!row) return absl::DataLossError(absl::StrCat("revision ", state_.rev, " has no row"));
    id = std::string(get_txn_.Bytes(0));
  }
  set_digest_.Bind(1, state_.digest);
  set_digest_.Bind(2, SumOfTxn(state_.rev, id, state_.digest));
  set_digest_.Bind(3, state_.rev);
  return set_digest_.Run();
}

absl::Status TableWriter::SetMeta(absl::string_view name, int64_t value) {
  set_meta_.Bind(1, value);
  set_meta_.Bind(2, SumOfMeta(name, value));
  set_meta_.Bind(3, name);
  return set_meta_.Run();
}

absl::Status TableWriter::RaiseTerm() { return SetMeta("term", ++state_.term); }

absl::StatusOr<LeaseId> TableWriter::AddLease(int64_t ttl_ms) {
  const LeaseId lease = ++state_.last_lease;
  RETURN_IF_ERROR(SetMeta("last_lease", lease));
  const int64_t sum = SumOfLease(lease, ttl_ms);
  add_lease_.Bind(1, lease);
  add_lease_.Bind(2, ttl_ms);
  add_lease_.Bind(3, sum);
  RETURN_IF_ERROR(add_lease_.Run());
  state_.digest ^= sum;
  RETURN_IF_ERROR(RenewDigest());
  return lease;
}

absl::Status TableWriter::RemoveLease(LeaseId lease) {
  {
    StatementReset reset(&remove_lease_);
    remove_lease_.Bind(1, lease);
    ASSIGN_OR_RETURN(const bool row, remove_lease_.Step());
    if (!row) return absl::OkStatus();
    state_.digest ^= remove_lease_.Int(0);
  }
  return RenewDigest();
}

absl::Status TableWriter::SetCompacted(Rev rev) {
  if (rev <= state_.compacted) return absl::OkStatus();
  state_.compacted = rev;
  return SetMeta("compacted", rev);
}

absl::Status TableWriter::RemoveHist(Rev rev, absl::string_view key) {
  StatementReset reset(&remove_hist_);
  remove_hist_.Bind(1, rev);
  remove_hist_.Bind(2, key);
  ASSIGN_OR_RETURN(const bool row, remove_hist_.Step());
  if (row) state_.digest ^= remove_hist_.Int(0);
  return absl::OkStatus();
}

// Each change up to `compacted` makes the value before it history that nothing can ask for any
// more; a delete then is nothing itself.
absl::StatusOr<bool> TableWriter::Sweep(size_t rows) {
  if (state_.swept >= state_.compacted) return false;
  struct Swept {
    Rev rev;
    std::string key;
    Rev prev_rev;
    bool deleted;
  };
  std::vector<Swept> slice;
  Rev through = state_.compacted;
  {
    StatementReset reset(&sweep_rows_);
    sweep_rows_.Bind(1, state_.swept);
    sweep_rows_.Bind(2, state_.compacted);
    for (;;) {
      ASSIGN_OR_RETURN(const bool row, sweep_rows_.Step());
      if (!row) break;
      const Rev rev = sweep_rows_.Int(0);
      if (slice.size() >= rows && rev != slice.back().rev) {
        through = slice.back().rev;
        break;
      }
      slice.push_back(
          {rev, std::string(sweep_rows_.Bytes(1)), sweep_rows_.Int(2), sweep_rows_.Int(3) != 0});
    }
  }
  for (const Swept& change : slice) {
    if (change.prev_rev != 0) RETURN_IF_ERROR(RemoveHist(change.prev_rev, change.key));
    if (change.deleted) RETURN_IF_ERROR(RemoveHist(change.rev, change.key));
  }
  state_.swept = through;
  RETURN_IF_ERROR(SetMeta("swept", through));
  // The newest revision's row stays: it holds the digest.
  remove_txns_.Bind(1, std::min(through, state_.rev - 1));
  RETURN_IF_ERROR(remove_txns_.Run());
  RETURN_IF_ERROR(RenewDigest());
  while (!write_order_.empty() && write_order_.front().first <= through) {
    writes_.erase(write_order_.front().second);
    write_order_.pop_front();
  }
  return state_.swept < state_.compacted;
}

absl::StatusOr<bool> TableWriter::GiveBackPages(size_t pages) {
  RETURN_IF_ERROR(
      connection_.Execute(absl::StrCat("PRAGMA incremental_vacuum(", pages, ")").c_str()));
  ASSIGN_OR_RETURN(Statement free, connection_.Prepare("PRAGMA freelist_count"));
  ASSIGN_OR_RETURN(const bool row, free.Step());
  return row && free.Int(0) > 0;
}

}  // namespace cluster::store
