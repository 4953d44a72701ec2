#include "cli/output/duration.h"

#include "gtest/gtest.h"

namespace cluster::cli {
namespace {

// The cases of k8s.io/apimachinery/pkg/util/duration, at their edges.
TEST(HumanDurationTest, PrintsTheTwoUnitsThatMatter) {
  EXPECT_EQ(HumanDuration(-absl::Seconds(5)), "0s");
  EXPECT_EQ(HumanDuration(absl::Milliseconds(900)), "0s");
  EXPECT_EQ(HumanDuration(absl::Seconds(119)), "119s");
  EXPECT_EQ(HumanDuration(absl::Minutes(2)), "2m");
  EXPECT_EQ(HumanDuration(absl::Seconds(200)), "3m20s");
  EXPECT_EQ(HumanDuration(absl::Seconds(600)), "10m");
  EXPECT_EQ(HumanDuration(absl::Minutes(179)), "179m");
  EXPECT_EQ(HumanDuration(absl::Minutes(180)), "3h");
  EXPECT_EQ(HumanDuration(absl::Minutes(250)), "4h10m");
  EXPECT_EQ(HumanDuration(absl::Hours(8)), "8h");
  EXPECT_EQ(HumanDuration(absl::Hours(47)), "47h");
  EXPECT_EQ(HumanDuration(absl::Hours(51)), "2d3h");
  EXPECT_EQ(HumanDuration(absl::Hours(24 * 8)), "8d");
  EXPECT_EQ(HumanDuration(absl::Hours(24 * 729)), "729d");
  EXPECT_EQ(HumanDuration(absl::Hours(24 * (3 * 365 + 20))), "3y20d");
  EXPECT_EQ(HumanDuration(absl::Hours(24 * 365 * 9)), "9y");
}

TEST(AgeTest, SaysWhenTheTimeIsNotKnown) {
  EXPECT_EQ(Age(google::protobuf::Timestamp(), absl::FromUnixSeconds(100)), "<unknown>");
  google::protobuf::Timestamp time;
  time.set_seconds(40);
  EXPECT_EQ(Age(time, absl::FromUnixSeconds(100)), "60s");
}

}  // namespace
}  // namespace cluster::cli
