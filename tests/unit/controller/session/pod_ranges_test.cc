#include "controller/session/pod_ranges.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

TEST(PodRanges, RangesAreGivenFromTheLowestAndNeverOverlap) {
  PodRanges ranges = *PodRanges::Make("10.64.0.0/16", 20);
  std::vector<Range> given;
  for (int i = 0; i < 16; ++i) {
    const auto range = ranges.FindFree();
    ASSERT_TRUE(range.ok()) << range.status();
    for (const Range& other : given) EXPECT_FALSE(range->Overlaps(other));
    given.push_back(*range);
    ranges.Take(absl::StrCat("node", i), *range);
  }
  EXPECT_EQ(given[1].ToString(), "10.64.16.0/20");
  EXPECT_EQ(ranges.FindFree().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ranges.Find("node1"), "10.64.16.0/20");
  EXPECT_EQ(ranges.Find("nobody"), "");
}

TEST(PodRanges, RangesOfOtherSettingsAreGoneAround) {
  PodRanges ranges = *PodRanges::Make("10.64.0.0/16", 24);
  ranges.Take("old", *ParseRange("10.64.0.0/22"));
  ranges.Take("odd", *ParseRange("10.64.4.128/25"));
  EXPECT_EQ(ranges.FindFree()->ToString(), "10.64.5.0/24");
}

TEST(PodRanges, TheLastRangeOfTheAddressSpaceCanBeGiven) {
  PodRanges ranges = *PodRanges::Make("255.255.254.0/23", 24);
  ranges.Take("a", *ranges.FindFree());
  EXPECT_EQ(ranges.FindFree()->ToString(), "255.255.255.0/24");
  ranges.Take("b", *ranges.FindFree());
  EXPECT_FALSE(ranges.FindFree().ok());
}

TEST(PodRanges, WhatIsNoRangeIsRefused) {
  for (const char* text : {"", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/24", "x/8",
                           "10.0.0.0/", "fd00::/64"}) {
    EXPECT_FALSE(ParseRange(text).ok()) << text;
  }
  EXPECT_FALSE(PodRanges::Make("10.0.0.0/24", 22).ok());
  EXPECT_FALSE(PodRanges::Make("10.0.0.0/24", 31).ok());
}

}  // namespace
}  // namespace cluster::controller
