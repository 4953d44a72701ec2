// Programs are killed and nodes powered off; what was promised holds (laws 4, 5 and 6, behaviours
// 82 to 85).
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

constexpr char kCount[] = "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.01; done";

class SurvivalE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override { CtlOut({"delete", "deployments,pods", "--all", "--timeout", "60s"}); }
};

std::vector<std::string> AllNodes() { return {"node1", "node2", "node3"}; }

void WaitNodesReady() {
  for (const std::string& node : AllNodes()) {
    EXPECT_EQ(Ctl({"wait", "node/" + node, "--for=condition=Ready", "--timeout", "60s"}).exit_code,
              0)
        << node;
  }
}

// The numbers that the pod printed so far are 0, 1, 2, ... without gap or repetition; returns how
// many.
int64_t CheckCount(const std::string& pod) {
  const std::string text = CtlOut({"logs", pod});
  int64_t expected = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    int64_t number = -1;
    EXPECT_TRUE(absl::ConsumePrefix(&line, "line ") && absl::SimpleAtoi(line, &number)) << line;
    EXPECT_EQ(number, expected) << pod;
    if (number != expected) break;
    ++expected;
  }
  return expected;
}

std::set<int64_t> PidsOf(const std::string& app) {
  std::set<int64_t> pids;
  for (const auto& pod : PodsOf(app)) pids.insert(PidOf(pod));
  return pids;
}

// Kills `parts`, lets the pods go on, starts them again, and checks that no pod noticed.
void KillAndCheck(const std::vector<std::string>& parts) {
  Apply(DeploymentText{.name = "count", .script = kCount}.Yaml());
  ASSERT_TRUE(WaitReady("count", 3));
  const std::set<int64_t> pids = PidsOf("count");
  ASSERT_EQ(pids.size(), 3u);
  for (const std::string& part : parts) CtlOut({"local", "kill", part});
  for (const int64_t pid : pids) EXPECT_EQ(kill(static_cast<pid_t>(pid), 0), 0) << pid;
  for (const std::string& part : parts) CtlOut({"local", "start", part});
  WaitNodesReady();
  ASSERT_TRUE(WaitReady("count", 3));
  EXPECT_EQ(PidsOf("count"), pids);
  for (const auto& pod : PodsOf("count")) {
    EXPECT_EQ(RestartCount(pod), 0);
    const std::string name = pod["metadata"]["name"];
    const int64_t before = CheckCount(name);
    EXPECT_TRUE(Eventually([&] { return CheckCount(name) > before; }));
  }
  CtlOut({"scale", "deploy/count", "--replicas", "2"});
  ASSERT_TRUE(WaitReady("count", 2));
}

TEST_F(SurvivalE2e, Law5_Behaviour82_KilledAgentsLeavePodsRunning) { KillAndCheck(AllNodes()); }

TEST_F(SurvivalE2e, Law5_Behaviour83_KilledControllerLeavesPodsRunning) {
  KillAndCheck({"controller"});
}

TEST_F(SurvivalE2e, Law5_EverythingKilledAtOnceLeavesPodsRunning) {
  KillAndCheck({"controller", "node1", "node2", "node3"});
}

TEST_F(SurvivalE2e, Behaviour82_ExitCodeIsKnownWhenThePodEndedWithoutAgent) {
  Apply(PodText{.name = "ends", .script = "sleep 1; exit 7", .restart_policy = "Never"}.Yaml());
  ASSERT_TRUE(WaitPhase("ends", "Running"));
  const nlohmann::json pod = PodNamed("ends");
  const std::string node = pod["spec"]["nodeName"];
  const auto pid = static_cast<pid_t>(PidOf(pod));
  CtlOut({"local", "kill", node});
  ASSERT_TRUE(Eventually([&] { return kill(pid, 0) != 0; }));
  CtlOut({"local", "start", node});
  ASSERT_TRUE(WaitPhase("ends", "Failed"));
  EXPECT_EQ(PodNamed("ends")["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"],
            7);
}

TEST_F(SurvivalE2e, Law4_AcknowledgedApplySurvivesKillOfTheController) {
  for (int round = 0; round < 5; ++round) {
    const std::string name = absl::StrCat("durable-", round);
    Apply(absl::StrCat("{apiVersion: v1, kind: ConfigMap, metadata: {name: ", name,
                       "}, data: {round: \"", round, "\"}}"));
    CtlOut({"local", "kill", "controller"});
    CtlOut({"local", "start", "controller"});
    ASSERT_TRUE(Eventually([&] { return Ctl({"get", "cm", name}).exit_code == 0; }));
  }
  WaitNodesReady();
  CtlOut({"delete", "configmaps", "--all"});
}

TEST_F(SurvivalE2e, Behaviour85_PodsOfALostNodeRunElsewhereAndNoStaleCopyReturns) {
  Apply(DeploymentText{.name = "ha"}.Yaml());
  ASSERT_TRUE(WaitReady("ha", 3));
  const absl::Time stopped = absl::Now();
  CtlOut({"local", "stop", "node2"});
  const auto elsewhere = [] {
    size_t ready = 0;
    for (const auto& pod : PodsOf("ha"))
      ready += IsReady(pod) && pod["spec"]["nodeName"] != "node2" ? 1 : 0;
    return ready == 3;
  };
  ASSERT_TRUE(Eventually(elsewhere));
  std::cout << "replaced "
            << absl::FormatDuration(absl::Trunc(absl::Now() - stopped, absl::Milliseconds(1)))
            << " after the power went\n";
  CtlOut({"local", "start", "node2"});
  WaitNodesReady();
  ASSERT_TRUE(WaitReady("ha", 3));
  ASSERT_TRUE(Eventually([] { return GetJson({"pods", "-l", "app=ha"})["items"].size() == 3; }));
}

TEST_F(SurvivalE2e, Behaviour85_ANodeThatReturnsEndsItsStaleCopiesBeforeItIsReady) {
  Apply(DeploymentText{.name = "part"}.Yaml());
  ASSERT_TRUE(WaitReady("part", 3));
  pid_t stale = 0;
  for (const auto& pod : PodsOf("part")) {
    if (pod["spec"]["nodeName"] == "node3") stale = static_cast<pid_t>(PidOf(pod));
  }
  ASSERT_GT(stale, 0);
  CtlOut({"local", "partition", "node3"});
  const auto elsewhere = [] {
    size_t ready = 0;
    for (const auto& pod : PodsOf("part"))
      ready += IsReady(pod) && pod["spec"]["nodeName"] != "node3" ? 1 : 0;
    return ready == 3;
  };
  ASSERT_TRUE(Eventually(elsewhere));
  EXPECT_EQ(kill(stale, 0), 0) << "nobody ended it while its node was away";
  CtlOut({"local", "heal", "node3"});
  // Whenever the node is seen ready, the copy has gone before.
  const auto is_ready = [] {
    const nlohmann::json node = GetJson({"node", "node3"});
    for (const auto& condition : node["status"]["conditions"]) {
      if (condition["type"] == "Ready") return condition["status"] == "True";
    }
    return false;
  };
  ASSERT_TRUE(Eventually(is_ready));
  EXPECT_NE(kill(stale, 0), 0);
  WaitNodesReady();
  ASSERT_TRUE(Eventually([] { return GetJson({"pods", "-l", "app=part"})["items"].size() == 3; }));
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-survive", 3)
