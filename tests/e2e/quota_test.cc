// What a namespace may have, what its pods get where they say nothing, and pods that need more
// memory (behaviours 55 and 56).
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// Ends as soon as it is asked to.
constexpr char kCompliant[] = "trap \"exit 0\" TERM; sleep 100000 & wait";

class QuotaE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override {
    CtlOut({"delete", "hpa,deployments,pods,configmaps,resourcequotas,limitranges", "--all",
            "--timeout", "60s"});
  }
};

std::string QuotaYaml(const std::string& hard) {
  return absl::StrCat("{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {",
                      hard, "}}}");
}

// A pod with these resources; "" says nothing.
std::string SizedPod(const std::string& name, const std::string& resources) {
  return PodText{.name = name,
                 .script = kCompliant,
                 .extra_container =
                     resources.empty() ? "" : absl::StrCat("      resources: {", resources, "}\n")}
      .Yaml();
}

// "2/3": what the quota says is used of what there may be.
std::string UsedOf(const std::string& resource) {
  const nlohmann::json quota = GetJson({"resourcequota", "few"});
  const auto amount = [&](const char* list) {
    const auto at = nlohmann::json::json_pointer(absl::StrCat("/status/", list, "/", resource));
    return quota.value(at, "?");
  };
  return absl::StrCat(amount("used"), "/", amount("hard"));
}

TEST_F(QuotaE2e, Behaviour56_WhatExceedsAQuotaIsRefusedAndCountsFollowTheObjects) {
  EXPECT_EQ(Apply(QuotaYaml("pods: 2, requests.cpu: 300m")), "resourcequota/few created");
  ASSERT_TRUE(Eventually([] { return UsedOf("pods") == "0/2"; }));
  Apply(SizedPod("one", "requests: {cpu: 100m}"));
  EXPECT_EQ(UsedOf("pods"), "1/2") << "counted with the pod itself";
  EXPECT_EQ(UsedOf("requests.cpu"), "100m/300m");

  const Outcome big = Ctl({"apply", "-f", "-"}, SizedPod("big", "requests: {cpu: 250m}"));
  EXPECT_EQ(big.exit_code, 1);
  EXPECT_EQ(big.err,
            "error: pods \"big\" is forbidden: exceeded quota: few, requested: "
            "requests.cpu=250m, used: requests.cpu=100m, limited: requests.cpu=300m\n");
  EXPECT_EQ(Ctl({"get", "pod", "big"}).exit_code, 1);
  const Outcome silent = Ctl({"apply", "-f", "-"}, SizedPod("silent", ""));
  EXPECT_EQ(silent.exit_code, 1);
  EXPECT_THAT(silent.err, HasSubstr("failed quota: few: must specify requests.cpu"));

  Apply(SizedPod("two", "requests: {cpu: 200m}"));
  const Outcome third = Ctl({"apply", "-f", "-"}, SizedPod("three", "requests: {cpu: 1m}"));
  EXPECT_EQ(third.exit_code, 1);
  EXPECT_THAT(third.err, HasSubstr("requested: pods=1,requests.cpu=1m, used: "
                                   "pods=2,requests.cpu=300m, limited: pods=2,requests.cpu=300m"));
  EXPECT_THAT(CtlOut({"get", "resourcequota", "few"}),
              ContainsRegex("few +pods: 2/2, requests.cpu: 300m/300m"));
  ASSERT_TRUE(WaitPhase("two", "Running"));

  Delete("pod", "one");
  ASSERT_TRUE(Eventually([] { return UsedOf("pods") == "1/2"; }));
  EXPECT_EQ(UsedOf("requests.cpu"), "200m/300m");
  EXPECT_EQ(Apply(SizedPod("three", "requests: {cpu: 1m}")), "pod/three created");
}

TEST_F(QuotaE2e, Behaviour56_ADeploymentGetsAsManyPodsAsTheQuotaAllowsAndSaysWhyNotMore) {
  Apply(QuotaYaml("pods: 2"));
  Apply(DeploymentText{.name = "web", .replicas = 3, .script = kCompliant}.Yaml());
  const auto refusal = [] {
    const nlohmann::json deployment = GetJson({"deployment", "web"});
    const auto at = "/status/conditions"_json_pointer;
    if (!deployment.contains(at)) return std::string();
    for (const auto& condition : deployment[at]) {
      if (condition["type"] == "ReplicaFailure") return condition.value("message", "");
    }
    return std::string();
  };
  ASSERT_TRUE(WaitReady("web", 2));
  ASSERT_TRUE(Eventually([&] { return !refusal().empty(); }));
  EXPECT_THAT(refusal(), HasSubstr("is forbidden: exceeded quota: few, requested: pods=1, used: "
                                   "pods=2, limited: pods=2"));
  Apply(QuotaYaml("pods: 3"));
  ASSERT_TRUE(WaitReady("web", 3));
  EXPECT_TRUE(Eventually([&] { return refusal().empty(); })) << refusal();
}

TEST_F(QuotaE2e, Behaviour55_APodGetsTheDefaultsOfItsNamespaceAndIsHeldToItsBounds) {
  Apply(R"(apiVersion: v1
kind: LimitRange
metadata: {name: sizes}
spec:
  limits:
  - type: Container
    default: {cpu: 200m, memory: 64Mi}
    defaultRequest: {cpu: 100m, memory: 32Mi}
    min: {memory: 16Mi}
    max: {memory: 128Mi}
)");
  Apply(SizedPod("plain", ""));
  Apply(SizedPod("own", "requests: {memory: 48Mi}"));
  ASSERT_TRUE(WaitPhase("plain", "Running"));
  ASSERT_TRUE(WaitPhase("own", "Running"));
  const auto wanted = [](const char* pod) {
    return PodNamed(pod)["spec"]["containers"][0]["resources"];
  };
  const nlohmann::json defaults = {{"limits", {{"cpu", "200m"}, {"memory", "64Mi"}}},
                                   {"requests", {{"cpu", "100m"}, {"memory", "32Mi"}}}};
  EXPECT_EQ(wanted("plain"), defaults);
  EXPECT_EQ(wanted("own")["requests"]["memory"], "48Mi") << "only what was missing";
  EXPECT_EQ(wanted("own")["limits"]["memory"], "64Mi");
  EXPECT_EQ(PodNamed("plain")["status"]["qosClass"], "Burstable");
  // The node goes by them.
  EXPECT_EQ(PodNamed("plain")["status"]["containerStatuses"][0]["resources"]["limits"]["memory"],
            "64Mi");
  EXPECT_EQ(Apply(SizedPod("plain", "")), "pod/plain unchanged");

  const auto refusal = [](const std::string& resources) {
    const Outcome outcome = Ctl({"apply", "-f", "-"}, SizedPod("bad", resources));
    EXPECT_EQ(outcome.exit_code, 1);
    return outcome.err;
  };
  EXPECT_EQ(refusal("requests: {memory: 32Mi}, limits: {memory: 256Mi}"),
            "error: pods \"bad\" is forbidden: maximum memory usage per Container is 128Mi, but "
            "limit is 256Mi\n");
  EXPECT_EQ(refusal("requests: {memory: 8Mi}, limits: {memory: 32Mi}"),
            "error: pods \"bad\" is forbidden: minimum memory usage per Container is 16Mi, but "
            "request is 8Mi\n");
  EXPECT_EQ(Ctl({"get", "pod", "bad"}).exit_code, 1);
}

// Each holds 24 MiB where 20 are asked for.
constexpr char kHungry[] = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: hungry}
spec:
  selector: {matchLabels: {app: hungry}}
  template:
    metadata: {labels: {app: hungry}}
    spec:
      terminationGracePeriodSeconds: 0
      volumes: [{name: hold, emptyDir: {medium: Memory}}]
      containers:
      - name: main
        image: busybox:1
        command: [sh, -c, 'head -c 25165824 /dev/zero > /hold/it; exec sleep 100000']
        resources: {requests: {memory: 20Mi}, limits: {memory: 64Mi}}
        volumeMounts: [{name: hold, mountPath: /hold}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: hungry}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: hungry}
  maxReplicas: 2
  metrics:
  - {type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 60}}}
)";

TEST_F(QuotaE2e, PodsThatUseMuchMemoryGetHelp) {
  Apply(kHungry);
  ASSERT_TRUE(WaitReady("hungry", 1));
  ASSERT_TRUE(Eventually([] { return PodsOf("hungry").size() == 2; }, absl::Seconds(90)))
      << CtlOut({"describe", "hpa", "hungry"});
  ASSERT_TRUE(WaitReady("hungry", 2));
  EXPECT_THAT(CtlOut({"get", "hpa"}),
              ContainsRegex("hungry +Deployment/hungry +memory: 1[0-9][0-9]%/60% +1 +2 +[12] "));
  EXPECT_THAT(CtlOut({"describe", "hpa", "hungry"}),
              HasSubstr("memory resource utilization (percentage of request) above target"));
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-quota", 1)
