#include "node/dns/fair_share.h"

#include "gtest/gtest.h"

namespace cluster::node {
namespace {

TEST(FairShareTest, WhoTookTooMuchWaitsAndOthersDoNot) {
  FakeClock clock;
  FairShare share(&clock);
  const Ipv4 greedy{1};
  const Ipv4 modest{2};
  for (int i = 0; i < 250; ++i) {
    ASSERT_TRUE(share.MayTake(greedy)) << i;
    share.Took(greedy, absl::Milliseconds(1));
  }
  EXPECT_FALSE(share.MayTake(greedy));
  EXPECT_TRUE(share.MayTake(modest));
  // A fourth of the time comes back.
  clock.Advance(absl::Milliseconds(40));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(share.MayTake(greedy)) << i;
    share.Took(greedy, absl::Milliseconds(1));
  }
  EXPECT_FALSE(share.MayTake(greedy));
}

TEST(FairShareTest, NobodySavesUpMoreThanHisShareAtOnce) {
  FakeClock clock;
  FairShare share(&clock);
  share.Took(Ipv4{1}, absl::Milliseconds(100));
  clock.Advance(absl::Hours(1));
  EXPECT_TRUE(share.MayTake(Ipv4{1}));
  share.Took(Ipv4{1}, absl::Milliseconds(250));
  EXPECT_FALSE(share.MayTake(Ipv4{1}));
}

}  // namespace
}  // namespace cluster::node
