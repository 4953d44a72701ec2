#include "gmock/gmock.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;

class AutoscaleTest : public CommandTest {
 protected:
  AutoscaleTest() {
    Put("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n"
        "    metadata: {labels: {app: web}}\n    spec: {containers: [{name: main, image: "
        "app:1}]}\n");
  }
  v1::HorizontalPodAutoscalerSpec Spec(const std::string& name) {
    return cluster_.Stored("horizontalpodautoscalers/default/" + name)
        .horizontal_pod_autoscaler()
        .spec();
  }
};

TEST_F(AutoscaleTest, MakesAnAutoscalerOfTheTargetsName) {
  const Outcome outcome =
      Run({"autoscale", "deploy/web", "--min", "2", "--max=10", "--cpu-percent", "60"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "horizontalpodautoscaler/web autoscaled\n");
  const auto spec = Spec("web");
  EXPECT_EQ(spec.scale_target_ref().api_version(), "apps/v1");
  EXPECT_EQ(spec.scale_target_ref().kind(), "Deployment");
  EXPECT_EQ(spec.scale_target_ref().name(), "web");
  EXPECT_EQ(spec.min_replicas(), 2);
  EXPECT_EQ(spec.max_replicas(), 10);
  ASSERT_EQ(spec.metrics_size(), 1);
  EXPECT_EQ(spec.metrics(0).resource().target().average_utilization(), 60);
  EXPECT_THAT(Run({"get", "hpa"}).out, HasSubstr("cpu: <unknown>/60%"));
}

TEST_F(AutoscaleTest, WhatIsLeftOutIsLeftToTheController) {
  EXPECT_EQ(Run({"autoscale", "deployment", "web", "--max", "3", "--name", "other"}).code, 0);
  EXPECT_EQ(Spec("other").max_replicas(), 3);
  EXPECT_EQ(Spec("other").metrics(0).resource().target().average_utilization(), 80)
      << "the default";
}

TEST_F(AutoscaleTest, Refusals) {
  EXPECT_EQ(Run({"autoscale", "deploy/web"}).code, 2);
  EXPECT_EQ(Run({"autoscale", "deploy/web", "--max", "0"}).code, 2);
  EXPECT_EQ(Run({"autoscale", "deploy/web", "--max", "2", "--min", "3"}).code, 2);
  EXPECT_EQ(Run({"autoscale", "deploy/none", "--max", "2"}).code, 1);
  Put("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n");
  EXPECT_EQ(Run({"autoscale", "cm/c", "--max", "2"}).code, 2);
  ASSERT_EQ(Run({"autoscale", "deploy/web", "--max", "2"}).code, 0);
  const Outcome again = Run({"autoscale", "deploy/web", "--max", "2"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("horizontalpodautoscaler web exists"));
}

}  // namespace
}  // namespace cluster::cli
