#include "node/journal/frame.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Put(absl::string_view key, absl::string_view value) {
  std::string body;
  AppendChange(body, FrameChange{false, 2, key, value});
  return body;
}

std::vector<std::string> Keys(absl::string_view file) {
  std::vector<std::string> keys;
  EXPECT_TRUE(ScanJournal(file, [&keys](const FrameChange& change) {
                keys.emplace_back(change.key);
              }).ok());
  return keys;
}

TEST(Crc32cTest, MatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(FrameTest, HasTheDocumentedBytes) {
  const std::string frame = EncodeFrame(1, Put("k", "vw"));
  EXPECT_EQ(absl::BytesToHexString(absl::string_view(frame).substr(0, 4)), "0b000000");
  EXPECT_EQ(absl::BytesToHexString(absl::string_view(frame).substr(8)),
            "0100000000000000"  // sequence
            "01020100"          // put, kind 2, key of 1
            "02000000"          // value of 2
            "6b7677");
}

TEST(ScanTest, ReadsChangesInOrder) {
  const std::string file = absl::StrCat(kJournalMagic, EncodeFrame(1, Put("a", "1") + Put("b", "")),
                                        EncodeFrame(2, Put("c", "3")));
  EXPECT_THAT(Keys(file), ElementsAre("a", "b", "c"));
}

TEST(ScanTest, DropsATornEndAndSaysWhereTheGoodPartEnds) {
  const std::string good = absl::StrCat(kJournalMagic, EncodeFrame(1, Put("a", "1")));
  const std::string torn = EncodeFrame(2, Put("b", "2"));
  for (size_t kept = 0; kept < torn.size(); ++kept) {
    const auto scanned = ScanJournal(good + torn.substr(0, kept), [](const FrameChange&) {});
    ASSERT_TRUE(scanned.ok()) << scanned.status();
    EXPECT_EQ(scanned->good_size, good.size());
    EXPECT_EQ(scanned->sequence, 1u);
  }
  const auto zeros = ScanJournal(good + std::string(5000, '\0'), [](const FrameChange&) {});
  ASSERT_TRUE(zeros.ok());
  EXPECT_EQ(zeros->good_size, good.size());
}

TEST(ScanTest, RefusesDamageBeforeGoodFrames) {
  const std::string first = EncodeFrame(1, Put("a", "1"));
  std::string file = absl::StrCat(kJournalMagic, first, EncodeFrame(2, Put("b", "2")));
  file[kJournalMagic.size() + first.size() - 1] ^= 1;
  const auto scanned = ScanJournal(file, [](const FrameChange&) {});
  EXPECT_EQ(scanned.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(scanned.status().message()), HasSubstr("frame 1 at byte 8 is damaged"));
}

TEST(ScanTest, RefusesAMissingFrame) {
  const std::string file =
      absl::StrCat(kJournalMagic, EncodeFrame(1, Put("a", "1")), EncodeFrame(3, Put("c", "3")));
  EXPECT_EQ(ScanJournal(file, [](const FrameChange&) {}).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(ScanTest, RefusesWhatIsNoJournal) {
  for (const char* text : {"", "CLJRNL0", "something else"}) {
    EXPECT_EQ(ScanJournal(text, [](const FrameChange&) {}).status().code(),
              absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace cluster::node
