// What only the SQLite store promises: everything over a restart, one commit for many, one owner.
#include "controller/store/sqlite_store.h"

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "controller/store/compaction.h"
#include "tests/integration/controller/store/fault_vfs.h"
#include "tests/integration/controller/store/sqlite_fixture.h"

namespace cluster::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SqliteStoreTest : public SqliteFixture {
 protected:
  SqliteStoreTest() { Open(); }
};

TEST_F(SqliteStoreTest, EverythingIsThereAfterARestart) {
  Put(store_.get(), "a", "1");
  Put(store_.get(), "b", std::string("\0x", 2));
  Put(store_.get(), "a", "2");
  Delete(store_.get(), "b");
  Open();
  EXPECT_EQ(store_->CurrentRev(), 4);
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("a=2"));
  EXPECT_THAT(ListText(store_.get(), "", 1), ElementsAre("a=1"));
  EXPECT_EQ(Put(store_.get(), "c", "1"), 5);
}

TEST_F(SqliteStoreTest, TheTermGrowsWithEachOpening) {
  const int64_t first = store_->Term();
  Open();
  EXPECT_EQ(store_->Term(), first + 1);
  Open();
  EXPECT_EQ(store_->Term(), first + 2);
}

TEST_F(SqliteStoreTest, ThePageCacheIsGivenBackAfterATimeOfFewWrites) {
  for (int i = 0; i < 400; ++i) Put(store_.get(), absl::StrCat("key-", i), std::string(3000, 'x'));
  const int64_t warm = store_->GetStats().cache_bytes;
  EXPECT_GT(warm, 1 << 20);
  // While many are written it stays. The turn of the first of two is over with the second.
  clock_.Advance(absl::Seconds(20));
  for (int i = 0; i < 2; ++i) Put(store_.get(), "a", "1");
  EXPECT_GE(store_->GetStats().cache_bytes, warm);
  clock_.Advance(absl::Seconds(20));
  for (int i = 0; i < 2; ++i) Put(store_.get(), "a", "2");
  EXPECT_LT(store_->GetStats().cache_bytes, warm / 4);
  EXPECT_EQ(ListText(store_.get(), "key-").size(), 400u);
}

TEST_F(SqliteStoreTest, AWriteIdIsKnownAfterARestart) {
  const std::string id(16, 'w');
  const Rev rev = Write(store_.get(), {PutOp("a", "1")}, {{"a", 0}}, id).commit.rev;
  Put(store_.get(), "a", "2");
  Open();
  const SubmitResult again = Write(store_.get(), {PutOp("a", "1")}, {{"a", 0}}, id);
  EXPECT_TRUE(again.status.ok());
  EXPECT_EQ(again.commit.rev, rev);
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("a=2"));
}

TEST_F(SqliteStoreTest, LeasesGetTheirWholeTimeAgainAfterARestart) {
  const LeaseId lease = *store_->Grant(absl::Seconds(10));
  ASSERT_TRUE(Write(store_.get(), {PutOp("a", "1", lease)}).status.ok());
  clock_.Advance(absl::Seconds(9));
  Open();
  clock_.Advance(absl::Seconds(9));
  EXPECT_TRUE(store_->KeepAlive(lease).ok());
  clock_.Advance(absl::Seconds(11));
  Put(store_.get(), "b", "1");
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("b=1"));
  Open();
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("b=1"));
  EXPECT_NE(*store_->Grant(absl::Seconds(10)), lease) << "ids are never used twice";
}

TEST_F(SqliteStoreTest, AWatchReplaysWhatWasBeforeTheRestart) {
  const LeaseId lease = *store_->Grant(absl::Seconds(100));
  Recorder live;
  auto watch = store_->Watch("", 0, &live);
  Write(store_.get(), {PutOp("a", "1", lease)}, {}, std::string(16, 'i'));
  Put(store_.get(), "a", "2");
  Delete(store_.get(), "a");
  live.Until(3);
  watch.reset();
  Open();
  Recorder replayed;
  watch = store_->Watch("", 0, &replayed);
  EXPECT_EQ(replayed.Until(3), live.Until(3));
  const std::vector<Batch> was = live.batches();
  const std::vector<Batch> is = replayed.batches();
  for (size_t i = 0; i < 3; ++i) {
    const Kv& a = was.at(i).events.at(0).kv;
    const Kv& b = is.at(i).events.at(0).kv;
    EXPECT_EQ(a.create_rev, b.create_rev);
    EXPECT_EQ(a.version, b.version);
    EXPECT_EQ(a.lease, b.lease);
    EXPECT_EQ(a.write_id, b.write_id);
  }
  watch.reset();
}

TEST_F(SqliteStoreTest, CompactionHoldsOverARestart) {
  for (int i = 0; i < 10; ++i) Put(store_.get(), "a", absl::StrCat(i));
  Delete(store_.get(), "a");
  Put(store_.get(), "b", "1");
  ASSERT_TRUE(store_->Compact(11).ok());
  Open();
  EXPECT_EQ(store_->OldestRev(), 11);
  EXPECT_TRUE(absl::IsOutOfRange(store_->List("", 10).status()));
  EXPECT_THAT(ListText(store_.get(), "", 12), ElementsAre("b=1"));
  ASSERT_TRUE(store_->Compact(12).ok());
  EXPECT_EQ(Put(store_.get(), "c", "1"), 13);
}

// The writer is held up in a callback while the others queue, so that it finds them all at once.
TEST_F(SqliteStoreTest, TransactionsThatWaitTogetherShareOneCommit) {
  constexpr int kWaiting = 1000;
  Mutex mutex;
  CondVar changed;
  bool held_up = false;
  bool queued = false;
  int answered = 0;
  store_->Submit(MakeTxn({PutOp("first", "1")}), [&](const SubmitResult&) {
    MutexLock lock(&mutex);
    held_up = true;
    changed.SignalAll();
    while (!queued) changed.Wait(&mutex);
  });
  {
    MutexLock lock(&mutex);
    while (!held_up) ASSERT_TRUE(changed.WaitFor(&mutex, kDeadline));
  }
  const auto count = [&](const SubmitResult& result) {
    EXPECT_TRUE(result.status.ok());
    MutexLock lock(&mutex);
    ++answered;
    changed.SignalAll();
  };
  for (int i = 0; i < kWaiting; ++i) {
    store_->Submit(MakeTxn({PutOp(absl::StrCat("k", i), "v")}), count);
  }
  {
    MutexLock lock(&mutex);
    queued = true;
    changed.SignalAll();
    while (answered < kWaiting) ASSERT_TRUE(changed.WaitFor(&mutex, kDeadline));
  }
  const SqliteStats stats = store_->GetStats();
  EXPECT_EQ(stats.transactions, kWaiting + 1);
  EXPECT_EQ(stats.commits, 2);
  EXPECT_EQ(store_->CurrentRev(), kWaiting + 1) << "each still is its own revision";
}

TEST_F(SqliteStoreTest, TheLogIsCheckpointedBesideTheWriter) {
  SqliteOptions options = Options(directory_);
  options.checkpoint_pages = 20;
  store_.reset();
  store_ = *SqliteStore::Open(options);
  const absl::Time deadline = absl::Now() + kDeadline;
  for (int i = 0; store_->GetStats().checkpoints == 0; ++i) {
    ASSERT_LT(absl::Now(), deadline);
    Put(store_.get(), absl::StrCat("k", i % 100), std::string(2000, 'x'));
  }
}

TEST_F(SqliteStoreTest, TheLogDoesNotGrowWithoutBound) {
  SqliteOptions options = Options(directory_);
  options.checkpoint_pages = 1 << 20;
  options.max_wal_pages = 100;
  store_.reset();
  store_ = *SqliteStore::Open(options);
  for (int i = 0; i < 500; ++i) Put(store_.get(), "k", std::string(4000, 'x'));
  EXPECT_LT(std::filesystem::file_size(Path() + "-wal"), 150u * 4120);
}

TEST_F(SqliteStoreTest, AnotherProcessIsRefusedWithASentence) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    const absl::Status status = SqliteStore::Open(Options(directory_)).status();
    const std::string text =
        absl::StrCat(absl::IsFailedPrecondition(status), " ", status.message());
    _exit(write(pipe_fds[1], text.data(), text.size()) < 0 ? 1 : 0);
  }
  close(pipe_fds[1]);
  char text[1024] = {};
  ASSERT_GT(read(pipe_fds[0], text, sizeof text - 1), 0);
  close(pipe_fds[0]);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_THAT(std::string(text), testing::StartsWith("1 "));
  EXPECT_THAT(std::string(text), HasSubstr(absl::StrCat("is held by process ", getpid())));
  Put(store_.get(), "a", "1");
}

TEST_F(SqliteStoreTest, AStoreThatWasTakenOverWritesNothingMore) {
  Put(store_.get(), "a", "1");
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(Path().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(other, "UPDATE meta SET value = value + 1 WHERE name = CAST('term' AS BLOB)",
                   nullptr, nullptr, nullptr),
      SQLITE_OK);
  const SubmitResult fenced = Write(store_.get(), {PutOp("a", "2")});
  EXPECT_TRUE(absl::IsFailedPrecondition(fenced.status));
  EXPECT_THAT(std::string(fenced.status.message()), HasSubstr("fenced"));
  EXPECT_EQ(store_->GetHealth().state, HealthState::kFailed);
  EXPECT_TRUE(absl::IsFailedPrecondition(Write(store_.get(), {DeleteOp("a")}).status));
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("a=1"));
  sqlite3_close(other);
}

TEST_F(SqliteStoreTest, AWriterThatHoldsTheFileTooLongIsToldAsUnavailable) {
  Put(store_.get(), "a", "1");
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(Path().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_TRUE(absl::IsUnavailable(Write(store_.get(), {PutOp("a", "2")}).status));
  sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  EXPECT_EQ(Put(store_.get(), "a", "3"), 2);
}

using SqliteStoreDeathTest = SqliteFixture;

// Never retried, never acknowledged: the next start looks at what the disk really has.
TEST_F(SqliteStoreDeathTest, AFailingDiskEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        SetUpLogging("test", "info");
        SqliteOptions options = Options(directory_);
        options.vfs = RegisterFaultVfs();
        auto store = SqliteStore::Open(options);
        if (!store.ok()) _exit(3);
        std::filesystem::remove_all(directory_);  // nobody else will; the open files are enough
        FailSyncs(true);
        Write(store->get(), {PutOp("a", "1")});
        _exit(4);
      },
      "the disk failed");
}

TEST(CompactionPolicy, WaitsForBothTimeAndRevisions) {
  CompactionPolicy policy;
  const auto at = [](int minutes) { return absl::Minutes(minutes); };
  EXPECT_EQ(policy.Target(at(0), 0), 0);
  policy.Observe(at(0), 20'000);
  EXPECT_EQ(policy.Target(at(9), 0), 0) << "younger than ten minutes";
  policy.Observe(at(5), 30'000);
  policy.Observe(at(10), 50'000);
  EXPECT_EQ(policy.Target(at(10), 0), 20'000);
  EXPECT_EQ(policy.Target(at(10), 19'500), 0) << "not worth it";
  policy.Observe(at(15), 50'100);
  EXPECT_EQ(policy.Target(at(15), 0), 30'000);
}

TEST(CompactionPolicy, KeepsTenThousandRevisionsHoweverOld) {
  CompactionPolicy policy;
  for (int minute = 0; minute < 100; ++minute) {
    policy.Observe(absl::Minutes(minute), 5'000);
    EXPECT_EQ(policy.Target(absl::Minutes(minute), 0), 0);
  }
  policy.Observe(absl::Minutes(100), 12'000);
  EXPECT_EQ(policy.Target(absl::Minutes(100), 0), 2'000);
}

}  // namespace
}  // namespace cluster::store
