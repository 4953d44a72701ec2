#include "node/init/text.h"

#include <string>

#include "gtest/gtest.h"

namespace cluster::init {
namespace {

std::string Timestamp(int64_t nanoseconds) {
  char out[kTimestampSize + 1];
  FormatTimestamp(nanoseconds, out);
  return out;
}

TEST(FormatTimestamp, WritesRfc3339WithNineDigits) {
  EXPECT_EQ(Timestamp(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(Timestamp(1'700'000'000'000'000'001), "2023-11-14T22:13:20.000000001Z");
}

TEST(FormatTimestamp, KnowsLeapDaysAndYearEnds) {
  EXPECT_EQ(Timestamp(951'782'400'000'000'000), "2000-02-29T00:00:00.000000000Z");
  EXPECT_EQ(Timestamp(1'709'251'199'999'999'999), "2024-02-29T23:59:59.999999999Z");
  EXPECT_EQ(Timestamp(4'107'542'399'000'000'000), "2100-02-28T23:59:59.000000000Z");
  EXPECT_EQ(Timestamp(4'107'542'400'000'000'000), "2100-03-01T00:00:00.000000000Z");
  EXPECT_EQ(Timestamp(1'735'689'599'000'000'000), "2024-12-31T23:59:59.000000000Z");
}

TEST(Text, CutsOffWhatDoesNotFitAndStaysTerminated) {
  TextBuffer<8> text;
  text.Add("abcdef").Add("ghijkl");
  EXPECT_STREQ(text.c_str(), "abcdefg");
  text.AddNumber(5);
  EXPECT_EQ(text.size(), 7u);
}

TEST(Text, WritesNumbers) {
  TextBuffer<80> text;
  text.AddNumber(0).Add(" ").AddNumber(-17).Add(" ").AddPadded(7, 3).Add(" ");
  text.AddNumber(INT64_MIN);
  EXPECT_STREQ(text.c_str(), "0 -17 007 -9223372036854775808");
}

TEST(IsSafeName, TakesOnePathComponentOnly) {
  for (const char* good : {"a", "web-1", "A.b_c+d", "0", "_x"})
    EXPECT_TRUE(IsSafeName(good)) << good;
  for (const char* bad : {"", ".", "..", ".x", "-x", "a/b", "../../x", "a\nb", "a b", "\xc3\xa4"}) {
    EXPECT_FALSE(IsSafeName(bad)) << bad;
  }
  EXPECT_TRUE(IsSafeName(std::string(128, 'a').c_str()));
  EXPECT_FALSE(IsSafeName(std::string(129, 'a').c_str()));
  EXPECT_FALSE(IsSafeName(std::string(4096, 'a').c_str()));
}

}  // namespace
}  // namespace cluster::init
