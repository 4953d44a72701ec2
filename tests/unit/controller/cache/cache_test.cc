#include "controller/cache/cache.h"

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/store/memory_store.h"

namespace cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr absl::Duration kDeadline = absl::Seconds(20);

v1::Object Pod(const std::string& name_space, const std::string& name,
               const std::string& app = "") {
  v1::Pod pod;
  pod.mutable_metadata()->set_namespace_(name_space);
  pod.mutable_metadata()->set_name(name);
  if (!app.empty()) (*pod.mutable_metadata()->mutable_labels())["app"] = app;
  return Wrap(std::move(pod));
}

store::Rev Put(store::Store* store, const v1::Object& object) {
  store::Txn txn;
  txn.ops.emplace_back();
  txn.ops.back().key = Key(object);
  txn.ops.back().value = SerializeObject(object);
  const store::SubmitResult result = store->SubmitAndWait(std::move(txn));
  EXPECT_TRUE(result.status.ok()) << result.status;
  return result.commit.rev;
}

store::Rev PutRaw(store::Store* store, const std::string& key, const std::string& value) {
  store::Txn txn;
  txn.ops.emplace_back();
  txn.ops.back().key = key;
  txn.ops.back().value = value;
  return store->SubmitAndWait(std::move(txn)).commit.rev;
}

store::Rev Delete(store::Store* store, const std::string& key) {
  store::Txn txn;
  txn.ops.emplace_back();
  txn.ops.back().kind = store::Op::Kind::kDelete;
  txn.ops.back().key = key;
  return store->SubmitAndWait(std::move(txn)).commit.rev;
}

// "+pods/a/x@1", "~..." modified, "-..." deleted.
std::vector<std::string> Text(const absl::StatusOr<std::vector<WatchEvent>>& events) {
  if (!events.ok()) return {std::string(events.status().message())};
  std::vector<std::string> text;
  for (const WatchEvent& event : *events) {
    const char* sign = event.type == WatchEvent::Type::kAdded      ? "+"
                       : event.type == WatchEvent::Type::kModified ? "~"
                                                                   : "-";
    text.push_back(absl::StrCat(sign, event.entry->key, "@", event.rev));
  }
  return text;
}

std::vector<std::string> Keys(const std::vector<KeptEntry>& entries) {
  std::vector<std::string> keys;
  for (const KeptEntry& entry : entries) keys.push_back(entry.key());
  return keys;
}

class CacheTest : public testing::Test {
 protected:
  std::unique_ptr<Cache> Start(CacheOptions options = {}) {
    auto cache = Cache::Start(store_.get(), options);
    EXPECT_TRUE(cache.ok()) << cache.status();
    return *std::move(cache);
  }
  WatchScope Pods(const std::string& name_space = "") {
    WatchScope scope;
    scope.kind = v1::Object::kPod;
    scope.name_space = name_space;
    return scope;
  }
  std::unique_ptr<store::MemoryStore> store_ = store::MemoryStore::Make();
};

TEST_F(CacheTest, ShowsWhatTheStoreHeldBeforeAndWhatComesAfter) {
  Put(store_.get(), Pod("default", "before"));
  const auto cache = Start();
  const store::Rev rev = Put(store_.get(), Pod("default", "after"));
  ASSERT_TRUE(cache->WaitFor(rev, kDeadline));
  EXPECT_NE(cache->Find(v1::Object::kPod, "default", "before"), nullptr);
  EXPECT_NE(cache->Find(v1::Object::kPod, "default", "after"), nullptr);
  EXPECT_EQ(cache->List(v1::Object::kPod).rev, rev);
}

TEST_F(CacheTest, KeysOutsideTheKindsMoveTheRevisionAlone) {
  const auto cache = Start();
  const store::Rev rev = PutRaw(store_.get(), "sessions/node1", "not an object");
  ASSERT_TRUE(cache->WaitFor(rev, kDeadline));
  EXPECT_EQ(cache->revision(), rev);
  EXPECT_TRUE(cache->health().ok());
}

TEST_F(CacheTest, WaitForGivesUpAtItsDeadline) {
  const auto cache = Start();
  EXPECT_FALSE(cache->WaitFor(1, absl::Milliseconds(1)));
}

TEST_F(CacheTest, ListKeepsNamespacesApartThatStartAlike) {
  const auto cache = Start();
  Put(store_.get(), Pod("a", "x"));
  Put(store_.get(), Pod("ab", "y"));
  EXPECT_THAT(Keys(cache->List(v1::Object::kPod, "a").entries), ElementsAre("pods/a/x"));
  EXPECT_THAT(cache->List(v1::Object::kPod).entries, SizeIs(2));
  EXPECT_THAT(cache->List(v1::Object::kNode).entries, IsEmpty());
}

TEST_F(CacheTest, ListAtShowsAnEarlierRevision) {
  const auto cache = Start();
  const store::Rev then = Put(store_.get(), Pod("a", "x"));
  Put(store_.get(), Pod("a", "y"));
  Delete(store_.get(), "pods/a/x");
  const auto list = cache->ListAt(v1::Object::kPod, "a", then);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->rev, then);
  EXPECT_THAT(Keys(list->entries), ElementsAre("pods/a/x"));
  ASSERT_TRUE(store_->Compact(then + 1).ok());
  EXPECT_TRUE(absl::IsOutOfRange(cache->ListAt(v1::Object::kPod, "a", then).status()));
}

TEST_F(CacheTest, ListAtTheBeginningIsEmptyAsLongAsHistoryReachesThere) {
  const auto cache = Start();
  const store::Rev rev = Put(store_.get(), Pod("a", "x"));
  const auto list = cache->ListAt(v1::Object::kPod, "a", 0);
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->rev, 0);
  EXPECT_THAT(list->entries, IsEmpty());
  ASSERT_TRUE(store_->Compact(rev).ok());
  EXPECT_TRUE(absl::IsOutOfRange(cache->ListAt(v1::Object::kPod, "a", 0).status()));
}

TEST_F(CacheTest, WatchTellsAddedModifiedDeletedOfItsScopeInOrder) {
  const auto cache = Start();
  int wakes = 0;
  auto watch = cache->Watch(Pods("a"), 0, [&wakes] { ++wakes; });
  ASSERT_TRUE(watch.ok());
  EXPECT_THAT(Text((*watch)->Take()), IsEmpty());
  Put(store_.get(), Pod("a", "x"));
  Put(store_.get(), Pod("b", "z"));
  Put(store_.get(), Pod("a", "x", "web"));
  Delete(store_.get(), "pods/a/x");
  EXPECT_THAT(Text((*watch)->Take()), ElementsAre("+pods/a/x@1", "~pods/a/x@3", "-pods/a/x@4"));
  EXPECT_EQ((*watch)->position(), 4);
  EXPECT_EQ(wakes, 3);
}

TEST_F(CacheTest, ObjectsEnterAndLeaveASelection) {
  const auto cache = Start();
  WatchScope scope = Pods();
  scope.matches = [](const v1::Object& object) {
    const auto found = Meta(object).labels().find("app");
    return found != Meta(object).labels().end() && found->second == "web";
  };
  auto watch = cache->Watch(scope, 0, nullptr);
  ASSERT_TRUE(watch.ok());
  Put(store_.get(), Pod("a", "x", "db"));
  Put(store_.get(), Pod("a", "x", "web"));
  Put(store_.get(), Pod("a", "x", "db"));
  Delete(store_.get(), "pods/a/x");
  const auto events = (*watch)->Take();
  EXPECT_THAT(Text(events), ElementsAre("+pods/a/x@2", "-pods/a/x@3"));
  EXPECT_EQ(Meta((*events)[1].entry->object).labels().at("app"), "web");
  EXPECT_EQ((*watch)->position(), 4);
}

TEST_F(CacheTest, AWatchThatNothingConcernsIsNeitherWokenNorCutOff) {
  CacheOptions options;
  options.window_revisions = 4;
  const auto cache = Start(options);
  int wakes = 0;
  auto watch = cache->Watch(Pods("quiet"), 0, [&wakes] { ++wakes; });
  ASSERT_TRUE(watch.ok());
  for (int i = 0; i < 50; ++i) Put(store_.get(), Pod("busy", absl::StrCat("p", i)));
  EXPECT_EQ(wakes, 0);
  EXPECT_EQ((*watch)->position(), 50);
  EXPECT_THAT(Text((*watch)->Take()), IsEmpty());
}

TEST_F(CacheTest, ASlowWatchIsCutOffForGood) {
  CacheOptions options;
  options.window_revisions = 4;
  const auto cache = Start(options);
  auto watch = cache->Watch(Pods(), 0, nullptr);
  ASSERT_TRUE(watch.ok());
  for (int i = 0; i < 5; ++i) Put(store_.get(), Pod("a", absl::StrCat("p", i)));
  EXPECT_TRUE(absl::IsOutOfRange((*watch)->Take().status()));
  EXPECT_TRUE(absl::IsOutOfRange((*watch)->Take().status()));
  EXPECT_TRUE(absl::IsOutOfRange(cache->Watch(Pods(), 0, nullptr).status()));
  EXPECT_TRUE(cache->Watch(Pods(), 1, nullptr).ok());
}

TEST_F(CacheTest, TheWindowIsBoundedInBytesToo) {
  CacheOptions options;
  options.window_bytes = 4000;
  const auto cache = Start(options);
  for (int i = 0; i < 10; ++i) {
    Put(store_.get(), Pod("a", absl::StrCat("p", i), std::string(1000, 'x')));
  }
  EXPECT_TRUE(absl::IsOutOfRange(cache->Watch(Pods(), 5, nullptr).status()));
  EXPECT_TRUE(cache->Watch(Pods(), 8, nullptr).ok());
}

TEST_F(CacheTest, WhatRestsIsPackedAndWhatIsHeldIsNot) {
  CacheOptions options;
  options.pack_round = absl::ZeroDuration();
  options.window_age = absl::ZeroDuration();
  options.lasting_bytes = 0;
  auto cache = Start(options);
  store::Rev last = 0;
  for (const char* name : {"p1", "p2", "p3"}) last = Put(store_.get(), Pod("a", name));
  ASSERT_TRUE(cache->WaitFor(last, absl::Seconds(10)));
  const EntryPtr held = cache->Find(v1::Object::kPod, "a", "p2");
  cache->Tidy();
  cache->Tidy();
  // The window keeps the last change.
  const auto packed = [&](const std::string& key) {
    return cache->Read(
        [&](const View& view) { return view.All(v1::Object::kPod).find(key).kept().is_packed(); });
  };
  EXPECT_TRUE(packed("pods/a/p1"));
  EXPECT_FALSE(packed("pods/a/p2"));
  const auto list = cache->List(v1::Object::kPod);
  EXPECT_THAT(Keys(list.entries), ElementsAre("pods/a/p1", "pods/a/p2", "pods/a/p3"));
  EXPECT_EQ(Meta(list.entries[0].Hold()->object).name(), "p1");
  EXPECT_EQ(Meta(cache->Find(v1::Object::kPod, "a", "p1")->object).resource_version(), "1");
}

TEST_F(CacheTest, TheWindowShrinksOnceItIsOldButNotBelowWhatLasts) {
  CacheOptions options;
  options.lasting_bytes = 4000;
  const auto fill = [&](Cache* cache) {
    store::Rev last = 0;
    for (int i = 0; i < 10; ++i) {
      last = Put(store_.get(), Pod("a", absl::StrCat("p", i), std::string(1000, 'x')));
    }
    ASSERT_TRUE(cache->WaitFor(last, absl::Seconds(10)));
    cache->Tidy();
  };
  const auto young = Start(options);
  fill(young.get());
  EXPECT_TRUE(young->Watch(Pods(), 0, nullptr).ok());
  options.window_age = absl::ZeroDuration();
  const auto old = Start(options);
  fill(old.get());
  EXPECT_TRUE(absl::IsOutOfRange(old->Watch(Pods(), 15, nullptr).status()));
  EXPECT_TRUE(old->Watch(Pods(), 18, nullptr).ok());
}

TEST_F(CacheTest, TakeEndsOnWholeRevisionsAndGoesOnFromThere) {
  const auto cache = Start();
  auto watch = cache->Watch(Pods(), 0, nullptr);
  ASSERT_TRUE(watch.ok());
  store::Txn pair;
  for (const char* name : {"x", "y"}) {
    pair.ops.emplace_back();
    pair.ops.back().key = absl::StrCat("pods/a/", name);
    pair.ops.back().value = SerializeObject(Pod("a", name));
  }
  ASSERT_TRUE(store_->SubmitAndWait(pair).status.ok());
  Put(store_.get(), Pod("a", "z"));
  EXPECT_THAT(Text((*watch)->Take(1)), ElementsAre("+pods/a/x@1", "+pods/a/y@1"));
  EXPECT_EQ((*watch)->position(), 1);
  EXPECT_THAT(Text((*watch)->Take(1)), ElementsAre("+pods/a/z@2"));
}

TEST_F(CacheTest, AWatchInTheFutureIsRefused) {
  const auto cache = Start();
  EXPECT_TRUE(absl::IsInvalidArgument(cache->Watch(Pods(), 1, nullptr).status()));
}

TEST_F(CacheTest, WatchesResumeOverARestart) {
  Put(store_.get(), Pod("a", "x"));
  Put(store_.get(), Pod("a", "y", "old"));
  Put(store_.get(), Pod("a", "y", "new"));
  Delete(store_.get(), "pods/a/x");
  const auto cache = Start();
  auto watch = cache->Watch(Pods(), 1, nullptr);
  ASSERT_TRUE(watch.ok()) << watch.status();
  EXPECT_THAT(Text((*watch)->Take()), ElementsAre("+pods/a/y@2", "~pods/a/y@3", "-pods/a/x@4"));
}

TEST_F(CacheTest, AfterARestartTheWindowReachesBackAsFarAsHistoryDoes) {
  for (int i = 0; i < 10; ++i) Put(store_.get(), Pod("a", absl::StrCat("p", i)));
  ASSERT_TRUE(store_->Compact(6).ok());
  const auto cache = Start();
  EXPECT_THAT(cache->List(v1::Object::kPod).entries, SizeIs(10));
  EXPECT_TRUE(absl::IsOutOfRange(cache->Watch(Pods(), 5, nullptr).status()));
  auto watch = cache->Watch(Pods(), 6, nullptr);
  ASSERT_TRUE(watch.ok());
  EXPECT_THAT(Text((*watch)->Take()), SizeIs(4));
}

TEST_F(CacheTest, StartRefusesAStoreThatHoldsGarbage) {
  PutRaw(store_.get(), "pods/a/x", "\xff\xff");
  EXPECT_TRUE(absl::IsDataLoss(Cache::Start(store_.get()).status()));
}

TEST_F(CacheTest, GarbageStopsTheCacheAndEveryWatchHearsOfIt) {
  const auto cache = Start();
  int wakes = 0;
  auto watch = cache->Watch(Pods(), 0, [&wakes] { ++wakes; });
  ASSERT_TRUE(watch.ok());
  PutRaw(store_.get(), "pods/a/x", "\xff\xff");
  EXPECT_TRUE(absl::IsDataLoss(cache->health()));
  EXPECT_EQ(wakes, 1);
  EXPECT_TRUE(absl::IsDataLoss((*watch)->Take().status()));
  EXPECT_FALSE(cache->WaitFor(5, kDeadline));
}

TEST_F(CacheTest, AWatchMayBeDestroyedByItsOwnWake) {
  const auto cache = Start();
  std::unique_ptr<CacheWatch> watch;
  int wakes = 0;
  watch = *cache->Watch(Pods(), 0, [&] {
    ++wakes;
    watch.reset();
  });
  Put(store_.get(), Pod("a", "x"));
  Put(store_.get(), Pod("a", "y"));
  EXPECT_EQ(wakes, 1);
}

// A reader that lists and watches from there ends up with exactly what the cache holds, while
// writers are at work and watches come and go.
TEST_F(CacheTest, ListAndWatchTogetherEqualTheCacheUnderConcurrentWrites) {
  const auto cache = Start();
  constexpr int kWriters = 3;
  constexpr int kWrites = 400;
  std::atomic<int> running{kWriters};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([this, writer, &running] {
      for (int i = 0; i < kWrites; ++i) {
        const std::string name = absl::StrCat("w", writer, "-", i % 20);
        if (i % 7 == 3) {
          Delete(store_.get(), absl::StrCat("pods/a/", name));
        } else {
          Put(store_.get(), Pod("a", name, absl::StrCat(i)));
        }
      }
      --running;
    });
  }
  for (int reader = 0; reader < 2; ++reader) {
    threads.emplace_back([this, &cache, &running] {
      do {
        Cache::ObjectList list = cache->List(v1::Object::kPod);
        std::map<std::string, store::Rev> mine;
        for (const KeptEntry& entry : list.entries) mine[entry.key()] = entry.mod_rev();
        auto watch = cache->Watch(Pods(), list.rev, nullptr);
        ASSERT_TRUE(watch.ok()) << watch.status();
        const store::Rev goal = cache->revision();
        store::Rev last = list.rev;
        while ((*watch)->position() < goal) {
          const auto events = (*watch)->Take(16);
          ASSERT_TRUE(events.ok()) << events.status();
          for (const WatchEvent& event : *events) {
            ASSERT_GE(event.rev, last);
            last = event.rev;
            ASSERT_EQ(event.type == WatchEvent::Type::kAdded, mine.count(event.entry->key) == 0);
            if (event.type == WatchEvent::Type::kDeleted) {
              mine.erase(event.entry->key);
            } else {
              mine[event.entry->key] = event.entry->mod_rev;
            }
          }
        }
        const auto then = cache->ListAt(v1::Object::kPod, "", (*watch)->position());
        ASSERT_TRUE(then.ok()) << then.status();
        std::map<std::string, store::Rev> theirs;
        for (const KeptEntry& entry : then->entries) theirs[entry.key()] = entry.mod_rev();
        ASSERT_EQ(mine, theirs);
      } while (running > 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(cache->WaitFor(store_->CurrentRev(), kDeadline));
  EXPECT_EQ(cache->List(v1::Object::kPod).entries.size(), store_->List("pods/")->kvs.size());
}

}  // namespace
}  // namespace cluster
