// The revisioned key-value store, shaped like etcd's so that etcd can stand behind it.
//
// One committed transaction = one revision; revisions start at 1 and are never reused. Acknowledged
// means durable (law 4). All methods may be called from any thread; callbacks run on the store's
// own thread and must not block or call back into Submit's wait.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cluster::store {

using Rev = int64_t;
using LeaseId = int64_t;

struct Kv {
  std::string key;
  std::string value;
  Rev create_rev = 0;
  Rev mod_rev = 0;
  int64_t version = 0;  // changes since creation, starting at 1
  LeaseId lease = 0;
  std::string write_id;  // of the transaction that wrote it
};

// Holds when the key's mod_rev equals this one; 0 = the key must not exist.
struct Cond {
  std::string key;
  Rev mod_rev = 0;
};

struct Op {
  enum class Kind { kPut, kDelete };
  Kind kind = Kind::kPut;
  std::string key;
  std::string value;
  LeaseId lease = 0;
};

// At most kMaxOps operations and kMaxBytes of keys and values; a key at most once among ops. A
// transaction without ops checks its conditions and uses up no revision.
struct Txn {
  std::vector<Cond> conds;
  std::vector<Op> ops;
  // 16 bytes (any up to kMaxWriteId), unique per intended write. Sent again after an unknown
  // outcome, the same id is answered with the first commit instead of being applied twice; a
  // transaction that did not commit is tried anew. Kept as long as history is (see Compact), over
  // restarts too. Empty: no such protection.
  std::string write_id;
  // Part of removing something (marks it for deletion, say): accepted, like a transaction of
  // nothing but deletes, while the disk is full, out of the store's reserve.
  bool for_deletion = false;
};
constexpr size_t kMaxOps = 2048;
constexpr size_t kMaxBytes = 8 << 20;
constexpr size_t kMaxWriteId = 64;

struct Commit {
  Rev rev = 0;
};

// Submit's outcome:
//   ok                    committed and durable at Commit.rev
//   Aborted               a condition failed; `conflicts` holds what is there now under each failed
//                         condition's key (mod_rev 0 = nothing); nothing written
//   FailedPrecondition    fenced: this process no longer owns the store
//   Unknown               may or may not have been applied; re-submit with the same write_id
//   Unavailable           not applied, try again
//   ResourceExhausted     disk full (read-only but for deletes) or over a limit
//   InvalidArgument       empty or repeated key
//   NotFound              a put names a lease that has expired or never was
struct SubmitResult {
  absl::Status status;
  Commit commit;
  std::vector<Kv> conflicts;
};
using SubmitCallback = std::function<void(SubmitResult)>;

struct Event {
  enum class Kind { kPut, kDelete };
  Kind kind = Kind::kPut;
  Kv kv;  // for kDelete: key, and mod_rev = revision of the delete
};

// All events of exactly one revision, sorted by key.
struct Batch {
  Rev rev = 0;
  std::vector<Event> events;
};

struct Listing {
  Rev rev = 0;          // everything below is as of this revision
  std::vector<Kv> kvs;  // sorted by key
};

// Receives a watch. Called from the store's thread, one call at a time per watch; must return
// quickly.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  virtual void OnBatch(const Batch& batch) = 0;
  // Everything up to and including `rev` has been delivered to this watch.
  virtual void OnProgress(Rev rev) { (void)rev; }
  // The start revision is older than what is kept; list again. The watch is over. `oldest` is the
  // smallest revision that a watch may start after.
  virtual void OnCompacted(Rev oldest) = 0;
};

// Ends the watch when destroyed; no sink call is running or will follow once the destructor
// returned (destroyed by a sink call of its own, that call is the last). Destroy before the store.
class WatchHandle {
 public:
  virtual ~WatchHandle() = default;
};

enum class HealthState { kOk, kReadOnly, kFailed };
struct Health {
  HealthState state = HealthState::kOk;
  std::string reason;  // one sentence when not kOk
};

class Store {
 public:
  virtual ~Store() = default;

  // Pipelined; committed in the order of submission. The callback comes exactly once.
  virtual void Submit(Txn txn, SubmitCallback done) = 0;
  // Submit and wait.
  SubmitResult SubmitAndWait(Txn txn);

  // Every key with this prefix, at revision `at` (0 = now). OutOfRange when compacted,
  // InvalidArgument when not reached yet.
  virtual absl::StatusOr<Listing> List(const std::string& prefix, Rev at = 0) = 0;

  // Every batch that touches the prefix with a revision > `after`, without gap, in order; only the
  // events below the prefix. The sink must outlive the handle.
  virtual std::unique_ptr<WatchHandle> Watch(const std::string& prefix, Rev after,
                                             WatchSink* sink) = 0;

  // Keys written under a lease are deleted when it is not kept alive for `ttl`. Expiry is a hint,
  // not a safety device; safety comes from conditions.
  virtual absl::StatusOr<LeaseId> Grant(absl::Duration ttl) = 0;
  virtual absl::Status KeepAlive(LeaseId lease) = 0;
  virtual absl::Status Revoke(LeaseId lease) = 0;

  // Forgets changes up to and including `rev`; the state at `rev` and what follows stays. Runs in
  // slices between other writes and returns when done. OutOfRange when `rev` is in the future.
  virtual absl::Status Compact(Rev rev) = 0;

  virtual Rev CurrentRev() = 0;
  // Smallest revision that List and Watch still serve (0 = everything since the beginning).
  virtual Rev OldestRev() = 0;
  virtual Health GetHealth() = 0;
  // Grows each time the store is opened for writing: the fence of this controller.
  virtual int64_t Term() = 0;
};

}  // namespace cluster::store
