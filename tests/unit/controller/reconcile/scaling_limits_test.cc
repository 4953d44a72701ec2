#include "controller/reconcile/scaling_limits.h"

#include "gtest/gtest.h"

#include "proto/validate/autoscaler_rules.h"

namespace cluster::controller {
namespace {

constexpr auto kPods = v1::SCALING_POLICY_TYPE_PODS;
constexpr auto kPercent = v1::SCALING_POLICY_TYPE_PERCENT;

void Policy(v1::ScalingRules* rules, v1::ScalingPolicyType type, int value, int seconds) {
  v1::ScalingPolicy* policy = rules->add_policies();
  policy->set_type(type);
  policy->set_value(value);
  policy->set_period_seconds(seconds);
}

class ScalingLimits : public testing::Test {
 protected:
  LimitedReplicas Limit(int current, int desired, int min = 1, int max = 1000) {
    v1::ScalingBehavior behavior = behavior_;
    DefaultBehavior(&behavior);
    const LimitedReplicas limited =
        LimitReplicas({current, desired, min, max}, behavior, now_, &past_);
    past_.Trim(now_);
    return limited;
  }
  // As the reconciler does it once the change is committed.
  int Scale(int current, int desired, int min = 1, int max = 1000) {
    const int replicas = Limit(current, desired, min, max).replicas;
    if (replicas != current) past_.changes.push_back({replicas - current, now_});
    return replicas;
  }
  void Pass(absl::Duration time) { now_ += time; }
  v1::ScalingRules* up() { return behavior_.mutable_scale_up(); }
  v1::ScalingRules* down() { return behavior_.mutable_scale_down(); }
  void NoWindowDown() { down()->set_stabilization_window_seconds(0); }

  v1::ScalingBehavior behavior_;
  ScalingPast past_;
  absl::Duration now_ = absl::Hours(5);
};

TEST_F(ScalingLimits, WithinBoundsAllIsDoneAtOnce) {
  const LimitedReplicas limited = Limit(3, 5);
  EXPECT_EQ(limited.replicas, 5);
  EXPECT_EQ(limited.able.reason, "ReadyForNewScale");
  EXPECT_EQ(limited.limited.status, v1::CONDITION_STATUS_FALSE);
  EXPECT_EQ(limited.limited.reason, "DesiredWithinRange");
}

TEST_F(ScalingLimits, ByDefaultFourPodsOrTwiceAsManyIn15Seconds) {
  EXPECT_EQ(Limit(1, 100).limited.reason, "ScaleUpLimit");
  EXPECT_EQ(Scale(1, 100), 5);
  EXPECT_EQ(Scale(5, 100), 5) << "the period is not over";
  Pass(absl::Seconds(14));
  EXPECT_EQ(Scale(5, 100), 5);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Scale(5, 100), 10);
  Pass(absl::Seconds(15));
  EXPECT_EQ(Scale(10, 100), 20);
}

TEST_F(ScalingLimits, MaxAndMinReplicasLimitToo) {
  EXPECT_EQ(Limit(3, 7, 1, 4).replicas, 4);
  EXPECT_EQ(Limit(3, 7, 1, 4).limited.reason, "TooManyReplicas");
  past_ = {};
  NoWindowDown();
  EXPECT_EQ(Limit(3, 0, 2).replicas, 2);
  EXPECT_EQ(Limit(3, 0, 2).limited.reason, "TooFewReplicas");
}

TEST_F(ScalingLimits, DownTheHighestRecommendationOfFiveMinutesCounts) {
  EXPECT_EQ(Scale(10, 10), 10);
  Pass(absl::Minutes(2));
  EXPECT_EQ(Scale(10, 7), 10);
  EXPECT_EQ(Limit(10, 4).able.reason, "ScaleDownStabilized");
  Pass(absl::Minutes(3));
  EXPECT_EQ(Scale(10, 4), 7) << "the ten are five minutes old";
  Pass(absl::Minutes(2));
  EXPECT_EQ(Scale(7, 4), 4);
}

TEST_F(ScalingLimits, UpTheLowestRecommendationOfTheWindowCounts) {
  up()->set_stabilization_window_seconds(60);
  past_.recommendations.push_back({2, now_});
  Pass(absl::Seconds(30));
  EXPECT_EQ(Limit(2, 6).replicas, 2);
  EXPECT_EQ(Limit(2, 6).able.reason, "ScaleUpStabilized");
  Pass(absl::Seconds(30));
  EXPECT_EQ(Limit(2, 5).replicas, 5);
}

TEST_F(ScalingLimits, AWindowDownDoesNotHoldUpTheWayUp) {
  EXPECT_EQ(Scale(2, 2), 2);
  EXPECT_EQ(Scale(2, 5), 5);
  EXPECT_EQ(Scale(5, 2), 5);
}

// The tables of Kubernetes' TestScaleUpWithScalingRules... and TestScaleDown...
TEST_F(ScalingLimits, UpByPods) {
  Policy(up(), kPods, 3, 60);
  EXPECT_EQ(Scale(10, 100), 13);
  Pass(absl::Seconds(30));
  EXPECT_EQ(Scale(13, 100), 13);
  Pass(absl::Seconds(30));
  EXPECT_EQ(Scale(13, 100), 16);
}

TEST_F(ScalingLimits, UpByPercentIsRoundedUp) {
  Policy(up(), kPercent, 10, 60);
  EXPECT_EQ(Scale(1, 100), 2);
  past_ = {};
  EXPECT_EQ(Scale(10, 100), 11) << "exactly";
  past_ = {};
  EXPECT_EQ(Scale(11, 100), 13);
}

TEST_F(ScalingLimits, OfSeveralPoliciesTheLargestChangeCountsOrTheSmallest) {
  Policy(up(), kPods, 3, 60);
  Policy(up(), kPercent, 100, 60);
  EXPECT_EQ(Limit(10, 100).replicas, 20);
  up()->set_select_policy(v1::SCALING_POLICY_SELECT_MIN);
  EXPECT_EQ(Limit(10, 100).replicas, 13);
  NoWindowDown();
  Policy(down(), kPods, 3, 60);
  Policy(down(), kPercent, 50, 60);
  EXPECT_EQ(Limit(10, 1).replicas, 5);
  down()->set_select_policy(v1::SCALING_POLICY_SELECT_MIN);
  EXPECT_EQ(Limit(10, 1).replicas, 7);
  EXPECT_EQ(Limit(10, 1).limited.reason, "ScaleDownLimit");
}

TEST_F(ScalingLimits, ADisabledDirectionIsNotTaken) {
  NoWindowDown();
  up()->set_select_policy(v1::SCALING_POLICY_SELECT_DISABLED);
  EXPECT_EQ(Limit(5, 50).replicas, 5);
  EXPECT_EQ(Limit(5, 50).limited.reason, "ScaleUpLimit");
  past_ = {};
  EXPECT_EQ(Limit(5, 1).replicas, 1);
  down()->set_select_policy(v1::SCALING_POLICY_SELECT_DISABLED);
  EXPECT_EQ(Limit(5, 1).replicas, 5);
}

TEST_F(ScalingLimits, WhatWentTheOtherWayInThePeriodIsTakenBack) {
  NoWindowDown();
  Policy(up(), kPods, 4, 60);
  Policy(down(), kPods, 2, 60);
  EXPECT_EQ(Scale(10, 20), 14);
  Pass(absl::Seconds(10));
  EXPECT_EQ(Scale(14, 1), 8) << "ten at the start of the period, and two of them less";
  Pass(absl::Seconds(10));
  EXPECT_EQ(Scale(8, 20), 14);
}

TEST_F(ScalingLimits, APolicyNeverTurnsADirectionRound) {
  Policy(up(), kPods, 1, 1800);
  past_.changes.push_back({9, now_});
  EXPECT_EQ(Limit(10, 20).replicas, 10);
}

TEST_F(ScalingLimits, ALongerPeriodThatComesLaterSeesWhatWasBefore) {
  EXPECT_EQ(Scale(10, 14), 14);
  Pass(absl::Minutes(2));
  EXPECT_EQ(Scale(14, 14), 14);
  Policy(up(), kPods, 5, 600);
  EXPECT_EQ(Scale(14, 100), 15);
}

TEST_F(ScalingLimits, OnlyWhatAWindowOrPeriodReachesIsRemembered) {
  for (int i = 0; i < 500; ++i) {
    Limit(5, 5);
    past_.changes.push_back({1, now_});
    Pass(absl::Seconds(15));
  }
  Limit(5, 5);
  EXPECT_EQ(past_.recommendations.size(), 3600u / 15);
  EXPECT_EQ(past_.changes.size(), 1800u / 15 - 1) << "none at this moment";
}

}  // namespace
}  // namespace cluster::controller
