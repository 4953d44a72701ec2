#include "node/journal/journal.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() {
    std::string name = absl::StrCat(::testing::TempDir(), "journal-XXXXXX");
    directory_ = ::mkdtemp(name.data());
    path_ = absl::StrCat(directory_, "/journal");
  }
  ~JournalTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Journal> Open() {
    auto journal = Journal::Open(path_);
    EXPECT_EQ(journal.status(), absl::OkStatus());
    return *std::move(journal);
  }

  std::string directory_;
  std::string path_;
};

std::string Text(const Journal& journal, RecordKind kind) {
  std::string text;
  for (const Record& record : journal.All(kind)) {
    absl::StrAppend(&text, record.key, "=", record.value, " ");
  }
  return text;
}

TEST_F(JournalTest, KeepsRecordsOfEachKindAcrossReopening) {
  {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(RecordKind::kPod, "b", "2").ok());
    ASSERT_TRUE(journal->Put(RecordKind::kPod, "a", "1").ok());
    ASSERT_TRUE(journal->Put(RecordKind::kPod, "c", "3").ok());
    ASSERT_TRUE(journal->Put(RecordKind::kAddressLease, "a", std::string("x\0y", 3)).ok());
    ASSERT_TRUE(journal->Put(RecordKind::kPod, "b", "two").ok());
    ASSERT_TRUE(journal->Remove(RecordKind::kPod, "c").ok());
  }
  auto journal = Open();
  EXPECT_EQ(Text(*journal, RecordKind::kPod), "a=1 b=two ");
  EXPECT_EQ(journal->Get(RecordKind::kAddressLease, "a").value(), std::string("x\0y", 3));
  EXPECT_EQ(journal->Get(RecordKind::kPod, "c").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(JournalTest, SecondAgentIsKeptOut) {
  auto journal = Open();
  const auto second = Journal::Open(path_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat(path_, ".lock is held by process ", getpid())));
}

TEST_F(JournalTest, UnchangedRecordCostsNoWrite) {
  auto journal = Open();
  ASSERT_TRUE(journal->Put(RecordKind::kPod, "a", "1").ok());
  const auto size = std::filesystem::file_size(path_);
  ASSERT_TRUE(journal->Put(RecordKind::kPod, "a", "1").ok());
  ASSERT_TRUE(journal->Remove(RecordKind::kPod, "absent").ok());
  EXPECT_EQ(std::filesystem::file_size(path_), size);
}

TEST_F(JournalTest, ConcurrentWritersAllEndUpOnDisk) {
  auto journal = Open();
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 8; ++writer) {
    writers.emplace_back([&journal, writer] {
      for (int i = 0; i < 50; ++i) {
        const std::string key = absl::StrCat(writer, "-", i);
        EXPECT_TRUE(journal->Put(RecordKind::kPod, key, key).ok());
        if (i % 2 == 1) {
          EXPECT_TRUE(journal->Remove(RecordKind::kPod, key).ok());
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  journal.reset();
  EXPECT_EQ(Open()->All(RecordKind::kPod).size(), 8u * 25u);
}

TEST_F(JournalTest, FileStaysSmallWhileRecordsComeAndGo) {
  auto journal = Open();
  const std::string value(200'000, 'v');
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(journal->Put(RecordKind::kPod, "a", absl::StrCat(i, value)).ok());
  }
  EXPECT_LT(std::filesystem::file_size(path_), 3u << 20);
  journal.reset();
  EXPECT_EQ(Open()->Get(RecordKind::kPod, "a").value(), absl::StrCat(59, value));
}

TEST_F(JournalTest, FullDiskRefusesThePutAndKeepsTheRest) {
  auto journal = Open();
  ASSERT_TRUE(journal->Put(RecordKind::kPod, "a", "1").ok());
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { std::filesystem::file_size(path_) + 100, before.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_FALSE(journal->Put(RecordKind::kPod, "b", std::string(1000, 'x')).ok());
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(Text(*journal, RecordKind::kPod), "a=1 ");
  ASSERT_TRUE(journal->Put(RecordKind::kPod, "c", "3").ok());
  journal.reset();
  EXPECT_EQ(Text(*Open(), RecordKind::kPod), "a=1 c=3 ");
}

TEST_F(JournalTest, DamageIsRefusedWithASentenceAndLeftAlone) {
  {
    auto journal = Open();
    ASSERT_TRUE(journal->Put(RecordKind::kPod, "a", "1").ok());
    ASSERT_TRUE(journal->Put(RecordKind::kPod, "b", "2").ok());
  }
  std::string content = ReadFile(path_).value();
  content[20] ^= 4;
  ASSERT_TRUE(WriteFileDurably(path_, content).ok());
  const auto refused = Journal::Open(path_);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("cannot be trusted"));
  EXPECT_EQ(ReadFile(path_).value(), content);
}

TEST_F(JournalTest, JournalOfARunDirectoryKeepsWhatStandsBeforeDamage) {
  {
    auto journal = Journal::Open(path_, Survives::kAgentCrash);
    ASSERT_TRUE(journal.ok()) << journal.status();
    for (const char* key : {"a", "b", "c"}) {
      ASSERT_TRUE((*journal)->Put(RecordKind::kPod, key, "value").ok());
    }
  }
  std::string content = ReadFile(path_).value();
  content[content.rfind("bvalue")] ^= 1;
  ASSERT_TRUE(WriteFileDurably(path_, content).ok());
  for (int opened = 0; opened < 2; ++opened) {
    auto journal = Journal::Open(path_, Survives::kAgentCrash);
    ASSERT_TRUE(journal.ok()) << journal.status();
    EXPECT_TRUE((*journal)->Get(RecordKind::kPod, "a").ok());
    EXPECT_EQ((*journal)->All(RecordKind::kPod).size(), opened == 0 ? 1u : 2u);
    ASSERT_TRUE((*journal)->Put(RecordKind::kPod, "d", "value").ok());
  }
}

TEST_F(JournalTest, TooLargeARecordIsRefused) {
  auto journal = Open();
  EXPECT_EQ(journal->Put(RecordKind::kPod, std::string(70'000, 'k'), "").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(journal->Put(RecordKind::kPod, "k", std::string(2 << 20, 'v')).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cluster::node
