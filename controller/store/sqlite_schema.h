// The tables of the SQLite store, and the checks that tell a whole file from a damaged one.
//
//   kv     the current value of each key
//   hist   every change since the last compaction, and the last one before it of each live key
//   txn    one row per revision: its write_id and the digest of everything after it
//   lease  granted leases
//   meta   named numbers
//
// SQLite's own checks see damaged structure but not damaged content, so each row carries a
// checksum, and the exclusive-or of the checksums of kv, hist and lease (the digest) shows lost and
// doubled rows.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "controller/store/sqlite.h"
#include "controller/store/store.h"

namespace cluster::store {

// A row of hist; kv has the same but `prev_rev`.
struct Row {
  Kv kv;
  bool deleted = false;
  Rev prev_rev = 0;  // mod_rev of the value before; 0 = there was none
};

// The columns that ReadRow expects, in its order.
inline constexpr char kKvColumns[] = "k, v, create_rev, mod_rev, ver, lease, wid";
inline constexpr char kHistColumns[] = "k, v, create_rev, rev, ver, lease, wid, prev_rev";
Kv ReadKv(const Statement& row);
Row ReadHist(const Statement& row);

// Over every field.
int64_t SumOfKv(const Kv& kv);
int64_t SumOfHist(const Row& row);
int64_t SumOfTxn(Rev rev, absl::string_view write_id, int64_t digest);
int64_t SumOfLease(LeaseId lease, int64_t ttl_ms);
int64_t SumOfMeta(absl::string_view name, int64_t value);

// WAL, synchronous=FULL, no checkpoints of its own.
absl::Status Configure(Connection* connection);
// Makes the tables in one transaction, when there are none and `may_create`; DataLoss when there
// are none otherwise. FailedPrecondition for a database that is not a store or of a later format.
absl::Status EnsureTables(Connection* connection, bool may_create);

// What a whole file holds besides kv and hist.
struct Contents {
  Rev rev = 0;
  int64_t digest = 0;
  int64_t term = 0;
  Rev compacted = 0;
  Rev swept = 0;
  LeaseId last_lease = 0;
  std::vector<std::pair<LeaseId, int64_t>> leases;  // with their ttl in milliseconds
  std::vector<std::pair<std::string, LeaseId>> leased_keys;
  std::vector<std::pair<Rev, std::string>> writes;  // ascending, with their write_id
};
// Checks every row and reads the contents. DataLoss with one sentence for the first damage found.
absl::StatusOr<Contents> CheckAndRead(Connection* connection);

}  // namespace cluster::store
