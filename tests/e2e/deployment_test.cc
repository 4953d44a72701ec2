// What the cluster is for: `clusterctl apply` runs containers, rolls them, and brings them back.
#include <signal.h>

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

using ::testing::HasSubstr;

class DeploymentE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override {
    CtlOut({"delete", "deployments,pods,configmaps,secrets", "--all", "--timeout", "60s"});
  }
};

std::set<std::string> NodesOf(const std::vector<nlohmann::json>& pods) {
  std::set<std::string> nodes;
  for (const auto& pod : pods) nodes.insert(pod["spec"]["nodeName"]);
  return nodes;
}

std::string ImageOf(const nlohmann::json& pod) { return pod["spec"]["containers"][0]["image"]; }

TEST_F(DeploymentE2e, ThreeReplicasRunOnThreeNodesAndReachEachOther) {
  const DeploymentText web{
      .name = "web",
      .script = "mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"};
  EXPECT_EQ(Apply(web.Yaml()), "deployment/web created");
  EXPECT_EQ(Apply(web.Yaml()), "deployment/web unchanged");
  ASSERT_TRUE(WaitReady("web", 3));
  const auto pods = PodsOf("web");
  EXPECT_EQ(NodesOf(pods).size(), 3u);
  for (const auto& from : pods) {
    for (const auto& to : pods) {
      const std::string ip = to["status"]["podIP"];
      EXPECT_EQ(
          CtlOut({"exec", from["metadata"]["name"], "--", "wget", "-qO-", "http://" + ip + "/"}),
          std::string(to["metadata"]["name"]));
    }
  }
}

TEST_F(DeploymentE2e, RollingUpdateAndUndo) {
  DeploymentText web{.name = "roll"};
  Apply(web.Yaml());
  ASSERT_TRUE(WaitReady("roll", 3));
  web.image = "busybox:2";
  EXPECT_EQ(Apply(web.Yaml()), "deployment/roll configured");
  EXPECT_THAT(CtlOut({"rollout", "status", "deploy/roll", "--timeout", "60s"}),
              HasSubstr("successfully rolled out"));
  ASSERT_TRUE(WaitReady("roll", 3));
  for (const auto& pod : PodsOf("roll")) {
    EXPECT_EQ(ImageOf(pod), "busybox:2");
    EXPECT_EQ(CtlOut({"exec", pod["metadata"]["name"], "--", "cat", "/etc/version"}), "2");
  }
  EXPECT_THAT(CtlOut({"rollout", "history", "deploy/roll"}), HasSubstr("2"));
  CtlOut({"rollout", "undo", "deploy/roll"});
  CtlOut({"rollout", "status", "deploy/roll", "--timeout", "60s"});
  ASSERT_TRUE(WaitReady("roll", 3));
  for (const auto& pod : PodsOf("roll")) EXPECT_EQ(ImageOf(pod), "busybox:1");
}

TEST_F(DeploymentE2e, ARolloutThatKeepsFailingGoesBackByItself) {
  DeploymentText web{.name = "back"};
  Apply(web.Yaml());
  ASSERT_TRUE(WaitReady("back", 3));
  CtlOut({"rollout", "status", "deploy/back", "--timeout", "60s"});
  web.script = "exit 3";
  Apply(web.Yaml());
  const Outcome outcome = Ctl({"rollout", "status", "deploy/back", "--timeout", "120s"});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.out;
  EXPECT_THAT(outcome.err, HasSubstr("deployment \"back\" was rolled back: Revision 2 failed"));
  EXPECT_THAT(outcome.err, HasSubstr("it ended with exit code 3"));
  ASSERT_TRUE(WaitReady("back", 3));
  for (const auto& pod : PodsOf("back")) EXPECT_EQ(RestartCount(pod), 0);
}

TEST_F(DeploymentE2e, AChangedConfigMapRollsItsPodsAndUndoBringsItBack) {
  const auto color = [](const std::string& value) {
    Apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: paint}, data: {color: " + value +
          "}}");
  };
  const auto colors = [] {
    std::set<std::string> seen;
    for (const auto& pod : PodsOf("painted")) {
      seen.insert(CtlOut({"exec", pod["metadata"]["name"], "--", "cat", "/paint/color"}));
    }
    return seen;
  };
  color("red");
  DeploymentText web{.name = "painted", .replicas = 2};
  web.mounts = "          volumeMounts: [{name: paint, mountPath: /paint}]\n";
  web.volumes = "      volumes: [{name: paint, configMap: {name: paint}}]\n";
  Apply(web.Yaml());
  ASSERT_TRUE(WaitReady("painted", 2));
  EXPECT_EQ(colors(), std::set<std::string>{"red"});
  CtlOut({"rollout", "status", "deploy/painted", "--timeout", "60s"});

  color("blue");
  const auto revision = [] {
    const nlohmann::json deployment = GetJson({"deployment", "painted"});
    const std::string number =
        deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
    return number;
  };
  ASSERT_TRUE(Eventually([&] { return revision() == "2"; }));
  CtlOut({"rollout", "status", "deploy/painted", "--timeout", "60s"});
  ASSERT_TRUE(WaitReady("painted", 2));
  EXPECT_EQ(colors(), std::set<std::string>{"blue"});

  CtlOut({"rollout", "undo", "deploy/painted"});
  ASSERT_TRUE(Eventually([&] { return revision() == "3"; }));
  CtlOut({"rollout", "status", "deploy/painted", "--timeout", "60s"});
  ASSERT_TRUE(WaitReady("painted", 2));
  EXPECT_EQ(colors(), std::set<std::string>{"red"});
}

TEST_F(DeploymentE2e, Behaviour32_DeletedPodIsReplacedAndScaleIsFollowed) {
  Apply(DeploymentText{.name = "keep"}.Yaml());
  ASSERT_TRUE(WaitReady("keep", 3));
  const std::string victim = PodsOf("keep")[0]["metadata"]["name"];
  Delete("pod", victim);
  ASSERT_TRUE(WaitReady("keep", 3));
  for (const auto& pod : PodsOf("keep")) EXPECT_NE(std::string(pod["metadata"]["name"]), victim);
  CtlOut({"scale", "deploy/keep", "--replicas", "1"});
  ASSERT_TRUE(WaitReady("keep", 1));
  CtlOut({"scale", "deploy/keep", "--replicas", "5"});
  ASSERT_TRUE(WaitReady("keep", 5));
}

TEST_F(DeploymentE2e, Behaviour2_ALabelIsSeenAtOnceAndRestartsNothing) {
  Apply(PodText{.name = "plain"}.Yaml());
  ASSERT_TRUE(WaitPhase("plain", "Running"));
  const int64_t pid = PidOf(PodNamed("plain"));
  CtlOut({"label", "pod", "plain", "color=blue"});
  EXPECT_EQ(CtlOut({"get", "pods", "-l", "color=blue", "-o", "name"}), "pod/plain");
  CtlOut({"label", "pod", "plain", "color=red", "--overwrite"});
  EXPECT_EQ(CtlOut({"get", "pods", "-l", "color=red", "-o", "name"}), "pod/plain");
  EXPECT_EQ(CtlOut({"get", "pods", "-l", "color=blue", "-o", "name"}), "");
  EXPECT_EQ(PidOf(PodNamed("plain")), pid);
  EXPECT_EQ(RestartCount(PodNamed("plain")), 0);
}

TEST_F(DeploymentE2e, Behaviour75_ExecPassesExitCodeStreamsAndInput) {
  Apply(PodText{.name = "box"}.Yaml());
  ASSERT_TRUE(WaitPhase("box", "Running"));
  const Outcome outcome = Ctl({"exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 42"});
  EXPECT_EQ(outcome.exit_code, 42);
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\ncommand terminated with exit code 42\n");
  EXPECT_EQ(Ctl({"exec", "-i", "box", "--", "cat"}, "through and back").out, "through and back");
  EXPECT_EQ(Ctl({"exec", "box", "--", "sh", "-c", "kill -9 $$"}).exit_code, 137);
}

TEST_F(DeploymentE2e, Behaviour74_LogsTailAndPrevious) {
  Apply(
      PodText{.name = "talk", .script = "for i in 1 2 3; do echo line $i; done; sleep 0.2; exit 3"}
          .Yaml());
  ASSERT_TRUE(Eventually([&] { return RestartCount(PodNamed("talk")) >= 1; }));
  EXPECT_EQ(CtlOut({"logs", "talk", "--previous"}), "line 1\nline 2\nline 3");
  ASSERT_TRUE(Eventually([&] { return Ctl({"logs", "talk", "--tail", "1"}).out == "line 3\n"; }));
  EXPECT_EQ(CtlOut({"logs", "talk", "--limit-bytes", "1"}), "l");
}

TEST_F(DeploymentE2e, Behaviour4_Behaviour6_EndsAreReportedAsTheyWere) {
  Apply(PodText{.name = "seven", .script = "exit 7", .restart_policy = "Never"}.Yaml());
  Apply(PodText{.name = "killed", .restart_policy = "Never"}.Yaml());
  Apply(PodText{.name = "fine", .script = "true", .restart_policy = "Never"}.Yaml());
  Apply(PodText{.name = "hungry",
                .script = "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done",
                .restart_policy = "Never",
                .extra_container = "      resources: {limits: {memory: 24Mi}}\n"}
            .Yaml());
  ASSERT_TRUE(WaitPhase("killed", "Running"));
  // From outside: the first process of a pid namespace cannot kill itself.
  ASSERT_EQ(kill(static_cast<pid_t>(PidOf(PodNamed("killed"))), SIGKILL), 0);
  ASSERT_TRUE(WaitPhase("seven", "Failed"));
  ASSERT_TRUE(WaitPhase("killed", "Failed"));
  ASSERT_TRUE(WaitPhase("fine", "Succeeded"));
  ASSERT_TRUE(WaitPhase("hungry", "Failed"));
  const auto terminated = [](const char* pod) {
    const nlohmann::json found = PodNamed(pod);
    return found["status"]["containerStatuses"][0]["state"]["terminated"];
  };
  EXPECT_EQ(terminated("seven")["exitCode"], 7);
  EXPECT_EQ(terminated("seven")["reason"], "Error");
  EXPECT_EQ(terminated("killed")["exitCode"], 137);
  EXPECT_EQ(terminated("killed")["reason"], "Error");
  EXPECT_EQ(terminated("fine").value("exitCode", 0), 0);
  EXPECT_EQ(terminated("fine")["reason"], "Completed");
  EXPECT_EQ(terminated("hungry")["exitCode"], 137);
  EXPECT_EQ(terminated("hungry")["reason"], "OOMKilled");
}

TEST_F(DeploymentE2e, Behaviour13_Behaviour15_Behaviour17_EnvironmentIsBuiltAsAsked) {
  Apply(R"(apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {colour: blue, size: "10"}
---
apiVersion: v1
kind: Secret
metadata: {name: hush}
stringData: {word: xyzzy}
)");
  Apply(PodText{.name = "env", .extra_container = R"yaml(      env:
        - {name: FIRST, value: one}
        - {name: SECOND, value: "$(FIRST)-two $$(FIRST) $(NOPE)"}
        - name: COLOUR
          valueFrom: {configMapKeyRef: {name: conf, key: colour}}
        - name: WORD
          valueFrom: {secretKeyRef: {name: hush, key: word}}
        - name: ME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        - name: IP
          valueFrom: {fieldRef: {fieldPath: status.podIP}}
      envFrom:
        - prefix: C_
          configMapRef: {name: conf}
)yaml"}
            .Yaml());
  ASSERT_TRUE(WaitPhase("env", "Running"));
  const std::string env = CtlOut({"exec", "env", "--", "cat", "/proc/1/environ"});
  const std::string ip = PodNamed("env")["status"]["podIP"];
  for (const std::string& pair :
       {std::string("SECOND=one-two $(FIRST) $(NOPE)"), std::string("COLOUR=blue"),
        std::string("WORD=xyzzy"), std::string("ME=env"), "IP=" + ip, std::string("C_colour=blue"),
        std::string("C_size=10")}) {
    EXPECT_TRUE(absl::StrContains(env, pair + std::string(1, '\0'))) << pair;
  }
}

TEST_F(DeploymentE2e, Law10_PodThatFitsNowhereSaysWhyForEveryNode) {
  Apply(PodText{.name = "huge", .extra_container = "      resources: {requests: {cpu: 1000}}\n"}
            .Yaml());
  const auto message = [] {
    const nlohmann::json pod = PodNamed("huge");
    for (const auto& condition : pod["status"].value("conditions", nlohmann::json::array())) {
      if (condition["type"] == "PodScheduled") return condition.value("message", "");
    }
    return std::string();
  };
  ASSERT_TRUE(Eventually([&] { return !message().empty(); }));
  EXPECT_EQ(Phase(PodNamed("huge")), "Pending");
  EXPECT_THAT(message(), HasSubstr("0/3 nodes are available"));
  EXPECT_THAT(message(), HasSubstr("Insufficient cpu"));
  EXPECT_THAT(CtlOut({"describe", "pod", "huge"}), HasSubstr("node2"));
}

TEST_F(DeploymentE2e, ApplyWithOneBadObjectChangesNothing) {
  const std::string yaml = R"(apiVersion: v1
kind: ConfigMap
metadata: {name: good}
data: {a: b}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: bad}
spec:
  replicas: -1
  selector: {matchLabels: {app: bad}}
  template:
    metadata: {labels: {app: bad}}
    spec:
      containers: [{name: main, image: "busybox:1"}]
)";
  const Outcome outcome = Ctl({"apply", "-f", "-"}, yaml);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(":10:"));
  EXPECT_THAT(outcome.err, HasSubstr("spec.replicas"));
  EXPECT_EQ(Ctl({"get", "configmap", "good"}).exit_code, 1);
  EXPECT_EQ(Ctl({"apply", "-f", "-"}, "a: &x [*x]").exit_code, 1);
}

TEST_F(DeploymentE2e, CordonKeepsPodsAwayAndDrainMovesThem) {
  CtlOut({"cordon", "node1"});
  Apply(DeploymentText{.name = "move", .replicas = 4}.Yaml());
  ASSERT_TRUE(WaitReady("move", 4));
  EXPECT_EQ(NodesOf(PodsOf("move")).count("node1"), 0u);
  CtlOut({"uncordon", "node1"});
  CtlOut({"drain", "node2", "--timeout", "60s"});
  ASSERT_TRUE(WaitReady("move", 4));
  EXPECT_EQ(NodesOf(PodsOf("move")).count("node2"), 0u);
  CtlOut({"uncordon", "node2"});
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-deploy", 3)
