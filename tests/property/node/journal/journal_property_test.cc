// Whatever happens to the file, opening it gives a state that was once acknowledged, or a refusal.
#include <filesystem>
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

#include "base/file.h"
#include "node/journal/journal.h"

namespace cluster::node {
namespace {

using State = std::map<std::string, std::string>;

class JournalPropertyTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  JournalPropertyTest() {
    std::string name = absl::StrCat(::testing::TempDir(), "journal-XXXXXX");
    directory_ = ::mkdtemp(name.data());
    path_ = absl::StrCat(directory_, "/journal");
  }
  ~JournalPropertyTest() override { std::filesystem::remove_all(directory_); }

  static State StateOf(const Journal& journal) {
    State state;
    for (const Record& record : journal.All(RecordKind::kPod)) state[record.key] = record.value;
    return state;
  }

  // A run of random changes; every state between them, oldest first.
  std::vector<State> Run(std::mt19937& random, int changes) {
    auto journal = Journal::Open(path_).value();
    std::vector<State> history{State{}};
    for (int i = 0; i < changes; ++i) {
      const std::string key = absl::StrCat("k", random() % 5);
      if (random() % 3 == 0) {
        EXPECT_TRUE(journal->Remove(RecordKind::kPod, key).ok());
      } else {
        const std::string value(random() % 40, static_cast<char>('a' + random() % 26));
        EXPECT_TRUE(journal->Put(RecordKind::kPod, key, value).ok());
      }
      history.push_back(StateOf(*journal));
    }
    return history;
  }

  void ExpectEarlierStateOrRefusal(const std::string& content, const std::vector<State>& history,
                                   const std::string& what) {
    ASSERT_TRUE(WriteFileDurably(path_, content).ok());
    const auto journal = Journal::Open(path_);
    if (!journal.ok()) {
      // Or it is taken for one of another format, where the damage hit that.
      EXPECT_TRUE(absl::IsDataLoss(journal.status()) ||
                  absl::IsFailedPrecondition(journal.status()))
          << what << ": " << journal.status();
      return;
    }
    EXPECT_NE(std::find(history.begin(), history.end(), StateOf(**journal)), history.end()) << what;
    // And it can be written again.
    ASSERT_TRUE((*journal)->Put(RecordKind::kPod, "after", what).ok());
    EXPECT_EQ((*journal)->Get(RecordKind::kPod, "after").value(), what);
  }

  std::string directory_;
  std::string path_;
};

TEST_P(JournalPropertyTest, AnyPrefixIsAnEarlierState) {
  std::mt19937 random(GetParam());
  const std::vector<State> history = Run(random, 12);
  const std::string content = ReadFile(path_).value();
  for (size_t size = 0; size <= content.size(); ++size) {
    ExpectEarlierStateOrRefusal(content.substr(0, size), history, absl::StrCat("prefix ", size));
  }
}

TEST_P(JournalPropertyTest, AnyFlippedBitIsAnEarlierStateOrRefused) {
  std::mt19937 random(GetParam());
  const std::vector<State> history = Run(random, 12);
  const std::string content = ReadFile(path_).value();
  for (int round = 0; round < 300; ++round) {
    std::string damaged = content;
    const size_t at = random() % damaged.size();
    damaged[at] ^= static_cast<char>(1 << (random() % 8));
    ExpectEarlierStateOrRefusal(damaged, history, absl::StrCat("byte ", at));
  }
}

TEST_P(JournalPropertyTest, AnyDamagedRunOfBytesIsAnEarlierStateOrRefused) {
  std::mt19937 random(GetParam());
  const std::vector<State> history = Run(random, 12);
  const std::string content = ReadFile(path_).value();
  for (int round = 0; round < 200; ++round) {
    std::string damaged = content;
    const size_t from = random() % damaged.size();
    const size_t count = std::min<size_t>(damaged.size() - from, 1 + random() % 64);
    if (random() % 2 == 0) {
      damaged.erase(from, count);
    } else {
      for (size_t i = 0; i < count; ++i) damaged[from + i] = static_cast<char>(random());
    }
    ExpectEarlierStateOrRefusal(damaged, history, absl::StrCat("bytes from ", from));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JournalPropertyTest, ::testing::Values(1u, 2u, 3u));

}  // namespace
}  // namespace cluster::node
