// All writing to the tables of the SQLite store, for the one thread that writes. Knows no queue,
// lease deadline or watch.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

#include "controller/store/fanout.h"
#include "controller/store/sqlite_schema.h"
#include "controller/store/store.h"

namespace cluster::store {

// What a transaction came to. `batch` is nullptr when nothing was written.
struct Applied {
  SubmitResult result;
  BatchPtr batch;
  bool known = false;  // its write_id had been committed before
};

// Begin, any number of changes, then Commit or Rollback. A change that fails with anything but its
// own SubmitResult leaves the whole group to be rolled back.
class TableWriter {
 public:
  // `contents` as CheckAndRead found them.
  static absl::StatusOr<std::unique_ptr<TableWriter>> Make(Connection connection,
                                                           const Contents& contents);

  // FailedPrecondition when another process has raised the term.
  absl::Status Begin();
  // What is committed is on disk.
  absl::Status Commit();
  void Rollback();

  // Conditions, then operations. Leases are the caller's to check.
  absl::StatusOr<Applied> Apply(const Txn& txn);
  absl::Status RaiseTerm();
  absl::StatusOr<LeaseId> AddLease(int64_t ttl_ms);
  absl::Status RemoveLease(LeaseId lease);

  // Makes `rev` the oldest revision that is served; what is older is then removed by Sweep, which
  // looks at about `rows` changes per call and says whether more is left.
  absl::Status SetCompacted(Rev rev);
  absl::StatusOr<bool> Sweep(size_t rows);

  // Gives up to about `pages` free pages of the file back to the disk, in a commit of its own;
  // whether more are left.
  absl::StatusOr<bool> GiveBackPages(size_t pages);

  Rev rev() const { return state_.rev; }
  Rev compacted() const { return state_.compacted; }
  int64_t term() const { return state_.term; }
  Connection* connection() { return &connection_; }

 private:
  // Rolled back with the tables.
  struct State {
    Rev rev = 0;
    int64_t digest = 0;
    int64_t term = 0;
    Rev compacted = 0;
    Rev swept = 0;
    LeaseId last_lease = 0;
  };

  explicit TableWriter(Connection connection) : connection_(std::move(connection)) {}
  absl::Status PrepareAll();
  // What is known of a key's current value; all 0 when there is none.
  struct Current {
    Rev create_rev = 0;
    Rev mod_rev = 0;
    int64_t version = 0;
    int64_t sum = 0;
  };
  absl::StatusOr<Current> Look(const std::string& key);
  absl::StatusOr<Kv> Get(const std::string& key);
  absl::StatusOr<std::vector<Kv>> Conflicts(const Txn& txn);
  absl::Status ApplyOp(const Op& op, const Txn& txn, Batch* batch);
  absl::Status PutKv(const Kv& kv);
  absl::Status AddHist(const Row& change);
  absl::Status AddTxnRow(const std::string& write_id);
  absl::Status RenewDigest();
  absl::Status SetMeta(absl::string_view name, int64_t value);
  absl::Status RemoveHist(Rev rev, absl::string_view key);

  Connection connection_;
  Statement begin_, commit_, read_term_, look_, get_, put_, remove_, add_hist_, remove_hist_,
      add_txn_, get_txn_, set_digest_, remove_txns_, add_lease_, remove_lease_, set_meta_,
      sweep_rows_;

  State state_;
  State committed_;
  // Revisions by write_id; those since Begin are in fresh_writes_ too.
  absl::flat_hash_map<std::string, Rev> writes_;
  std::deque<std::pair<Rev, std::string>> write_order_;
  std::vector<std::string> fresh_writes_;
};

}  // namespace cluster::store
