// Replicas follow what the pods really use.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// Two looks, 15 seconds apart, and a window after the start of a pod.
constexpr absl::Duration kPatience = absl::Seconds(90);

// Busy as far as its limit lets it, until /tmp/quiet is there.
constexpr char kBusy[] = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: busy}
spec:
  template:
    metadata: {labels: {app: busy}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: busybox:1
        command: [sh, -c, 'while :; do if [ -e /tmp/quiet ]; then sleep 1; fi; done']
        resources: {requests: {cpu: 50m}, limits: {cpu: 100m}}
)";

constexpr char kAutoscaler[] = R"(apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: busy}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: busy}
  maxReplicas: 2
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
)";

class AutoscaleE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override { CtlOut({"delete", "hpa,deployments", "--all", "--timeout", "60s"}); }
};

TEST_F(AutoscaleE2e, ABusyPodGetsHelpAndAnIdleOneLosesIt) {
  Apply(kBusy);
  ASSERT_TRUE(WaitReady("busy", 1));
  EXPECT_EQ(Apply(kAutoscaler), "horizontalpodautoscaler/busy created");
  ASSERT_TRUE(Eventually([] { return PodsOf("busy").size() == 2; }, kPatience))
      << CtlOut({"describe", "hpa", "busy"});
  ASSERT_TRUE(WaitReady("busy", 2));
  EXPECT_THAT(CtlOut({"get", "hpa"}),
              ContainsRegex("busy +Deployment/busy +cpu: [0-9]+%/50% +1 +2 +[12] +[0-9]+[sm]"));
  EXPECT_THAT(CtlOut({"describe", "hpa", "busy"}),
              HasSubstr("cpu resource utilization (percentage of request) above target"));
  // The number is the autoscaler's as long as the manifest does not name one.
  EXPECT_EQ(Apply(absl::StrReplaceAll(kBusy, {{"{name: busy}", "{name: busy, labels: {a: b}}"}})),
            "deployment/busy configured");
  EXPECT_EQ(GetJson({"deploy", "busy"})["spec"]["replicas"], 2);
  for (const auto& pod : PodsOf("busy")) {
    CtlOut({"exec", pod["metadata"]["name"], "--", "touch", "/tmp/quiet"});
  }
  EXPECT_TRUE(Eventually([] { return PodsOf("busy").size() == 1; }, kPatience))
      << CtlOut({"describe", "hpa", "busy"});
}

TEST_F(AutoscaleE2e, AutoscaleMakesOne) {
  Apply(kBusy);
  EXPECT_EQ(CtlOut({"autoscale", "deploy/busy", "--min", "2", "--max", "3"}),
            "horizontalpodautoscaler/busy autoscaled");
  EXPECT_TRUE(WaitReady("busy", 2)) << "as few as there may be, whatever they use";
  CtlOut({"scale", "deploy/busy", "--replicas", "0"});
  EXPECT_TRUE(Eventually([] {
    return testing::Value(Ctl({"describe", "hpa", "busy"}).out, HasSubstr("ScalingDisabled"));
  }));
  EXPECT_TRUE(PodsOf("busy").empty());
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-autoscale", 2)
