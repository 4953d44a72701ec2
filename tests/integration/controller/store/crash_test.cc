// I5: what was acknowledged is there after kill -9 and after a power cut; what was not is there
// whole or not at all.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>

#include "base/file.h"
#include "tests/integration/controller/store/fault_vfs.h"
#include "tests/integration/controller/store/sqlite_fixture.h"

namespace cluster::store {
namespace {

constexpr int kInFlight = 8;

class CrashTest : public SqliteFixture {
 protected:
  // The pair of keys that write number `i` puts together.
  static Txn PairOf(int64_t i) {
    const std::string number = absl::StrCat(absl::Dec(i, absl::kZeroPad12));
    return MakeTxn(
        {PutOp("a/" + number, number), PutOp("b/" + number, number), PutOp("last", number)});
  }

  // Numbers present under a/; checks that both halves are there and that there is no hole.
  static int64_t CheckPairs(Store* store) {
    const Listing a = *store->List("a/");
    const Listing b = *store->List("b/");
    EXPECT_EQ(a.kvs.size(), b.kvs.size());
    for (size_t i = 0; i < a.kvs.size(); ++i) {
      const std::string number = absl::StrCat(absl::Dec(i, absl::kZeroPad12));
      EXPECT_EQ(a.kvs[i].key, "a/" + number);
      EXPECT_EQ(a.kvs[i].value, number);
      EXPECT_EQ(b.kvs[i].value, number);
      EXPECT_EQ(a.kvs[i].mod_rev, b.kvs[i].mod_rev);
    }
    return static_cast<int64_t>(a.kvs.size());
  }
};

// The child: opens, writes on from number `next` with several in flight, and tells each
// acknowledgement through the pipe until it is killed.
[[noreturn]] void WriteUntilKilled(const SqliteOptions& options, int64_t next, int acks,
                                   const std::function<Txn(int64_t)>& txn) {
  auto store = SqliteStore::Open(options);
  if (!store.ok()) _exit(2);
  std::atomic<int> in_flight{0};
  for (int64_t i = next;; ++i) {
    while (in_flight.load() >= kInFlight) in_flight.wait(kInFlight);
    ++in_flight;
    (*store)->Submit(txn(i), [i, acks, &in_flight](const SubmitResult& result) {
      if (!result.status.ok() || write(acks, &i, sizeof i) != sizeof i) _exit(3);
      --in_flight;
      in_flight.notify_all();
    });
  }
}

TEST_F(CrashTest, NothingAcknowledgedIsLostByKill9) {
  constexpr int kRounds = 300;
  std::mt19937 random(4711);
  int64_t present = 0;
  for (int round = 0; round < kRounds; ++round) {
    int acks[2];
    ASSERT_EQ(pipe(acks), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(acks[0]);
      WriteUntilKilled(Options(directory_), present, acks[1], PairOf);
    }
    close(acks[1]);
    int64_t acknowledged = -1;
    for (size_t wanted = random() % 40; wanted > 0; --wanted) {
      int64_t number = 0;
      ASSERT_EQ(read(acks[0], &number, sizeof number), static_cast<ssize_t>(sizeof number));
      acknowledged = number;
    }
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
    // Acknowledgements that were on their way when it died count too.
    int64_t number = 0;
    while (read(acks[0], &number, sizeof number) == sizeof number) acknowledged = number;
    close(acks[0]);

    Open();
    present = CheckPairs(store_.get());
    ASSERT_GT(present, acknowledged) << "round " << round;
    ASSERT_EQ(store_->CurrentRev(), present);
    store_.reset();
    // Small again now and then, so that the rounds stay short.
    if (round % 30 == 29) {
      std::filesystem::remove_all(directory_);
      std::filesystem::create_directory(directory_);
      present = 0;
    }
    if (HasFailure()) return;
  }
}

TEST_F(CrashTest, NothingAcknowledgedIsLostByAPowerCut) {
  constexpr unsigned kRounds = 120;
  for (unsigned seed = 1; seed <= kRounds; ++seed) {
    const std::string before = absl::StrCat(directory_, "/", seed, "-before");
    const std::string after = absl::StrCat(directory_, "/", seed, "-after");
    std::filesystem::create_directory(before);
    std::filesystem::create_directory(after);
    ForgetFiles();
    SqliteOptions options = Options(before);
    options.vfs = RegisterFaultVfs();
    options.checkpoint_pages = 10;  // so that cuts fall into checkpoints too
    int64_t acknowledged = 0;
    {
      auto store = SqliteStore::Open(options);
      ASSERT_TRUE(store.ok()) << store.status();
      Mutex mutex;
      CondVar changed;
      int64_t answered = 0;
      const int64_t cut_at = 1 + seed % 40;
      for (int64_t i = 0; i < cut_at + kInFlight; ++i) {
        (*store)->Submit(PairOf(i), [&](const SubmitResult& result) {
          EXPECT_TRUE(result.status.ok());
          MutexLock lock(&mutex);
          ++answered;
          changed.Signal();
        });
      }
      {
        MutexLock lock(&mutex);
        while (answered < cut_at) ASSERT_TRUE(changed.WaitFor(&mutex, kDeadline));
        acknowledged = answered;
      }
      // The head is written without a sync: it may be as old as the first one, never newer than
      // now.
      if (seed % 2 == 0) {
        std::filesystem::copy(options.path + "-head", after + "/store.db-head");
      }
      CutPower(before, after, seed);
      MutexLock lock(&mutex);
      while (answered < cut_at + kInFlight) ASSERT_TRUE(changed.WaitFor(&mutex, kDeadline));
    }
    auto survivor = SqliteStore::Open(Options(after));
    ASSERT_TRUE(survivor.ok()) << "seed " << seed << ": " << survivor.status();
    ASSERT_GE(CheckPairs(survivor->get()), acknowledged) << "seed " << seed;
    if (HasFailure()) return;
    survivor->reset();
    std::filesystem::remove_all(before);
    std::filesystem::remove_all(after);
  }
}

}  // namespace
}  // namespace cluster::store
