// The properties of a watch: ordered, unique, atomic, without gap, resumable, bookmarked.
#include <thread>

#include "tests/contract/controller/store/store_under_test.h"

namespace cluster::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using StoreWatchContract = StoreContract;
INSTANTIATE_TEST_SUITE_P(Stores, StoreWatchContract,
                         testing::Values(Engine::kMemory, Engine::kSqlite), EngineName);

TEST_P(StoreWatchContract, TellsLiveChangesOfItsPrefixAlone) {
  Recorder recorder;
  const auto watch = store_->Watch("a/", 0, &recorder);
  Put(store_.get(), "a/1", "x");
  Put(store_.get(), "b/1", "x");
  Delete(store_.get(), "a/1");
  EXPECT_THAT(recorder.Until(3), ElementsAre("1:+a/1=x", "3:-a/1"));
}

TEST_P(StoreWatchContract, ATransactionIsOneBatchSortedByKey) {
  Put(store_.get(), "c", "0");
  Recorder recorder;
  const auto watch = store_->Watch("", 1, &recorder);
  Write(store_.get(), {PutOp("z", "1"), DeleteOp("c"), PutOp("a", "1"), DeleteOp("absent")});
  EXPECT_THAT(recorder.Until(2), ElementsAre("2:+a=1 -c +z=1"));
}

TEST_P(StoreWatchContract, ReplaysHistoryThenGoesOnLive) {
  Put(store_.get(), "a", "1");
  Put(store_.get(), "a", "2");
  Delete(store_.get(), "a");
  Recorder recorder;
  const auto watch = store_->Watch("", 1, &recorder);
  Put(store_.get(), "a", "3");
  EXPECT_THAT(recorder.Until(4), ElementsAre("2:+a=2", "3:-a", "4:+a=3"));
}

TEST_P(StoreWatchContract, ProgressIsToldWhenNothingConcernsIt) {
  Recorder recorder;
  const auto watch = store_->Watch("quiet/", 0, &recorder);
  const Rev rev = Put(store_.get(), "busy", "1");
  EXPECT_THAT(recorder.Until(rev), IsEmpty());
}

TEST_P(StoreWatchContract, ACompactedStartIsTold) {
  for (int i = 0; i < 5; ++i) Put(store_.get(), "a", absl::StrCat(i));
  ASSERT_TRUE(store_->Compact(3).ok());
  if (GetParam() == Engine::kSqlite) Reopen();  // the recent batches are not in memory then
  Recorder gone;
  const auto watch = store_->Watch("", 2, &gone);
  EXPECT_EQ(gone.UntilCompacted(), 3);
  EXPECT_THAT(gone.Until(5), IsEmpty());
  Recorder kept;
  const auto next = store_->Watch("", 3, &kept);
  EXPECT_THAT(kept.Until(5), ElementsAre("4:+a=3", "5:+a=4"));
}

TEST_P(StoreWatchContract, DestroyingTheHandleEndsTheWatch) {
  Recorder recorder;
  auto watch = store_->Watch("", 0, &recorder);
  Put(store_.get(), "a", "1");
  recorder.Until(1);
  watch.reset();
  Put(store_.get(), "a", "2");
  Recorder other;
  const auto second = store_->Watch("", 0, &other);
  other.Until(2);
  EXPECT_EQ(recorder.batches().size(), 1u);
}

class SelfEnding : public Recorder {
 public:
  void OnBatch(const Batch& batch) override {
    if (handle != nullptr) handle->reset();
    Recorder::OnBatch(batch);
  }
  std::unique_ptr<WatchHandle>* handle = nullptr;
};

TEST_P(StoreWatchContract, ASinkMayEndItsOwnWatch) {
  SelfEnding sink;
  std::unique_ptr<WatchHandle> handle = store_->Watch("", 0, &sink);
  sink.handle = &handle;
  Put(store_.get(), "a", "1");
  Put(store_.get(), "a", "2");
  Recorder other;
  const auto second = store_->Watch("", 0, &other);
  other.Until(2);
  EXPECT_THAT(sink.Until(1), ElementsAre("1:+a=1"));
}

// List at R and watch from R together always are the whole truth, whatever is written meanwhile and
// however much of it has to be replayed.
TEST_P(StoreWatchContract, ListAndWatchTogetherEqualTheStore) {
  constexpr int kWriters = 4;
  constexpr int kWrites = 700;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([this, w] {
      for (int i = 0; i < kWrites; ++i) {
        const std::string key = absl::StrCat("k", (i * 7 + w) % 30);
        Txn txn = MakeTxn({i % 5 == 4 ? DeleteOp(key) : PutOp(key, absl::StrCat(w, "-", i))});
        if (i % 50 == 0) {
          store_->SubmitAndWait(std::move(txn));
        } else {
          store_->Submit(std::move(txn), [](const SubmitResult&) {});
        }
      }
    });
  }
  struct Follower {
    Listing start;
    std::unique_ptr<Recorder> recorder = std::make_unique<Recorder>();
    std::unique_ptr<WatchHandle> watch;
  };
  std::vector<Follower> followers(12);
  for (Follower& follower : followers) {
    follower.start = *store_->List("");
    follower.watch = store_->Watch("", follower.start.rev, follower.recorder.get());
  }
  for (std::thread& writer : writers) writer.join();
  const Rev end = Put(store_.get(), "end", "1");
  ASSERT_EQ(end, kWriters * kWrites + 1);
  const std::vector<std::string> truth = ListText(store_.get(), "");
  for (Follower& follower : followers) {
    follower.recorder->Until(end);
    std::map<std::string, std::string> mine;
    for (const Kv& kv : follower.start.kvs) mine[kv.key] = kv.value;
    Rev last = follower.start.rev;
    for (const Batch& batch : follower.recorder->batches()) {
      ASSERT_GT(batch.rev, last) << "out of order, or told twice";
      last = batch.rev;
      for (const Event& event : batch.events) {
        if (event.kind == Event::Kind::kDelete) {
          ASSERT_EQ(mine.erase(event.kv.key), 1u) << "a change was left out";
        } else {
          mine[event.kv.key] = event.kv.value;
        }
      }
    }
    std::vector<std::string> text;
    for (const auto& [key, value] : mine) text.push_back(absl::StrCat(key, "=", value));
    EXPECT_EQ(text, truth);
  }
}

// A watch may be resumed at any revision it was given, over and over, without loss or repetition.
TEST_P(StoreWatchContract, ResumesAtEveryRevision) {
  std::vector<std::string> all;
  for (int i = 1; i <= 40; ++i) {
    Put(store_.get(), "k", absl::StrCat(i));
    all.push_back(absl::StrCat(i, ":+k=", i));
  }
  for (Rev from = 0; from <= 40; ++from) {
    Recorder recorder;
    const auto watch = store_->Watch("k", from, &recorder);
    EXPECT_EQ(recorder.Until(40), std::vector<std::string>(all.begin() + from, all.end()));
  }
}

// More than the ring holds, so that replay must come out of the store's history.
TEST_P(StoreWatchContract, ReplaysFarMoreThanIsKeptInMemory) {
  constexpr int kWrites = 3000;
  for (int i = 1; i < kWrites; ++i) {
    store_->Submit(MakeTxn({PutOp("k", absl::StrCat(i))}), [](const SubmitResult&) {});
  }
  Put(store_.get(), "k", "last");
  Recorder recorder;
  const auto watch = store_->Watch("", 0, &recorder);
  const auto text = recorder.Until(kWrites);
  ASSERT_EQ(text.size(), static_cast<size_t>(kWrites));
  for (int i = 1; i < kWrites; ++i) {
    ASSERT_EQ(text[static_cast<size_t>(i - 1)], absl::StrCat(i, ":+k=", i));
  }
}

}  // namespace
}  // namespace cluster::store
