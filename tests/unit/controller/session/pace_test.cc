#include "controller/session/pace.h"

#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

TEST(Pace, BeatsGrowRarerWithTheCluster) {
  const SessionOptions options;
  EXPECT_EQ(PaceOfFactor(options, PaceFactor(options, 0)).beat, absl::Seconds(1));
  EXPECT_EQ(PaceOfFactor(options, PaceFactor(options, 2000)).beat, absl::Seconds(1));
  EXPECT_EQ(PaceOfFactor(options, PaceFactor(options, 2001)).beat, absl::Seconds(2));
  EXPECT_EQ(PaceOfFactor(options, PaceFactor(options, 6100)).beat, absl::Seconds(4));
  EXPECT_EQ(PaceOfFactor(options, PaceFactor(options, 6100)).ttl, absl::Seconds(16));
}

TEST(Pace, ALossIsNoticedInBoundedTimeHoweverManyThereAre) {
  const SessionOptions options;
  EXPECT_EQ(PaceOfFactor(options, PaceFactor(options, 10'000)).ttl, absl::Seconds(20));
  EXPECT_EQ(PaceOfFactor(options, PaceFactor(options, 1'000'000)).ttl, absl::Seconds(20));
}

TEST(Pace, AClusterAtTheEdgeDoesNotGoToAndFro) {
  const SessionOptions options;
  EXPECT_EQ(NextPaceFactor(options, 2001, 1), 2);
  EXPECT_EQ(NextPaceFactor(options, 2000, 2), 2);
  EXPECT_EQ(NextPaceFactor(options, 1900, 2), 2);
  EXPECT_EQ(NextPaceFactor(options, 1800, 2), 1);
  // It does not become slower for that either.
  EXPECT_EQ(NextPaceFactor(options, 3999, 2), 2);
}

}  // namespace
}  // namespace cluster::controller
