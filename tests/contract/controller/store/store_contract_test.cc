// Transactions, listings, write ids, leases, limits: what every store must do alike.
#include <thread>

#include "tests/contract/controller/store/store_under_test.h"

namespace cluster::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::Values(Engine::kMemory, Engine::kSqlite),
                         EngineName);

TEST_P(StoreContract, ANewStoreIsEmptyAtRevisionZero) {
  EXPECT_EQ(store_->CurrentRev(), 0);
  EXPECT_EQ(store_->OldestRev(), 0);
  EXPECT_EQ(store_->List("")->rev, 0);
  EXPECT_THAT(store_->List("")->kvs, IsEmpty());
  EXPECT_EQ(store_->GetHealth().state, HealthState::kOk);
  EXPECT_GT(store_->Term(), 0);
}

TEST_P(StoreContract, EachTransactionIsOneRevision) {
  EXPECT_EQ(Write(store_.get(), {PutOp("a", "1"), PutOp("b", "1")}).commit.rev, 1);
  EXPECT_EQ(Write(store_.get(), {PutOp("c", "1")}).commit.rev, 2);
  EXPECT_EQ(Delete(store_.get(), "absent"), 3);
  EXPECT_EQ(store_->CurrentRev(), 3);
}

TEST_P(StoreContract, RevisionsAndVersionsFollowAKeysLife) {
  Put(store_.get(), "k", "1");
  Put(store_.get(), "k", "2");
  Kv kv = store_->List("k")->kvs.at(0);
  EXPECT_EQ(kv.create_rev, 1);
  EXPECT_EQ(kv.mod_rev, 2);
  EXPECT_EQ(kv.version, 2);
  Delete(store_.get(), "k");
  Put(store_.get(), "k", "3");
  kv = store_->List("k")->kvs.at(0);
  EXPECT_EQ(kv.create_rev, 4);
  EXPECT_EQ(kv.version, 1);
}

TEST_P(StoreContract, ValuesAndKeysMayHoldAnyByte) {
  const std::string key("k\0\xff/", 4);
  const std::string value("\0\xff\n", 3);
  Put(store_.get(), key, value);
  Put(store_.get(), "empty", "");
  const Listing listing = *store_->List("");
  ASSERT_THAT(listing.kvs, SizeIs(2));
  EXPECT_EQ(listing.kvs[0].key, "empty");
  EXPECT_EQ(listing.kvs[0].value, "");
  EXPECT_EQ(listing.kvs[1].key, key);
  EXPECT_EQ(listing.kvs[1].value, value);
}

TEST_P(StoreContract, ListTakesExactlyThePrefixInKeyOrder) {
  for (const char* key : {"b/2", "a/1", "b/", "b0", "b/1", "c", "b/\xff"}) {
    Put(store_.get(), key, "v");
  }
  EXPECT_THAT(ListText(store_.get(), "b/"), ElementsAre("b/=v", "b/1=v", "b/2=v", "b/\xff=v"));
  EXPECT_THAT(ListText(store_.get(), "b/\xff"), ElementsAre("b/\xff=v"));
  EXPECT_THAT(ListText(store_.get(), ""), SizeIs(7));
  EXPECT_THAT(ListText(store_.get(), "absent"), IsEmpty());
}

TEST_P(StoreContract, ListShowsAnyRevisionSinceTheBeginning) {
  Put(store_.get(), "a", "1");      // 1
  Put(store_.get(), "b", "1");      // 2
  Put(store_.get(), "a", "2");      // 3
  Delete(store_.get(), "b");        // 4
  Put(store_.get(), "b", "again");  // 5
  Delete(store_.get(), "a");        // 6
  EXPECT_THAT(ListText(store_.get(), "", 1), ElementsAre("a=1"));
  EXPECT_THAT(ListText(store_.get(), "", 2), ElementsAre("a=1", "b=1"));
  EXPECT_THAT(ListText(store_.get(), "", 3), ElementsAre("a=2", "b=1"));
  EXPECT_THAT(ListText(store_.get(), "", 4), ElementsAre("a=2"));
  EXPECT_THAT(ListText(store_.get(), "", 5), ElementsAre("a=2", "b=again"));
  EXPECT_THAT(ListText(store_.get(), "", 6), ElementsAre("b=again"));
  EXPECT_EQ(store_->List("", 3)->rev, 3);
  EXPECT_EQ(store_->List("", 3)->kvs.at(0).mod_rev, 3);
  EXPECT_TRUE(absl::IsInvalidArgument(store_->List("", 7).status()));
}

TEST_P(StoreContract, AConditionHoldsOnTheExactRevision) {
  const Rev rev = Put(store_.get(), "a", "1");
  EXPECT_TRUE(Write(store_.get(), {PutOp("a", "2")}, {{"a", rev}}).status.ok());
  const SubmitResult stale = Write(store_.get(), {PutOp("a", "3")}, {{"a", rev}});
  EXPECT_TRUE(absl::IsAborted(stale.status));
  ASSERT_THAT(stale.conflicts, SizeIs(1));
  EXPECT_EQ(stale.conflicts[0].key, "a");
  EXPECT_EQ(stale.conflicts[0].value, "2");
  EXPECT_EQ(stale.conflicts[0].mod_rev, rev + 1);
}

TEST_P(StoreContract, ZeroMeansMustNotExist) {
  EXPECT_TRUE(Write(store_.get(), {PutOp("a", "1")}, {{"a", 0}}).status.ok());
  EXPECT_TRUE(absl::IsAborted(Write(store_.get(), {PutOp("a", "2")}, {{"a", 0}}).status));
  const SubmitResult gone = Write(store_.get(), {PutOp("b", "1")}, {{"b", 7}});
  EXPECT_TRUE(absl::IsAborted(gone.status));
  ASSERT_THAT(gone.conflicts, SizeIs(1));
  EXPECT_EQ(gone.conflicts[0].key, "b");
  EXPECT_EQ(gone.conflicts[0].mod_rev, 0);
}

TEST_P(StoreContract, AFailedConditionLeavesNothingOfTheTransaction) {
  Put(store_.get(), "a", "1");
  const SubmitResult result =
      Write(store_.get(), {PutOp("x", "1"), DeleteOp("a"), PutOp("y", "1")}, {{"x", 0}, {"a", 9}});
  EXPECT_TRUE(absl::IsAborted(result.status));
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("a=1"));
  EXPECT_EQ(store_->CurrentRev(), 1);
}

TEST_P(StoreContract, ConditionsAloneCheckAndUseUpNoRevision) {
  Put(store_.get(), "a", "1");
  const SubmitResult holds = Write(store_.get(), {}, {{"a", 1}});
  EXPECT_TRUE(holds.status.ok());
  EXPECT_EQ(holds.commit.rev, 1);
  EXPECT_TRUE(absl::IsAborted(Write(store_.get(), {}, {{"a", 2}}).status));
}

TEST_P(StoreContract, TheSameWriteIdIsAppliedOnce) {
  const std::string id(16, 'i');
  const SubmitResult first = Write(store_.get(), {PutOp("a", "1")}, {{"a", 0}}, id);
  ASSERT_TRUE(first.status.ok());
  Put(store_.get(), "a", "2");
  const SubmitResult again = Write(store_.get(), {PutOp("a", "1")}, {{"a", 0}}, id);
  EXPECT_TRUE(again.status.ok());
  EXPECT_EQ(again.commit.rev, first.commit.rev);
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("a=2"));
  EXPECT_EQ(store_->List("a", 1)->kvs.at(0).write_id, id);
}

TEST_P(StoreContract, TheSameWriteIdTwiceInFlightIsAppliedOnce) {
  const std::string id(16, 'j');
  std::vector<Rev> revs(50);
  Mutex mutex;
  CondVar changed;
  size_t answered = 0;
  for (Rev& rev : revs) {
    store_->Submit(MakeTxn({PutOp("a", "1")}, {}, id), [&](SubmitResult result) {
      MutexLock lock(&mutex);
      rev = result.commit.rev;
      ++answered;
      changed.Signal();
    });
  }
  MutexLock lock(&mutex);
  while (answered < revs.size()) ASSERT_TRUE(changed.WaitFor(&mutex, kDeadline));
  EXPECT_THAT(revs, testing::Each(1));
  EXPECT_EQ(store_->CurrentRev(), 1);
}

TEST_P(StoreContract, AWriteIdThatConflictedIsTriedAnew) {
  const std::string id(16, 'k');
  const Rev rev = Put(store_.get(), "a", "1");
  EXPECT_TRUE(absl::IsAborted(Write(store_.get(), {PutOp("b", "1")}, {{"a", 0}}, id).status));
  EXPECT_TRUE(Write(store_.get(), {PutOp("b", "1")}, {{"a", rev}}, id).status.ok());
}

TEST_P(StoreContract, LimitsAreToldAndNothingIsWritten) {
  std::vector<Op> many;
  for (size_t i = 0; i <= kMaxOps; ++i) many.push_back(PutOp(absl::StrCat("k", i), ""));
  EXPECT_TRUE(absl::IsResourceExhausted(Write(store_.get(), many).status));
  many.pop_back();
  EXPECT_TRUE(Write(store_.get(), many).status.ok());
  EXPECT_TRUE(absl::IsResourceExhausted(
      Write(store_.get(), {PutOp("big", std::string(kMaxBytes, 'x'))}).status));
  EXPECT_TRUE(absl::IsInvalidArgument(Write(store_.get(), {PutOp("", "x")}).status));
  const SubmitResult twice = Write(store_.get(), {PutOp("a", "1"), DeleteOp("a")});
  EXPECT_TRUE(absl::IsInvalidArgument(twice.status));
  EXPECT_THAT(std::string(twice.status.message()), HasSubstr("a occurs twice"));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Write(store_.get(), {PutOp("a", "1")}, {}, std::string(kMaxWriteId + 1, 'i')).status));
  EXPECT_EQ(store_->CurrentRev(), 1);
}

TEST_P(StoreContract, AValueOfTheLargestSizeFits) {
  const std::string big(kMaxBytes - 3, 'x');
  Put(store_.get(), "big", big);
  EXPECT_EQ(store_->List("big")->kvs.at(0).value, big);
}

TEST_P(StoreContract, AnswersComeInTheOrderOfSubmission) {
  constexpr int kWrites = 500;
  std::vector<Rev> revs;
  Mutex mutex;
  CondVar changed;
  for (int i = 0; i < kWrites; ++i) {
    store_->Submit(MakeTxn({PutOp("k", absl::StrCat(i))}), [&](SubmitResult result) {
      MutexLock lock(&mutex);
      revs.push_back(result.commit.rev);
      changed.Signal();
    });
  }
  MutexLock lock(&mutex);
  while (revs.size() < kWrites) ASSERT_TRUE(changed.WaitFor(&mutex, kDeadline));
  for (int i = 0; i < kWrites; ++i) ASSERT_EQ(revs[static_cast<size_t>(i)], i + 1);
  EXPECT_THAT(ListText(store_.get(), "k"), ElementsAre(absl::StrCat("k=", kWrites - 1)));
}

TEST_P(StoreContract, ACallbackMaySubmit) {
  Mutex mutex;
  CondVar changed;
  Rev second = 0;
  store_->Submit(MakeTxn({PutOp("a", "1")}), [&](const SubmitResult&) {
    store_->Submit(MakeTxn({PutOp("a", "2")}), [&](SubmitResult result) {
      MutexLock lock(&mutex);
      second = result.commit.rev;
      changed.Signal();
    });
  });
  MutexLock lock(&mutex);
  while (second == 0) ASSERT_TRUE(changed.WaitFor(&mutex, kDeadline));
  EXPECT_EQ(second, 2);
}

// Strict serializability, by a history that proves it: each writer increments a counter by compare
// and set, so every committed revision must have exactly one author and no increment may be lost.
TEST_P(StoreContract, ConcurrentCompareAndSetLosesNoUpdate) {
  constexpr int kThreads = 8;
  constexpr int kIncrements = 60;
  Put(store_.get(), "counter", "0");
  std::vector<std::thread> threads;
  std::vector<std::vector<Rev>> mine(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, &mine, t] {
      Rev last_seen = 0;
      for (int done = 0; done < kIncrements;) {
        const Kv kv = store_->List("counter")->kvs.at(0);
        ASSERT_GE(kv.mod_rev, last_seen) << "a read went back in time";
        last_seen = kv.mod_rev;
        const int next = std::stoi(kv.value) + 1;
        const SubmitResult result =
            Write(store_.get(), {PutOp("counter", absl::StrCat(next))}, {{"counter", kv.mod_rev}});
        if (absl::IsAborted(result.status)) continue;
        ASSERT_TRUE(result.status.ok()) << result.status;
        ASSERT_GT(result.commit.rev, kv.mod_rev);
        last_seen = result.commit.rev;
        mine[static_cast<size_t>(t)].push_back(result.commit.rev);
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Rev> all;
  for (const auto& revs : mine) all.insert(all.end(), revs.begin(), revs.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
  EXPECT_THAT(ListText(store_.get(), "counter"),
              ElementsAre(absl::StrCat("counter=", kThreads * kIncrements)));
}

// Two keys that are always written together are never seen apart, at any revision.
TEST_P(StoreContract, TransactionsAreAtomicToReaders) {
  constexpr int kWrites = 300;
  std::atomic<bool> writing{true};
  std::thread reader([this, &writing] {
    do {
      const Listing listing = *store_->List("");
      if (listing.kvs.empty()) continue;
      ASSERT_THAT(listing.kvs, SizeIs(2));
      ASSERT_EQ(listing.kvs[0].value, listing.kvs[1].value);
      ASSERT_EQ(listing.kvs[0].mod_rev, listing.rev);
    } while (writing);
  });
  for (int i = 0; i < kWrites; ++i) {
    const std::string value = absl::StrCat(i);
    ASSERT_TRUE(Write(store_.get(), {PutOp("a", value), PutOp("b", value)}).status.ok());
  }
  writing = false;
  reader.join();
}

TEST_P(StoreContract, KeysOfALeaseGoWhenItRunsOut) {
  const LeaseId lease = *store_->Grant(absl::Seconds(5));
  ASSERT_TRUE(Write(store_.get(), {PutOp("a", "1", lease), PutOp("b", "1", lease)}).status.ok());
  Put(store_.get(), "c", "1");
  clock_.Advance(absl::Seconds(4));
  Put(store_.get(), "d", "1");
  EXPECT_THAT(ListText(store_.get(), ""), SizeIs(4));
  clock_.Advance(absl::Seconds(2));
  const Rev rev = Put(store_.get(), "e", "1");
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("c=1", "d=1", "e=1"));
  EXPECT_EQ(rev, 5) << "the expiry is one revision";
  EXPECT_TRUE(absl::IsNotFound(store_->KeepAlive(lease)));
  EXPECT_TRUE(absl::IsNotFound(store_->Revoke(lease)));
}

TEST_P(StoreContract, AKeptLeaseLives) {
  const LeaseId lease = *store_->Grant(absl::Seconds(5));
  ASSERT_TRUE(Write(store_.get(), {PutOp("a", "1", lease)}).status.ok());
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(absl::Seconds(4));
    ASSERT_TRUE(store_->KeepAlive(lease).ok());
  }
  Put(store_.get(), "b", "1");
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("a=1", "b=1"));
}

TEST_P(StoreContract, ALeaseCannotBeRevivedAfterItsTime) {
  const LeaseId lease = *store_->Grant(absl::Seconds(5));
  clock_.Advance(absl::Seconds(6));
  EXPECT_TRUE(absl::IsNotFound(store_->KeepAlive(lease)));
}

TEST_P(StoreContract, RevokeDeletesTheKeysInOneRevision) {
  const LeaseId lease = *store_->Grant(absl::Seconds(5));
  ASSERT_TRUE(Write(store_.get(), {PutOp("a", "1", lease), PutOp("b", "1", lease)}).status.ok());
  ASSERT_TRUE(store_->Revoke(lease).ok());
  EXPECT_THAT(store_->List("")->kvs, IsEmpty());
  EXPECT_EQ(store_->CurrentRev(), 2);
  EXPECT_TRUE(absl::IsNotFound(store_->Revoke(lease)));
}

TEST_P(StoreContract, AKeyWrittenWithoutTheLeaseLeavesIt) {
  const LeaseId lease = *store_->Grant(absl::Seconds(5));
  ASSERT_TRUE(Write(store_.get(), {PutOp("a", "1", lease)}).status.ok());
  Put(store_.get(), "a", "2");
  ASSERT_TRUE(store_->Revoke(lease).ok());
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("a=2"));
}

TEST_P(StoreContract, APutUnderAnUnknownLeaseIsRefusedWhole) {
  const SubmitResult result = Write(store_.get(), {PutOp("a", "1"), PutOp("b", "1", 77)});
  EXPECT_TRUE(absl::IsNotFound(result.status));
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("77"));
  EXPECT_THAT(store_->List("")->kvs, IsEmpty());
  EXPECT_TRUE(absl::IsInvalidArgument(store_->Grant(absl::ZeroDuration()).status()));
}

TEST_P(StoreContract, CompactionKeepsTheStateAtItsRevisionAndWhatFollows) {
  Put(store_.get(), "a", "1");  // 1
  Put(store_.get(), "b", "1");  // 2
  Put(store_.get(), "a", "2");  // 3
  Delete(store_.get(), "b");    // 4
  Put(store_.get(), "a", "3");  // 5
  ASSERT_TRUE(store_->Compact(4).ok());
  EXPECT_EQ(store_->OldestRev(), 4);
  EXPECT_TRUE(absl::IsOutOfRange(store_->List("", 3).status()));
  EXPECT_THAT(ListText(store_.get(), "", 4), ElementsAre("a=2"));
  EXPECT_THAT(ListText(store_.get(), "", 5), ElementsAre("a=3"));
  EXPECT_THAT(ListText(store_.get(), ""), ElementsAre("a=3"));
  EXPECT_TRUE(store_->Compact(2).ok()) << "backwards is nothing to do";
  EXPECT_EQ(store_->OldestRev(), 4);
  EXPECT_TRUE(absl::IsOutOfRange(store_->Compact(6)));
}

// Whatever is compacted when, every revision that is still served shows what it showed before.
TEST_P(StoreContract, CompactionChangesNoRevisionThatIsStillServed) {
  std::map<std::string, std::string> now;
  std::map<Rev, std::vector<std::string>> then;
  unsigned random = 12345;
  const auto any = [&random](unsigned n) {
    random = random * 1103515245u + 12345u;
    return (random >> 16) % n;
  };
  for (int step = 0; step < 400; ++step) {
    const std::string key = absl::StrCat("k", any(12));
    Rev rev = 0;
    if (any(3) == 0) {
      now.erase(key);
      rev = Delete(store_.get(), key);
    } else {
      now[key] = absl::StrCat(step);
      rev = Put(store_.get(), key, now[key]);
    }
    for (const auto& [k, v] : now) then[rev].push_back(absl::StrCat(k, "=", v));
    then[rev];
    if (step % 57 == 56) {
      const Rev to =
          store_->OldestRev() + 1 + any(static_cast<unsigned>(rev - store_->OldestRev()));
      ASSERT_TRUE(store_->Compact(to).ok());
      for (const auto& [at, text] : then) {
        if (at < to) continue;
        ASSERT_EQ(ListText(store_.get(), "", at), text) << "at " << at << " after " << to;
      }
    }
  }
}

TEST_P(StoreContract, AWriteIdIsForgottenWithItsHistory) {
  const std::string id(16, 'i');
  Write(store_.get(), {PutOp("a", "1")}, {}, id);
  Put(store_.get(), "b", "1");
  ASSERT_TRUE(store_->Compact(1).ok());
  EXPECT_EQ(Write(store_.get(), {PutOp("a", "2")}, {}, id).commit.rev, 3);
}

}  // namespace
}  // namespace cluster::store
