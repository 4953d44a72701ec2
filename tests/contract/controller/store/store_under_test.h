// The stores that the contract is held against, and the words that its tests are written in.
#pragma once

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/store/memory_store.h"
#include "controller/store/sqlite_store.h"
#include "controller/store/store.h"

namespace cluster::store {

constexpr absl::Duration kDeadline = absl::Seconds(60);

// A clock that moves only when told to, from any thread.
class TestClock : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1'700'000'000) + Monotonic(); }
  absl::Duration Monotonic() const override { return absl::Nanoseconds(now_.load()); }
  void Advance(absl::Duration by) { now_ += absl::ToInt64Nanoseconds(by); }

 private:
  std::atomic<int64_t> now_{0};
};

enum class Engine { kMemory, kSqlite };

inline std::string EngineName(const testing::TestParamInfo<Engine>& info) {
  return info.param == Engine::kMemory ? "Memory" : "Sqlite";
}

class StoreContract : public testing::TestWithParam<Engine> {
 protected:
  StoreContract() {
    char path[] = "/tmp/cluster-store-XXXXXX";
    directory_ = mkdtemp(path);
    Reopen();
  }
  ~StoreContract() override {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  // Closes and opens again; a memory store starts empty.
  void Reopen() {
    store_.reset();
    if (GetParam() == Engine::kMemory) {
      store_ = MemoryStore::Make(&clock_);
      return;
    }
    SqliteOptions options;
    options.path = directory_ + "/store.db";
    options.clock = &clock_;
    options.ballast_bytes = 1 << 20;
    auto opened = SqliteStore::Open(options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  TestClock clock_;
  std::string directory_;
  std::unique_ptr<Store> store_;
};

inline Op PutOp(const std::string& key, const std::string& value, LeaseId lease = 0) {
  Op op;
  op.key = key;
  op.value = value;
  op.lease = lease;
  return op;
}

inline Op DeleteOp(const std::string& key) {
  Op op;
  op.kind = Op::Kind::kDelete;
  op.key = key;
  return op;
}

inline Txn MakeTxn(std::vector<Op> ops, std::vector<Cond> conds = {},
                   const std::string& write_id = "") {
  Txn txn;
  txn.ops = std::move(ops);
  txn.conds = std::move(conds);
  txn.write_id = write_id;
  return txn;
}

inline SubmitResult Write(Store* store, std::vector<Op> ops, std::vector<Cond> conds = {},
                          const std::string& write_id = "") {
  return store->SubmitAndWait(MakeTxn(std::move(ops), std::move(conds), write_id));
}

// The revision of a write that must succeed.
inline Rev Put(Store* store, const std::string& key, const std::string& value) {
  const SubmitResult result = Write(store, {PutOp(key, value)});
  EXPECT_TRUE(result.status.ok()) << result.status;
  return result.commit.rev;
}

inline Rev Delete(Store* store, const std::string& key) {
  const SubmitResult result = Write(store, {DeleteOp(key)});
  EXPECT_TRUE(result.status.ok()) << result.status;
  return result.commit.rev;
}

// "key=value" of a listing that must succeed.
inline std::vector<std::string> ListText(Store* store, const std::string& prefix, Rev at = 0) {
  const absl::StatusOr<Listing> listing = store->List(prefix, at);
  if (!listing.ok()) return {std::string(listing.status().message())};
  std::vector<std::string> text;
  for (const Kv& kv : listing->kvs) text.push_back(absl::StrCat(kv.key, "=", kv.value));
  return text;
}

// Collects a watch as text: "3:+a=1 -b" is a batch of revision 3 that put a and deleted b.
class Recorder : public WatchSink {
 public:
  void OnBatch(const Batch& batch) override {
    MutexLock lock(&mutex_);
    std::string text = absl::StrCat(batch.rev, ":");
    for (const Event& event : batch.events) {
      absl::StrAppend(&text, text.back() == ':' ? "" : " ",
                      event.kind == Event::Kind::kPut
                          ? absl::StrCat("+", event.kv.key, "=", event.kv.value)
                          : absl::StrCat("-", event.kv.key));
      if (event.kv.mod_rev != batch.rev) absl::StrAppend(&text, "(wrong mod_rev)");
    }
    text_.push_back(text);
    batches_.push_back(batch);
    reached_ = std::max(reached_, batch.rev);
    changed_.SignalAll();
  }
  void OnProgress(Rev rev) override {
    MutexLock lock(&mutex_);
    reached_ = std::max(reached_, rev);
    changed_.SignalAll();
  }
  void OnCompacted(Rev oldest) override {
    MutexLock lock(&mutex_);
    compacted_ = oldest;
    changed_.SignalAll();
  }

  // Everything that came up to `rev`, or what came until the deadline.
  std::vector<std::string> Until(Rev rev) {
    MutexLock lock(&mutex_);
    while (reached_ < rev && compacted_ < 0) {
      if (!changed_.WaitFor(&mutex_, kDeadline)) break;
    }
    return text_;
  }
  Rev UntilCompacted() {
    MutexLock lock(&mutex_);
    while (compacted_ < 0) {
      if (!changed_.WaitFor(&mutex_, kDeadline)) break;
    }
    return compacted_;
  }
  std::vector<Batch> batches() {
    MutexLock lock(&mutex_);
    return batches_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> text_ ABSL_GUARDED_BY(mutex_);
  std::vector<Batch> batches_ ABSL_GUARDED_BY(mutex_);
  Rev reached_ ABSL_GUARDED_BY(mutex_) = 0;
  Rev compacted_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace cluster::store
