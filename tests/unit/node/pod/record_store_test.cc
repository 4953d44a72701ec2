#include "node/pod/record_store.h"

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

class RecordStoreTest : public testing::Test {
 protected:
  RecordStoreTest() {
    char path[] = "/tmp/cluster-records-XXXXXX";
    directory_ = mkdtemp(path);
    file_ = directory_ + "/state.log";
  }
  ~RecordStoreTest() override { std::filesystem::remove_all(directory_); }

  static v1::PodRecord Record(const std::string& name) {
    return NewRecord(PodBuilder(name).Get(), {absl::Now(), absl::Seconds(1), "boot"});
  }
  static v1::NodeStateChange Add(const std::string& name) {
    v1::NodeStateChange change;
    *change.add_pods() = WithoutAssignment(Record(name));
    *change.add_assignments() = AssignmentOf(Record(name));
    return change;
  }
  std::unique_ptr<RecordStore> Open() { return RecordStore::Open(directory_).value(); }

  std::string directory_;
  std::string file_;
};

TEST_F(RecordStoreTest, WhatWasCommittedIsThereAfterARestart) {
  {
    auto store = Open();
    v1::NodeStateChange change = Add("web");
    change.mutable_node()->set_term(7);
    ASSERT_TRUE(store->Commit(change).ok());
    ASSERT_TRUE(store->Commit(Add("db")).ok());
    v1::NodeStateChange erase;
    erase.add_erased("uid-db");
    ASSERT_TRUE(store->Commit(erase).ok());
  }
  auto store = Open();
  EXPECT_EQ(store->Node().term(), 7);
  ASSERT_EQ(store->Pods().size(), 1u);
  EXPECT_EQ(store->Pods()["uid-web"].assignment().pod().metadata().name(), "web");
  EXPECT_TRUE(store->Pods()["uid-web"].assigned());
}

TEST_F(RecordStoreTest, ServicesStayUntilTheyAreSaidToBeOthers) {
  {
    auto store = Open();
    v1::NodeStateChange change;
    change.mutable_services()->add_services()->set_name("redis");
    ASSERT_TRUE(store->Commit(change).ok());
    v1::NodeStateChange other = Add("web");
    other.mutable_node()->set_term(7);
    ASSERT_TRUE(store->Commit(other).ok());
  }
  auto store = Open();
  ASSERT_EQ(store->Services().services_size(), 1);
  EXPECT_EQ(store->Services().services(0).name(), "redis");
  v1::NodeStateChange none;
  none.mutable_services();
  ASSERT_TRUE(store->Commit(none).ok());
  EXPECT_EQ(store->Services().services_size(), 0);
}

TEST_F(RecordStoreTest, TheTwoHalvesOfARecordDoNotOverwriteEachOther) {
  auto store = Open();
  ASSERT_TRUE(store->Commit(Add("web")).ok());
  v1::PodRecord of_worker = Record("web");
  of_worker.mutable_containers(0)->set_attempt(3);
  v1::NodeStateChange news;
  *news.add_assignments() = AssignmentOf(of_worker);
  news.mutable_assignments(0)->mutable_assignment()->set_epoch(9);
  ASSERT_TRUE(store->Commit(news).ok());
  ASSERT_TRUE(store->Put(of_worker).ok());
  const v1::PodRecord record = store->Pods()["uid-web"];
  EXPECT_EQ(record.assignment().epoch(), 9);
  EXPECT_EQ(record.containers(0).attempt(), 3);
}

TEST_F(RecordStoreTest, EveryTornTailIsCutOff) {
  int64_t first = 0;
  {
    auto store = Open();
    ASSERT_TRUE(store->Commit(Add("web")).ok());
    first = static_cast<int64_t>(std::filesystem::file_size(file_));
    ASSERT_TRUE(store->Commit(Add("db")).ok());
  }
  const std::string whole = ReadFile(file_).value();
  for (size_t size = static_cast<size_t>(first); size < whole.size(); ++size) {
    ASSERT_TRUE(WriteFileDurably(file_, whole.substr(0, size)).ok());
    auto store = Open();
    EXPECT_EQ(store->Pods().size(), 1u) << size;
    EXPECT_EQ(std::filesystem::file_size(file_), static_cast<uintmax_t>(first));
  }
  // Blocks that were allocated but never written.
  ASSERT_TRUE(WriteFileDurably(file_, whole + std::string(4096, '\0')).ok());
  EXPECT_EQ(Open()->Pods().size(), 2u);
}

TEST_F(RecordStoreTest, DamageInTheMiddleIsNeverReplaced) {
  {
    auto store = Open();
    ASSERT_TRUE(store->Commit(Add("web")).ok());
    ASSERT_TRUE(store->Commit(Add("db")).ok());
  }
  std::string content = ReadFile(file_).value();
  content[40] = static_cast<char>(content[40] ^ 1);
  ASSERT_TRUE(WriteFileDurably(file_, content).ok());
  EXPECT_TRUE(absl::IsDataLoss(RecordStore::Open(directory_).status()));
  EXPECT_EQ(ReadFile(file_).value(), content);
}

TEST_F(RecordStoreTest, OneAgentAtATime) {
  auto store = Open();
  EXPECT_TRUE(absl::IsFailedPrecondition(RecordStore::Open(directory_).status()));
}

TEST_F(RecordStoreTest, TheFileDoesNotGrowForEver) {
  auto store = Open();
  ASSERT_TRUE(store->Commit(Add("web")).ok());
  v1::PodRecord record = Record("web");
  for (int i = 0; i < 3000; ++i) {
    record.set_message(std::string(2000, 'x') + std::to_string(i));
    ASSERT_TRUE(store->Put(record).ok());
  }
  EXPECT_LT(std::filesystem::file_size(file_), 2u << 20);
  store.reset();
  EXPECT_EQ(Open()->Pods()["uid-web"].message(), record.message());
}

TEST_F(RecordStoreTest, WritersAtOnceAreAllDurable) {
  auto store = Open();
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 8; ++writer) {
    writers.emplace_back([&store, writer] {
      for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(store->Commit(Add(absl::StrCat("p", writer, "-", i))).ok());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  store.reset();
  EXPECT_EQ(Open()->Pods().size(), 400u);
}

}  // namespace
}  // namespace cluster::node
