#include "controller/store/memory_store.h"

#include <deque>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/mutex.h"
#include "controller/store/fanout.h"
#include "controller/store/leases.h"
#include "controller/store/limits.h"

namespace cluster::store {
namespace {

constexpr size_t kHistorySlice = 256;

class InMemory : public MemoryStore {
 public:
  InMemory(const Clock* clock, int64_t term)
      : clock_(clock), term_(term), fanout_(0, [this](Rev after) { return ReadHistory(after); }) {}

  void Submit(Txn txn, SubmitCallback done) override;
  absl::StatusOr<Listing> List(const std::string& prefix, Rev at) override;
  std::unique_ptr<WatchHandle> Watch(const std::string& prefix, Rev after,
                                     WatchSink* sink) override;
  absl::StatusOr<LeaseId> Grant(absl::Duration ttl) override;
  absl::Status KeepAlive(LeaseId lease) override;
  absl::Status Revoke(LeaseId lease) override;
  absl::Status Compact(Rev rev) override;
  Rev CurrentRev() override;
  Rev OldestRev() override;
  Health GetHealth() override { return {}; }
  int64_t Term() override { return term_; }
  void SetFaults(std::function<Fault(const Txn&)> faults) override;
  void Tick() override {
    Enqueue([this] { ExpireLeases(); });
  }

 private:
  using State = std::map<std::string, Kv>;

  void Enqueue(std::function<void()> task);
  void Process(const Txn& txn, const SubmitCallback& done);
  SubmitResult Decide(const Txn& txn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Check(const Txn& txn, std::vector<Kv>* conflicts)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Rev Apply(const Txn& txn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropLease(LeaseId lease) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ExpireLeases();
  absl::StatusOr<HistorySlice> ReadHistory(Rev after);
  static void Change(const Event& event, State* state);

  const Clock* const clock_;
  const int64_t term_;

  Mutex mutex_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool working_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<Fault(const Txn&)> faults_ ABSL_GUARDED_BY(mutex_);
  Rev rev_ ABSL_GUARDED_BY(mutex_) = 0;
  State state_ ABSL_GUARDED_BY(mutex_);
  // The state at compacted_, and every batch since.
  Rev compacted_ ABSL_GUARDED_BY(mutex_) = 0;
  State base_ ABSL_GUARDED_BY(mutex_);
  std::deque<BatchPtr> history_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Rev> writes_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::pair<Rev, std::string>> write_order_ ABSL_GUARDED_BY(mutex_);
  LeaseBook leases_ ABSL_GUARDED_BY(mutex_);
  LeaseId last_lease_ ABSL_GUARDED_BY(mutex_) = 0;
  Fanout fanout_;
};

// Runs the task now, or, when a thread is at it already, lets that one run it in its turn.
void InMemory::Enqueue(std::function<void()> task) {
  {
    MutexLock lock(&mutex_);
    tasks_.push_back(std::move(task));
    if (working_) return;
    working_ = true;
  }
  for (;;) {
    std::function<void()> next;
    {
      MutexLock lock(&mutex_);
      if (tasks_.empty()) {
        working_ = false;
        return;
      }
      next = std::move(tasks_.front());
      tasks_.pop_front();
    }
    next();
    fanout_.Deliver();
  }
}

void InMemory::Submit(Txn txn, SubmitCallback done) {
  Enqueue([this, txn = std::move(txn), done = std::move(done)] { Process(txn, done); });
}

void InMemory::Process(const Txn& txn, const SubmitCallback& done) {
  ExpireLeases();
  SubmitResult result;
  {
    MutexLock lock(&mutex_);
    result = Decide(txn);
  }
  done(std::move(result));
}

SubmitResult InMemory::Decide(const Txn& txn) {
  SubmitResult result;
  result.status = CheckLimits(txn);
  if (!result.status.ok()) return result;
  const Fault fault = faults_ ? faults_(txn) : Fault::kNone;
  if (fault == Fault::kUnavailable) {
    result.status = absl::UnavailableError("store: not applied (injected fault), try again");
  } else if (fault == Fault::kUnknownLost) {
    result.status = absl::UnknownError("store: the answer was lost (injected fault)");
  } else if (fault == Fault::kNoSpace && !FreesSpace(txn)) {
    result.status = absl::ResourceExhaustedError("store: the disk is full (injected fault)");
  }
  if (!result.status.ok()) return result;

  const auto written = txn.write_id.empty() ? writes_.end() : writes_.find(txn.write_id);
  if (written != writes_.end()) {
    result.commit.rev = written->second;
  } else {
    result.status = Check(txn, &result.conflicts);
    if (result.status.ok()) result.commit.rev = Apply(txn);
  }
  if (fault == Fault::kUnknownApplied) {
    result = SubmitResult();
    result.status = absl::UnknownError("store: the answer was lost (injected fault)");
  }
  return result;
}

absl::Status InMemory::Check(const Txn& txn, std::vector<Kv>* conflicts) {
  for (const Cond& cond : txn.conds) {
    const auto found = state_.find(cond.key);
    const Rev mod_rev = found == state_.end() ? 0 : found->second.mod_rev;
    if (mod_rev == cond.mod_rev) continue;
    conflicts->emplace_back();
    conflicts->back().key = cond.key;
    if (found != state_.end()) conflicts->back() = found->second;
  }
  if (!conflicts->empty()) {
    return absl::AbortedError(absl::StrCat("store: ", conflicts->front().key,
                                           " has changed meanwhile; look again and retry"));
  }
  for (const Op& op : txn.ops) {
    if (op.kind == Op::Kind::kPut && op.lease != 0 && !leases_.Has(op.lease)) {
      return absl::NotFoundError(absl::StrCat("store: the lease ", op.lease, " of ", op.key,
                                              " has expired or never was; grant a new one"));
    }
  }
  return absl::OkStatus();
}

Rev InMemory::Apply(const Txn& txn) {
  if (txn.ops.empty()) return rev_;
  auto batch = std::make_shared<Batch>();
  batch->rev = ++rev_;
  for (const Op& op : txn.ops) {
    const auto found = state_.find(op.key);
    if (op.kind == Op::Kind::kDelete && found == state_.end()) continue;
    Event event;
    event.kv.key = op.key;
    event.kv.mod_rev = rev_;
    event.kv.write_id = txn.write_id;
    if (op.kind == Op::Kind::kDelete) {
      event.kind = Event::Kind::kDelete;
    } else {
      event.kv.value = op.value;
      event.kv.lease = op.lease;
      event.kv.create_rev = found == state_.end() ? rev_ : found->second.create_rev;
      event.kv.version = found == state_.end() ? 1 : found->second.version + 1;
    }
    Change(event, &state_);
    leases_.Attach(op.key, event.kv.lease);
    batch->events.push_back(std::move(event));
  }
  std::sort(batch->events.begin(), batch->events.end(),
            [](const Event& a, const Event& b) { return a.kv.key < b.kv.key; });
  if (!txn.write_id.empty()) {
    writes_[txn.write_id] = rev_;
    write_order_.emplace_back(rev_, txn.write_id);
  }
  history_.push_back(batch);
  fanout_.Publish({batch});
  return rev_;
}

void InMemory::Change(const Event& event, State* state) {
  if (event.kind == Event::Kind::kDelete) {
    state->erase(event.kv.key);
  } else {
    (*state)[event.kv.key] = event.kv;
  }
}

absl::StatusOr<Listing> InMemory::List(const std::string& prefix, Rev at) {
  MutexLock lock(&mutex_);
  if (at > rev_) {
    return absl::InvalidArgumentError(
        absl::StrCat("store: revision ", at, " is not reached yet; the store is at ", rev_));
  }
  if (at != 0 && at < compacted_) {
    return absl::OutOfRangeError(
        absl::StrCat("store: revision ", at, " is compacted; the oldest kept is ", compacted_));
  }
  Listing listing;
  listing.rev = at == 0 ? rev_ : at;
  State then;
  if (listing.rev != rev_) {
    then = base_;
    for (const BatchPtr& batch : history_) {
      if (batch->rev > at) break;
      for (const Event& event : batch->events) Change(event, &then);
    }
  }
  const State& state = listing.rev == rev_ ? state_ : then;
  for (auto it = state.lower_bound(prefix); it != state.end(); ++it) {
    if (!absl::StartsWith(it->first, prefix)) break;
    listing.kvs.push_back(it->second);
  }
  return listing;
}

std::unique_ptr<WatchHandle> InMemory::Watch(const std::string& prefix, Rev after,
                                             WatchSink* sink) {
  auto handle = fanout_.Add(prefix, after, sink);
  Enqueue([] {});
  return handle;
}

absl::StatusOr<LeaseId> InMemory::Grant(absl::Duration ttl) {
  if (ttl < kMinLease) {
    return absl::InvalidArgumentError(
        absl::StrCat("store: a lease of ", absl::FormatDuration(ttl), " is too short"));
  }
  MutexLock lock(&mutex_);
  leases_.Add(++last_lease_, ttl, clock_->Monotonic());
  return last_lease_;
}

absl::Status InMemory::KeepAlive(LeaseId lease) {
  MutexLock lock(&mutex_);
  if (leases_.Renew(lease, clock_->Monotonic())) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("store: the lease ", lease, " has expired or never was"));
}

absl::Status InMemory::Revoke(LeaseId lease) {
  {
    MutexLock lock(&mutex_);
    if (!leases_.Has(lease)) {
      return absl::NotFoundError(
          absl::StrCat("store: the lease ", lease, " has expired or never was"));
    }
    DropLease(lease);
  }
  Enqueue([] {});
  return absl::OkStatus();
}

void InMemory::DropLease(LeaseId lease) {
  Txn txn;
  for (std::string& key : leases_.KeysOf(lease)) {
    txn.ops.push_back({.kind = Op::Kind::kDelete, .key = std::move(key), .value = "", .lease = 0});
  }
  Apply(txn);
  leases_.Remove(lease);
}

void InMemory::ExpireLeases() {
  MutexLock lock(&mutex_);
  for (const LeaseId lease : leases_.Expired(clock_->Monotonic())) DropLease(lease);
}

absl::Status InMemory::Compact(Rev rev) {
  MutexLock lock(&mutex_);
  if (rev > rev_) {
    return absl::OutOfRangeError(
        absl::StrCat("store: cannot compact to ", rev, ", the store is at ", rev_));
  }
  while (!history_.empty() && history_.front()->rev <= rev) {
    for (const Event& event : history_.front()->events) Change(event, &base_);
    history_.pop_front();
  }
  while (!write_order_.empty() && write_order_.front().first <= rev) {
    writes_.erase(write_order_.front().second);
    write_order_.pop_front();
  }
  compacted_ = std::max(compacted_, rev);
  fanout_.SetOldest(compacted_);
  return absl::OkStatus();
}

absl::StatusOr<HistorySlice> InMemory::ReadHistory(Rev after) {
  MutexLock lock(&mutex_);
  HistorySlice slice;
  slice.oldest = compacted_;
  slice.through = rev_;
  if (after < compacted_) return slice;
  for (const BatchPtr& batch : history_) {
    if (batch->rev <= after) continue;
    if (slice.batches.size() == kHistorySlice) {
      slice.through = slice.batches.back()->rev;
      break;
    }
    slice.batches.push_back(batch);
  }
  return slice;
}

Rev InMemory::CurrentRev() {
  MutexLock lock(&mutex_);
  return rev_;
}

Rev InMemory::OldestRev() {
  MutexLock lock(&mutex_);
  return compacted_;
}

void InMemory::SetFaults(std::function<Fault(const Txn&)> faults) {
  MutexLock lock(&mutex_);
  faults_ = std::move(faults);
}

}  // namespace

std::unique_ptr<MemoryStore> MemoryStore::Make(const Clock* clock, int64_t term) {
  return std::make_unique<InMemory>(clock, term);
}

}  // namespace cluster::store
