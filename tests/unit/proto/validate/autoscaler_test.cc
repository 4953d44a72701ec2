// Defaults of HorizontalPodAutoscalers.
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "proto/schema/reader.h"
#include "proto/validate/validate.h"

namespace cluster {
namespace {

v1::HorizontalPodAutoscalerSpec SpecOf(const std::string& lines) {
  ReadResult result = ReadManifests(
      absl::StrCat("apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n"
                   "metadata: {name: web}\nspec:\n"
                   "  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n"
                   "  maxReplicas: 5\n",
                   lines),
      "hpa.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  if (result.documents.empty()) return {};
  v1::Object object = result.documents[0].object;
  SetDefaults(&object);
  v1::Object again = object;
  SetDefaults(&again);
  EXPECT_EQ(again.ShortDebugString(), object.ShortDebugString()) << "not idempotent";
  const auto errors = Validate(object);
  EXPECT_TRUE(errors.empty()) << errors[0].field << ": " << errors[0].message;
  return object.horizontal_pod_autoscaler().spec();
}

TEST(AutoscalerDefaults, OneReplicaAndEightyPercentOfTheCpu) {
  const auto spec = SpecOf("");
  EXPECT_EQ(spec.min_replicas(), 1);
  ASSERT_EQ(spec.metrics_size(), 1);
  EXPECT_EQ(spec.metrics(0).type(), v1::METRIC_SOURCE_TYPE_RESOURCE);
  EXPECT_EQ(spec.metrics(0).resource().name(), "cpu");
  EXPECT_EQ(spec.metrics(0).resource().target().type(), v1::METRIC_TARGET_TYPE_UTILIZATION);
  EXPECT_EQ(spec.metrics(0).resource().target().average_utilization(), 80);
  EXPECT_FALSE(spec.has_behavior());
}

TEST(AutoscalerDefaults, ABehaviourIsFilledUpInBothDirections) {
  const auto behavior = SpecOf(
                            "  behavior:\n    scaleDown: {stabilizationWindowSeconds: 0, "
                            "selectPolicy: Disabled}\n")
                            .behavior();
  EXPECT_TRUE(behavior.scale_up().has_stabilization_window_seconds());
  EXPECT_EQ(behavior.scale_up().stabilization_window_seconds(), 0);
  EXPECT_EQ(behavior.scale_up().select_policy(), v1::SCALING_POLICY_SELECT_MAX);
  ASSERT_EQ(behavior.scale_up().policies_size(), 2);
  EXPECT_EQ(behavior.scale_up().policies(0).type(), v1::SCALING_POLICY_TYPE_PODS);
  EXPECT_EQ(behavior.scale_up().policies(0).value(), 4);
  EXPECT_EQ(behavior.scale_up().policies(1).type(), v1::SCALING_POLICY_TYPE_PERCENT);
  EXPECT_EQ(behavior.scale_up().policies(1).value(), 100);
  EXPECT_EQ(behavior.scale_up().policies(1).period_seconds(), 15);
  EXPECT_EQ(behavior.scale_down().stabilization_window_seconds(), 0);
  EXPECT_EQ(behavior.scale_down().select_policy(), v1::SCALING_POLICY_SELECT_DISABLED);
  EXPECT_EQ(behavior.scale_down().policies_size(), 1);
}

TEST(AutoscalerDefaults, TheWindowDownIsFiveMinutes) {
  const auto behavior =
      SpecOf("  behavior: {scaleUp: {stabilizationWindowSeconds: 3}}\n").behavior();
  EXPECT_EQ(behavior.scale_down().stabilization_window_seconds(), 300);
  EXPECT_EQ(behavior.scale_up().stabilization_window_seconds(), 3);
}

TEST(AutoscalerDefaults, AmountsAreCanonical) {
  const auto spec = SpecOf(
      "  metrics: [{type: Resource, resource: {name: memory, target: {type: AverageValue, "
      "averageValue: 1024Mi}}}]\n"
      "  behavior: {scaleUp: {tolerance: 0.05}}\n");
  ASSERT_EQ(spec.metrics_size(), 1) << "no cpu beside it";
  EXPECT_EQ(spec.metrics(0).resource().target().average_value(), "1Gi");
  EXPECT_EQ(spec.behavior().scale_up().tolerance(), "50m");
}

}  // namespace
}  // namespace cluster
