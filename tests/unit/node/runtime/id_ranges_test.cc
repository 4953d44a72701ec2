#include "node/runtime/id_ranges.h"

#include "gtest/gtest.h"

namespace cluster::node {
namespace {

TEST(IdRanges, GivesEachOnceAndTheLongestFreeFirst) {
  IdRanges ranges(0x80000, 3);
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
  IdRanges ranges(0x80000, 3);
  ranges.Hold(0x88000);  // overlaps the first two
  ranges.Hold(0x10000);
  EXPECT_EQ(ranges.Take().value(), 0xa0000u);
  EXPECT_FALSE(ranges.Take().ok());
  ranges.Release(0x88000);
  EXPECT_EQ(ranges.Take().value(), 0x80000u);
}

}  // namespace
}  // namespace cluster::node
