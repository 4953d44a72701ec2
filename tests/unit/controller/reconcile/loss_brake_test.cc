#include "controller/reconcile/loss_brake.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

std::vector<LostNode> Lost(int count, absl::Duration since = absl::Seconds(100)) {
  std::vector<LostNode> lost;
  for (int i = 0; i < count; ++i) lost.push_back({absl::StrCat("n", i), since});
  return lost;
}

const absl::Duration kBegin = absl::Seconds(100);

TEST(LossBrake, SmallClustersHaveNone) {
  LossBrake brake;
  const auto decision = brake.Decide(9, Lost(9), kBegin);
  EXPECT_EQ(decision.state, BrakeState::kOpen);
  EXPECT_EQ(decision.replace.size(), 9u);
}

TEST(LossBrake, LetsFiveThroughAndThenOneEveryTenSeconds) {
  LossBrake brake;
  auto decision = brake.Decide(100, Lost(7), kBegin);
  EXPECT_EQ(decision.state, BrakeState::kOpen);
  EXPECT_EQ(decision.replace.size(), 5u);
  EXPECT_EQ(decision.next, kBegin + absl::Seconds(10));
  // Asking again costs nothing and gives nothing.
  EXPECT_EQ(brake.Decide(100, Lost(7), kBegin).replace, decision.replace);
  EXPECT_EQ(brake.Decide(100, Lost(7), kBegin + absl::Seconds(10)).replace.size(), 6u);
  decision = brake.Decide(100, Lost(7), kBegin + absl::Seconds(20));
  EXPECT_EQ(decision.replace.size(), 7u);
  EXPECT_EQ(decision.next, absl::InfiniteDuration());
}

TEST(LossBrake, DegradedIsOneEveryThirtySeconds) {
  LossBrake brake;
  auto decision = brake.Decide(20, Lost(4), kBegin);
  EXPECT_EQ(decision.state, BrakeState::kDegraded);
  EXPECT_EQ(decision.replace.size(), 1u);
  EXPECT_EQ(decision.next, kBegin + absl::Seconds(30));
  decision = brake.Decide(20, Lost(4), kBegin + absl::Seconds(30));
  EXPECT_EQ(decision.replace.size(), 2u);
}

TEST(LossBrake, DegradedEndsWhenTheLossIsOld) {
  LossBrake brake;
  brake.Decide(20, Lost(4), kBegin);
  EXPECT_EQ(brake.Decide(20, Lost(4), kBegin + absl::Seconds(61)).state, BrakeState::kOpen);
}

TEST(LossBrake, IsolatedReplacesNothing) {
  LossBrake brake;
  const auto decision = brake.Decide(20, Lost(11), kBegin);
  EXPECT_EQ(decision.state, BrakeState::kIsolated);
  EXPECT_TRUE(decision.replace.empty());
  LossBrake overridden(true);
  EXPECT_EQ(overridden.Decide(20, Lost(11), kBegin).state, BrakeState::kDegraded);
}

TEST(LossBrake, ANodeLostAnewIsANewLoss) {
  LossBrake brake;
  brake.Decide(100, Lost(5), kBegin);
  brake.Decide(100, {}, kBegin);
  EXPECT_TRUE(brake.Decide(100, Lost(1, kBegin + absl::Seconds(1)), kBegin + absl::Seconds(1))
                  .replace.empty());
}

}  // namespace
}  // namespace cluster::controller
