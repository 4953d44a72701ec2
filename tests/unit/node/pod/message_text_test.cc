#include "node/pod/message_text.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

TEST(ToUtf8, KeepsWhatIsWellFormedAndReplacesTheRest) {
  EXPECT_EQ(ToUtf8("grün \xe2\x82\xac \xf0\x9f\x90\xb3"), "grün \xe2\x82\xac \xf0\x9f\x90\xb3");
  EXPECT_EQ(ToUtf8("a\xc3"), "a\xef\xbf\xbd") << "cut off";
  EXPECT_EQ(ToUtf8("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd") << "overlong";
  EXPECT_EQ(ToUtf8("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") << "a surrogate";
  EXPECT_EQ(ToUtf8("\xf4\x90\x80\x80").size(), 12u) << "beyond the last character";
  EXPECT_EQ(ToUtf8(absl::string_view("\0", 1)), "\xef\xbf\xbd");
  EXPECT_EQ(ToUtf8(""), "");
}

TEST(CutUtf8, CutsBetweenCharacters) {
  EXPECT_EQ(CutUtf8("abc", 3), "abc");
  EXPECT_EQ(CutUtf8("abc", 2), "ab");
  EXPECT_EQ(CutUtf8("a\xe2\x82\xac", 3), "a");
  EXPECT_EQ(CutUtf8("\xe2\x82\xac", 1), "");
}

TEST(LogTail, GivesTheTextOfTheLastLines) {
  std::string log;
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&log, "2026-01-02T03:04:05.000000006Z stdout F line ", i, "\n");
  }
  EXPECT_EQ(LogTail(log, 2, 1000), "line 98\nline 99\n");
  EXPECT_EQ(LogTail(log, 80, 4), " 99\n") << "the bytes are bounded, too";
  EXPECT_EQ(LogTail("", 80, 2048), "");
}

TEST(LogTail, JoinsTheRecordsOfOneLine) {
  const std::string log =
      "t stdout P one \n"
      "t stdout P line\n"
      "t stdout F \n"
      "t stderr F\n"
      "t stderr P no newline";
  EXPECT_EQ(LogTail(log, 80, 2048), "one line\n\nno newline");
  EXPECT_EQ(LogTail(log, 1, 2048), "\nno newline");
}

}  // namespace
}  // namespace cluster::node
