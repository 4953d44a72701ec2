#include "controller/reconcile/scaling_limits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "proto/validate/autoscaler_rules.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kAble = "AbleToScale";
constexpr absl::string_view kLimited = "ScalingLimited";

absl::Duration WindowOf(const v1::ScalingRules& rules) {
  return absl::Seconds(rules.stabilization_window_seconds());
}

// The most careful of all recommendations of the windows.
int Stabilized(const WantedReplicas& wanted, const v1::ScalingBehavior& behavior,
               absl::Duration now, const ScalingPast& past) {
  int up = wanted.desired;
  int down = wanted.desired;
  for (const auto& each : past.recommendations) {
    if (each.at > now - WindowOf(behavior.scale_up())) up = std::min(up, each.replicas);
    if (each.at > now - WindowOf(behavior.scale_down())) down = std::max(down, each.replicas);
  }
  return std::min(std::max(wanted.current, up), down);
}

// Replicas at the beginning of a period that ends now.
int AtStartOf(int period_seconds, int current, absl::Duration now, const ScalingPast& past) {
  for (const ScalingPast::Change& change : past.changes) {
    if (change.at > now - absl::Seconds(period_seconds)) current -= change.replicas;
  }
  return current;
}

int Bounded(double replicas) {
  return static_cast<int>(std::clamp(replicas, 0.0, double{std::numeric_limits<int>::max()}));
}

// As many as the policies let there be; of several, selectPolicy says which one counts.
int UpLimit(const v1::ScalingRules& rules, int current, absl::Duration now,
            const ScalingPast& past) {
  if (rules.select_policy() == v1::SCALING_POLICY_SELECT_DISABLED) return current;
  const bool least = rules.select_policy() == v1::SCALING_POLICY_SELECT_MIN;
  int limit = least ? std::numeric_limits<int>::max() : 0;
  for (const v1::ScalingPolicy& policy : rules.policies()) {
    const double start = AtStartOf(policy.period_seconds(), current, now, past);
    // Rounded up, else one pod and 50 % would never be two.
    const int proposed = policy.type() == v1::SCALING_POLICY_TYPE_PODS
                             ? Bounded(start + policy.value())
                             : Bounded(std::ceil(start * (100.0 + policy.value()) / 100));
    limit = least ? std::min(limit, proposed) : std::max(limit, proposed);
  }
  return std::max(limit, current);
}

int DownLimit(const v1::ScalingRules& rules, int current, absl::Duration now,
              const ScalingPast& past) {
  if (rules.select_policy() == v1::SCALING_POLICY_SELECT_DISABLED) return current;
  const bool least = rules.select_policy() == v1::SCALING_POLICY_SELECT_MIN;
  int limit = least ? 0 : std::numeric_limits<int>::max();
  for (const v1::ScalingPolicy& policy : rules.policies()) {
    const double start = AtStartOf(policy.period_seconds(), current, now, past);
    const int proposed = policy.type() == v1::SCALING_POLICY_TYPE_PODS
                             ? Bounded(start - policy.value())
                             : Bounded(start * (100.0 - policy.value()) / 100);
    limit = least ? std::max(limit, proposed) : std::min(limit, proposed);
  }
  return std::min(limit, current);
}

ConditionUpdate AbleUpdate(const WantedReplicas& wanted, int stabilized) {
  constexpr auto kTrue = v1::CONDITION_STATUS_TRUE;
  if (stabilized == wanted.desired) {
    return {kAble, kTrue, "ReadyForNewScale", "recommended size matches current size"};
  }
  if (wanted.desired >= wanted.current) {
    return {kAble, kTrue, "ScaleUpStabilized",
            "recent recommendations were lower than current one, applying the lowest recent "
            "recommendation"};
  }
  return {kAble, kTrue, "ScaleDownStabilized",
          "recent recommendations were higher than current one, applying the highest recent "
          "recommendation"};
}

ConditionUpdate Limited(absl::string_view reason, const char* message) {
  return {kLimited, v1::CONDITION_STATUS_TRUE, reason, message};
}

}  // namespace

void ScalingPast::Trim(absl::Duration now) {
  const auto drop = [](auto* all, absl::Duration until) {
    all->erase(std::remove_if(all->begin(), all->end(),
                              [until](const auto& each) { return each.at <= until; }),
               all->end());
  };
  drop(&recommendations, now - absl::Seconds(kLongestWindowSeconds));
  drop(&changes, now - absl::Seconds(kLongestPeriodSeconds));
}

LimitedReplicas LimitReplicas(const WantedReplicas& wanted, const v1::ScalingBehavior& behavior,
                              absl::Duration now, ScalingPast* past) {
  LimitedReplicas result;
  const int stabilized = Stabilized(wanted, behavior, now, *past);
  past->recommendations.push_back({wanted.desired, now});
  result.able = AbleUpdate(wanted, stabilized);
  result.limited = {kLimited, v1::CONDITION_STATUS_FALSE, "DesiredWithinRange",
                    "the desired count is within the acceptable range"};
  result.replicas = stabilized;
  if (stabilized > wanted.current) {
    const int limit = UpLimit(behavior.scale_up(), wanted.current, now, *past);
    if (stabilized > std::min(limit, wanted.max)) {
      result.replicas = std::min(limit, wanted.max);
      result.limited =
          limit < wanted.max
              ? Limited(
                    "ScaleUpLimit",
                    "the desired replica count is increasing faster than the maximum scale rate")
              : Limited("TooManyReplicas",
                        "the desired replica count is more than the maximum replica count");
    }
  } else if (stabilized < wanted.current) {
    const int limit = DownLimit(behavior.scale_down(), wanted.current, now, *past);
    if (stabilized < std::max(limit, wanted.min)) {
      result.replicas = std::max(limit, wanted.min);
      result.limited =
          limit > wanted.min
              ? Limited(
                    "ScaleDownLimit",
                    "the desired replica count is decreasing faster than the maximum scale rate")
              : Limited("TooFewReplicas",
                        "the desired replica count is less than the minimum replica count");
    }
  }
  return result;
}

}  // namespace cluster::controller
