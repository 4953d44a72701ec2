#include "controller/store/group_writer.h"

#include <algorithm>
#include <cstdlib>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "controller/store/limits.h"

namespace cluster::store {
namespace {

constexpr absl::Duration kSpaceCheck = absl::Seconds(1);
constexpr absl::Duration kLeaseRetry = absl::Seconds(1);
constexpr absl::Duration kCacheLook = absl::Seconds(15);
// Commits between two looks at the cache that make it worth its memory.
constexpr int64_t kBusyCommits = 300;

absl::Status NoLease(LeaseId lease) {
  return absl::NotFoundError(
      absl::StrCat("store: the lease ", lease, " has expired or never was; grant a new one"));
}

}  // namespace

GroupWriter::GroupWriter(const SqliteOptions& options, std::unique_ptr<TableWriter> tables,
                         HeadFile head, Ballast ballast, Fanout* fanout, Mutex* checkpoint_turn)
    : options_(options),
      tables_(std::move(tables)),
      head_(std::move(head)),
      ballast_(std::move(ballast)),
      fanout_(fanout),
      checkpoint_turn_(checkpoint_turn),
      rev_(tables_->rev()),
      compacted_(tables_->compacted()) {
  sqlite3_wal_hook(
      tables_->connection()->get(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<GroupWriter*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  const absl::StatusOr<bool> held = ballast_.Hold();
  if (!held.ok() || !*held) {
    EnterReadOnly(held.ok() ? absl::ResourceExhaustedError("no space for the reserve")
                            : held.status());
  }
}

void GroupWriter::AdoptLeases(const Contents& contents) {
  const absl::Duration now = options_.clock->Monotonic();
  MutexLock lock(&mutex_);
  for (const auto& [lease, ttl_ms] : contents.leases) {
    leases_.Add(lease, absl::Milliseconds(ttl_ms), now);
  }
  for (const auto& [key, lease] : contents.leased_keys) leases_.Attach(key, lease);
}

void GroupWriter::Submit(Txn txn, SubmitCallback done) {
  Job job;
  job.refused = CheckLimits(txn);
  job.txn = std::move(txn);
  job.done = std::move(done);
  Enqueue(std::move(job));
}

absl::Status GroupWriter::Do(Work work, bool frees_space, std::function<void()> committed) {
  std::promise<absl::Status> promise;
  std::future<absl::Status> outcome = promise.get_future();
  Job job;
  job.work = std::move(work);
  job.frees_space = frees_space;
  job.committed = std::move(committed);
  job.worked = [&promise](absl::Status status) { promise.set_value(std::move(status)); };
  Enqueue(std::move(job));
  return outcome.get();
}

void GroupWriter::Enqueue(Job job) {
  MutexLock lock(&mutex_);
  queue_.push_back(std::move(job));
  queued_.Signal();
}

void GroupWriter::Stop() {
  MutexLock lock(&mutex_);
  stopping_ = true;
  queued_.Signal();
}

void GroupWriter::Run() {
  for (;;) {
    std::vector<Job> jobs = NextJobs();
    ExpireLeases();
    if (health().state == HealthState::kReadOnly) TryToLeaveReadOnly();
    if (jobs.empty()) {
      ShrinkCache();
      MutexLock lock(&mutex_);
      if (stopping_ && queue_.empty()) return;
      continue;
    }
    if (jobs.front().work) {
      CommitWork(jobs.front());
    } else {
      CommitJobs(&jobs);
    }
    if (observe_wal_) observe_wal_(wal_pages_);
    KeepLogShort();
    ShrinkCache();
  }
}

void GroupWriter::ShrinkCache() {
  sqlite3* const db = tables_->connection()->get();
  if (CacheLookIsDue()) {
    const int64_t commits = commits_ - std::exchange(commits_at_look_, commits_.load());
    if (commits < kBusyCommits) sqlite3_db_release_memory(db);
    MutexLock lock(&mutex_);
    next_cache_look_ =
        commits > 0 ? options_.clock->Monotonic() + kCacheLook : absl::InfiniteDuration();
  }
  int used = 0;
  int most = 0;
  if (sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_USED, &used, &most, 0) == SQLITE_OK) {
    cache_bytes_ = used;
  }
}

bool GroupWriter::CacheLookIsDue() {
  const absl::Duration now = options_.clock->Monotonic();
  MutexLock lock(&mutex_);
  if (next_cache_look_ == absl::InfiniteDuration() && commits_ != commits_at_look_) {
    next_cache_look_ = now + kCacheLook;
  }
  return now >= next_cache_look_;
}

void GroupWriter::KeepLogShort() {
  // On a full disk the log has only the reserve to grow in.
  const bool full = health().state == HealthState::kReadOnly;
  if (wal_pages_ >= (full ? options_.max_wal_pages / 8 : options_.max_wal_pages)) StartLogOver();
}

// Under an unbroken stream of writes a checkpoint beside the writer never reaches the end of the
// log, so now and then the writer waits for one.
void GroupWriter::StartLogOver() {
  const absl::Status status = Checkpoint(SQLITE_CHECKPOINT_RESTART);
  if (IsDiskError(status)) Die(status);
  // A reader in the way: the log grows on and the next commit tries again.
  if (!status.ok() && !absl::IsUnavailable(status)) {
    LOG_WARN("store: {}", std::string(status.message()));
  }
}

absl::Status GroupWriter::Checkpoint(int mode) {
  MutexLock turn(checkpoint_turn_);
  sqlite3* db = tables_->connection()->get();
  return SqliteStatus(db, sqlite3_wal_checkpoint_v2(db, nullptr, mode, nullptr, nullptr),
                      "checkpoint");
}

// Nothing when only time has passed or the end is near. Otherwise one piece of work, or the
// transactions up to the next piece.
std::vector<GroupWriter::Job> GroupWriter::NextJobs() {
  std::vector<Job> jobs;
  MutexLock lock(&mutex_);
  if (queue_.empty() && !stopping_) {
    const absl::Duration wait = WaitTime();
    if (wait == absl::InfiniteDuration()) {
      queued_.Wait(&mutex_);
    } else {
      queued_.WaitFor(&mutex_, wait);
    }
  }
  while (!queue_.empty() && jobs.size() < options_.max_group) {
    const bool work = static_cast<bool>(queue_.front().work);
    if (work && !jobs.empty()) break;
    jobs.push_back(std::move(queue_.front()));
    queue_.pop_front();
    if (work) break;
  }
  return jobs;
}

absl::Duration GroupWriter::WaitTime() {
  absl::Duration wait = absl::InfiniteDuration();
  if (health_.state == HealthState::kReadOnly) wait = kSpaceCheck;
  const std::optional<absl::Duration> deadline = leases_.NextDeadline();
  if (deadline.has_value() && health_.state != HealthState::kFailed) {
    const absl::Duration at = std::max(*deadline, retry_leases_at_);
    wait = std::min(wait, at - options_.clock->Monotonic());
  }
  if (next_cache_look_ != absl::InfiniteDuration()) {
    wait = std::min(wait, next_cache_look_ - options_.clock->Monotonic());
  }
  return std::max(wait, absl::ZeroDuration());
}

void GroupWriter::CommitJobs(std::vector<Job>* jobs) {
  absl::Status status = RefusalNow(false);
  if (status.ok()) {
    status = CommitTogether(*jobs);
    if (status.ok()) return;
    tables_->Rollback();
    Judge(status);
  }
  if (absl::IsResourceExhausted(status)) return CommitFullDisk(jobs);
  for (const Job& job : *jobs) {
    SubmitResult result;
    result.status = job.refused.ok() ? status : job.refused;
    job.done(std::move(result));
  }
}

absl::Status GroupWriter::CommitTogether(const std::vector<Job>& jobs) {
  std::vector<SubmitResult> results(jobs.size());
  std::vector<BatchPtr> batches;
  RETURN_IF_ERROR(tables_->Begin());
  for (size_t i = 0; i < jobs.size(); ++i) {
    results[i].status = jobs[i].refused;
    if (!jobs[i].refused.ok()) continue;
    ASSIGN_OR_RETURN(Applied applied, ApplyTxn(jobs[i].txn));
    results[i] = std::move(applied.result);
    if (applied.batch != nullptr) batches.push_back(std::move(applied.batch));
  }
  RETURN_IF_ERROR(Finish(batches));
  transactions_ += static_cast<int64_t>(batches.size());
  for (size_t i = 0; i < jobs.size(); ++i) jobs[i].done(std::move(results[i]));
  return absl::OkStatus();
}

// One by one, because a commit that fails must not take others with it.
void GroupWriter::CommitFullDisk(std::vector<Job>* jobs) {
  for (Job& job : *jobs) {
    SubmitResult result;
    result.status = job.refused.ok() ? RefusalNow(FreesSpace(job.txn)) : job.refused;
    if (absl::IsResourceExhausted(result.status) && job.refused.ok()) {
      result = WithoutWriting(job.txn, result.status);
    } else if (result.status.ok()) {
      std::vector<Job> one;
      one.push_back(job);
      result.status = CommitTogether(one);
      if (absl::IsResourceExhausted(result.status)) {
        // Perhaps only for a log that can be started over.
        tables_->Rollback();
        StartLogOver();
        result.status = CommitTogether(one);
      }
      if (result.status.ok()) {
        deleted_while_full_ = true;
        continue;
      }
      tables_->Rollback();
      Judge(result.status);
    }
    job.done(std::move(result));
  }
}

// What a full disk does not keep from being answered: the first outcome of this write, or a
// condition that fails anyway. `full` otherwise.
SubmitResult GroupWriter::WithoutWriting(const Txn& txn, const absl::Status& full) {
  SubmitResult result;
  result.status = full;
  Txn questions;
  questions.conds = txn.conds;
  questions.write_id = txn.write_id;
  absl::Status status = tables_->Begin();
  if (status.ok()) {
    const absl::StatusOr<Applied> applied = tables_->Apply(questions);
    status = applied.status();
    if (applied.ok() && (absl::IsAborted(applied->result.status) || applied->known)) {
      result = applied->result;
    }
  }
  tables_->Rollback();
  if (!status.ok()) Judge(status);
  return result;
}

absl::StatusOr<Applied> GroupWriter::ApplyTxn(const Txn& txn) {
  {
    MutexLock lock(&mutex_);
    for (const Op& op : txn.ops) {
      if (op.kind != Op::Kind::kPut || op.lease == 0 || leases_.Has(op.lease)) continue;
      Applied applied;
      applied.result.status = NoLease(op.lease);
      return applied;
    }
  }
  return tables_->Apply(txn);
}

void GroupWriter::CommitWork(const Job& job) {
  absl::Status status = RefusalNow(job.frees_space);
  if (status.ok()) {
    status = RunWork(job.work);
    if (status.ok() && job.committed) job.committed();
    if (!status.ok()) Judge(status);
  }
  job.worked(status);
}

absl::Status GroupWriter::RunWork(const Work& work) {
  std::vector<BatchPtr> batches;
  absl::Status status = tables_->Begin();
  if (status.ok()) status = work(tables_.get(), &batches);
  if (status.ok()) status = Finish(batches);
  if (!status.ok()) tables_->Rollback();
  return status;
}

absl::Status GroupWriter::Finish(const std::vector<BatchPtr>& batches) {
  RETURN_IF_ERROR(tables_->Commit());
  ++commits_;
  if (!batches.empty()) {
    // The commit is on disk whatever happens here; a stale head only notices less.
    const absl::Status noted = head_.Write(tables_->rev());
    if (!noted.ok()) LOG_WARN("store: {}", std::string(noted.message()));
    FollowLeases(batches);
  }
  rev_ = tables_->rev();
  compacted_ = tables_->compacted();
  fanout_->SetOldest(compacted_);
  fanout_->Publish(batches);
  return absl::OkStatus();
}

void GroupWriter::FollowLeases(const std::vector<BatchPtr>& batches) {
  MutexLock lock(&mutex_);
  for (const BatchPtr& batch : batches) {
    for (const Event& event : batch->events) leases_.Attach(event.kv.key, event.kv.lease);
  }
}

absl::StatusOr<LeaseId> GroupWriter::Grant(absl::Duration ttl) {
  if (ttl < kMinLease) {
    return absl::InvalidArgumentError(
        absl::StrCat("store: a lease of ", absl::FormatDuration(ttl), " is too short"));
  }
  LeaseId lease = 0;
  const auto add = [ttl, &lease](TableWriter* tables, std::vector<BatchPtr>*) -> absl::Status {
    ASSIGN_OR_RETURN(lease, tables->AddLease(absl::ToInt64Milliseconds(ttl)));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(Do(add, false));
  MutexLock lock(&mutex_);
  leases_.Add(lease, ttl, options_.clock->Monotonic());
  queued_.Signal();  // the writing thread has a new deadline to wait for
  return lease;
}

absl::Status GroupWriter::KeepAlive(LeaseId lease) {
  MutexLock lock(&mutex_);
  return leases_.Renew(lease, options_.clock->Monotonic()) ? absl::OkStatus() : NoLease(lease);
}

absl::Status GroupWriter::Revoke(LeaseId lease) {
  const auto drop = [this, lease](TableWriter* tables, std::vector<BatchPtr>* batches) {
    return DropLease(lease, tables, batches);
  };
  return Do(drop, true, [this, lease] { ForgetLease(lease); });
}

absl::Status GroupWriter::DropLease(LeaseId lease, TableWriter* tables,
                                    std::vector<BatchPtr>* batches) {
  std::vector<std::string> keys;
  {
    MutexLock lock(&mutex_);
    if (!leases_.Has(lease)) return NoLease(lease);
    keys = leases_.KeysOf(lease);
  }
  Txn txn;
  for (std::string& key : keys) {
    txn.ops.emplace_back();
    txn.ops.back().kind = Op::Kind::kDelete;
    txn.ops.back().key = std::move(key);
  }
  ASSIGN_OR_RETURN(const Applied applied, tables->Apply(txn));
  if (applied.batch != nullptr) batches->push_back(applied.batch);
  return tables->RemoveLease(lease);
}

void GroupWriter::ForgetLease(LeaseId lease) {
  MutexLock lock(&mutex_);
  leases_.Remove(lease);
}

void GroupWriter::ExpireLeases() {
  const absl::Duration now = options_.clock->Monotonic();
  std::vector<LeaseId> expired;
  {
    MutexLock lock(&mutex_);
    if (health_.state == HealthState::kFailed || now < retry_leases_at_) return;
    expired = leases_.Expired(now);
  }
  for (const LeaseId lease : expired) {
    const auto drop = [this, lease](TableWriter* tables, std::vector<BatchPtr>* batches) {
      return DropLease(lease, tables, batches);
    };
    const absl::Status status = RunWork(drop);
    if (status.ok()) {
      ForgetLease(lease);
      continue;
    }
    LOG_WARN("store: cannot end lease {}: {}", lease, std::string(status.message()));
    Judge(status);
    MutexLock lock(&mutex_);
    retry_leases_at_ = now + kLeaseRetry;
    return;
  }
}

absl::Status GroupWriter::RefusalNow(bool frees_space) const {
  MutexLock lock(&mutex_);
  if (health_.state == HealthState::kFailed) return absl::FailedPreconditionError(health_.reason);
  if (health_.state == HealthState::kReadOnly && !frees_space) {
    return absl::ResourceExhaustedError(health_.reason);
  }
  return absl::OkStatus();
}

}  // namespace cluster::store
