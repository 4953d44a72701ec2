#include "node/runtime/id_ranges.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

TEST(IdRanges, GivesEachOnceAndTheLongestFreeFirst) {
  IdRanges ranges({0x80000, 3 * kIdsOfPod});
  EXPECT_EQ(ranges.Take().value(), 0x80000u);
  EXPECT_EQ(ranges.Take().value(), 0x90000u);
  ranges.Release(0x80000);
  EXPECT_EQ(ranges.Take().value(), 0xa0000u) << "not the one that was in use a moment ago";
  EXPECT_EQ(ranges.Take().value(), 0x80000u);
  EXPECT_EQ(ranges.Take().status().code(), absl::StatusCode::kResourceExhausted);
  ranges.Release(0x90000);
  EXPECT_EQ(ranges.Take().value(), 0x90000u);
}

TEST(IdRanges, KeepsClearOfWhatIsHeldFromAnotherConfiguration) {
  IdRanges ranges({0x80000, 3 * kIdsOfPod});
  ranges.Hold(0x88000);  // overlaps the first two
  ranges.Hold(0x10000);
  EXPECT_EQ(ranges.Take().value(), 0xa0000u);
  EXPECT_FALSE(ranges.Take().ok());
  ranges.Release(0x88000);
  EXPECT_EQ(ranges.Take().value(), 0x80000u);
}

TEST(ParseIdRange, ReadsFirstAndCount) {
  const auto range = ParseIdRange("1000000:131072");
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_EQ(range->first, 1000000u);
  EXPECT_EQ(range->count, 131072u);
  IdRanges ranges(*range);
  EXPECT_EQ(*ranges.Take(), 1000000u);
  EXPECT_EQ(*ranges.Take(), 1065536u);
  EXPECT_FALSE(ranges.Take().ok());
}

TEST(ParseIdRange, SaysWhatIsWrong) {
  for (const auto& [text, why] : std::map<std::string, std::string>{
           {"", "write FIRST:COUNT"},
           {"1000000", "write FIRST:COUNT"},
           {"a:b", "write FIRST:COUNT"},
           {"-1:65536", "write FIRST:COUNT"},
           {"1000:65536", "the machine's own"},
           {"1000000:65535", "the count is from 65536 to"},
           {"4294901760:65536", "the count is from 65536 to 65535"}}) {
    EXPECT_THAT(std::string(ParseIdRange(text).status().message()), ::testing::HasSubstr(why))
        << text;
  }
}

}  // namespace
}  // namespace cluster::node
