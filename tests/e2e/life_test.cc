// The life of pods as users see it: init containers, hooks, probes, deadlines, last words
// (behaviours 7 to 9, 22 to 31 and 81).
#include <future>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

class LifeE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override { CtlOut({"delete", "deployments,pods", "--all", "--timeout", "60s"}); }
};

// A pod whose containers are given as they stand in YAML, indented by two.
std::string PodYaml(const std::string& name, const std::string& spec) {
  return absl::StrCat("apiVersion: v1\nkind: Pod\nmetadata: {name: ", name, "}\nspec:\n",
                      "  terminationGracePeriodSeconds: 5\n", spec);
}

// "- {name: N, image: busybox:1, command: [sh, -c, 'SCRIPT']" and what else it has. Each line of
// the script is a command of its own (YAML folds lines into one).
std::string Container(const std::string& name, const std::string& script,
                      const std::string& more = "") {
  return absl::StrCat("  - name: ", name, "\n    image: busybox:1\n    command: [sh, -c, '",
                      absl::StrReplaceAll(script, {{"'", "''"}, {"\n", "; "}}), "']\n", more);
}

constexpr char kSleep[] = "trap \"exit 0\" TERM; while true; do sleep 0.1; done";

nlohmann::json StatusOf(const std::string& pod, const char* list = "containerStatuses",
                        int index = 0) {
  const nlohmann::json object = PodNamed(pod);
  const auto at = nlohmann::json::json_pointer(absl::StrCat("/status/", list, "/", index));
  // Nothing is known yet.
  return object.contains(at) ? object[at] : nlohmann::json::object();
}

bool WaitRestarts(const std::string& pod, int count) {
  if (Eventually([&] { return StatusOf(pod).value("restartCount", 0) >= count; },
                 absl::Seconds(60))) {
    return true;
  }
  ADD_FAILURE() << Ctl({"describe", "pod", pod}).out;
  return false;
}

bool WaitPodReady(const std::string& pod) {
  if (Eventually([&] { return IsReady(PodNamed(pod)); }, absl::Seconds(60))) return true;
  ADD_FAILURE() << Ctl({"describe", "pod", pod}).out;
  return false;
}

// Deletes the pod; what it has written until it was gone.
std::string LogToTheEnd(const std::string& pod) {
  auto log = std::async(std::launch::async, [&pod] { return Ctl({"logs", "-f", pod}).out; });
  CtlOut({"delete", "pod", pod, "--timeout", "60s"});
  return log.get();
}

std::string StatusColumn(const std::string& pod) { return Ctl({"get", "pod", pod}).out; }

// The next probes have surely been run when it has answered so many more times.
int Answers(const std::string& pod, const std::string& line) {
  const std::string log = Ctl({"logs", pod}).out;
  int count = 0;
  for (size_t at = log.find(line); at != std::string::npos; at = log.find(line, at + 1)) ++count;
  return count;
}

TEST_F(LifeE2e, Behaviour22_InitContainersRunInOrderBeforeTheApp) {
  for (const char* policy : {"Always", "Never"}) {
    const std::string name = absl::StrCat("init-", policy[0] == 'A' ? "always" : "never");
    Apply(PodYaml(name, absl::StrCat("  restartPolicy: ", policy, "\n  initContainers:\n",
                                     Container("one", "sleep 0.3; date +%s.%N"),
                                     Container("two", "sleep 0.3; date +%s.%N"), "  containers:\n",
                                     Container("main", kSleep))));
    ASSERT_TRUE(WaitPodReady(name));
    const nlohmann::json status = PodNamed(name)["status"];
    const auto ended = [&](size_t i) {
      return status["initContainerStatuses"][i]["state"]["terminated"];
    };
    EXPECT_EQ(ended(0)["exitCode"], 0);
    EXPECT_LE(ended(0)["finishedAt"], ended(1)["startedAt"]);
    EXPECT_LE(ended(1)["finishedAt"],
              status["containerStatuses"][0]["state"]["running"]["startedAt"]);
    EXPECT_THAT(CtlOut({"logs", name, "-c", "two"}), HasSubstr(".")) << "its log can be read";
  }
}

TEST_F(LifeE2e, Behaviour23_AFailingInitContainerStopsTheApp) {
  Apply(PodYaml("fails", absl::StrCat("  restartPolicy: Never\n  initContainers:\n",
                                      Container("one", "exit 3"), "  containers:\n",
                                      Container("main", kSleep))));
  ASSERT_TRUE(WaitPhase("fails", "Failed"));
  EXPECT_THAT(StatusColumn("fails"), HasSubstr("Init:Error"));
  EXPECT_TRUE(StatusOf("fails")["state"].contains("waiting"));
  Apply(PodYaml("retries", absl::StrCat("  initContainers:\n", Container("one", "exit 3"),
                                        "  containers:\n", Container("main", kSleep))));
  ASSERT_TRUE(Eventually(
      [] { return StatusOf("retries", "initContainerStatuses").value("restartCount", 0) >= 2; }));
  EXPECT_TRUE(Eventually(
      [] { return absl::StrContains(StatusColumn("retries"), "Init:CrashLoopBackOff"); }));
  EXPECT_EQ(Phase(PodNamed("retries")), "Pending");
  EXPECT_TRUE(StatusOf("retries")["state"].contains("waiting"));
}

TEST_F(LifeE2e, SidecarsAreUpBeforeTheAppAndDoNotKeepThePodFromEnding) {
  Apply(PodYaml("job", absl::StrCat("  restartPolicy: Never\n  initContainers:\n",
                                    Container("mesh", kSleep, "    restartPolicy: Always\n"),
                                    "  containers:\n", Container("main", "sleep 1; exit 0"))));
  ASSERT_TRUE(WaitPhase("job", "Succeeded"));
  EXPECT_EQ(StatusOf("job", "initContainerStatuses")["state"]["terminated"]["exitCode"], 0)
      << "it was asked to end, and did";
}

TEST_F(LifeE2e, Behaviour24_PostStartRunsBesideTheContainerAndItsFailureEndsIt) {
  Apply(PodYaml("hooked",
                absl::StrCat("  containers:\n",
                             Container("main", kSleep,
                                       "    lifecycle:\n      postStart:\n        exec: "
                                       "{command: [sh, -c, \"echo here > /tmp/hook\"]}\n"))));
  ASSERT_TRUE(WaitPodReady("hooked"));
  EXPECT_EQ(CtlOut({"exec", "hooked", "--", "cat", "/tmp/hook"}), "here");
  Apply(PodYaml("broken", absl::StrCat("  containers:\n",
                                       Container("main", kSleep,
                                                 "    lifecycle:\n      postStart:\n        exec: "
                                                 "{command: [sh, -c, \"exit 4\"]}\n"))));
  ASSERT_TRUE(WaitRestarts("broken", 1));
  EXPECT_THAT(CtlOut({"events", "--for", "pod/broken"}), HasSubstr("FailedPostStartHook"));
}

TEST_F(LifeE2e, Behaviour24_25_HttpHooksReachTheContainer) {
  Apply(PodYaml("web", absl::StrCat("  containers:\n",
                                    Container("main", R"(busybox mkdir -p /www
echo ok > /www/index.html; exec httpd -f -vv -p 8080 -h /www)",
                                              R"(    ports: [{name: http, containerPort: 8080}]
    startupProbe: {tcpSocket: {port: http}, periodSeconds: 1, failureThreshold: 60}
    lifecycle: {preStop: {httpGet: {port: http, path: /bye}}}
)"))));
  ASSERT_TRUE(WaitPodReady("web"));
  EXPECT_THAT(Ctl({"logs", "web"}).out, Not(HasSubstr("/bye")));
  EXPECT_THAT(LogToTheEnd("web"), HasSubstr("/bye"));
}

TEST_F(LifeE2e, Behaviour25_PreStopEndsBeforeTheSignal) {
  Apply(PodYaml(
      "bye", absl::StrCat("  containers:\n",
                          Container("main",
                                    "trap \"cat /tmp/bye; echo signal; exit 0\" TERM; while true; "
                                    "do sleep 0.1; done",
                                    "    lifecycle:\n      preStop:\n        exec: {command: [sh, "
                                    "-c, \"sleep 2; echo hook > /tmp/bye\"]}\n"))));
  ASSERT_TRUE(WaitPodReady("bye"));
  EXPECT_EQ(LogToTheEnd("bye"), "hook\nsignal\n");
}

TEST_F(LifeE2e, Behaviour26_ExecLiveness) {
  constexpr char kProbe[] =
      "    livenessProbe: {exec: {command: [cat, /tmp/alive]}, periodSeconds: 1, "
      "failureThreshold: 2}\n";
  Apply(
      PodYaml("dies", absl::StrCat("  containers:\n",
                                   Container("main",
                                             absl::StrCat("echo ok > /tmp/alive; sleep 3; rm -f "
                                                          "/tmp/alive; busybox rm -f /tmp/alive; ",
                                                          kSleep),
                                             kProbe))));
  Apply(PodYaml(
      "lives",
      absl::StrCat("  containers:\n",
                   Container("main", absl::StrCat("echo ok > /tmp/alive; ", kSleep), kProbe))));
  ASSERT_TRUE(WaitRestarts("dies", 1));
  EXPECT_EQ(StatusOf("lives").value("restartCount", -1), 0);
  const std::string events = CtlOut({"events", "--for", "pod/dies"});
  EXPECT_THAT(events, HasSubstr("Unhealthy"));
  EXPECT_THAT(events, HasSubstr("Container main failed liveness probe, will be restarted"));
  EXPECT_THAT(CtlOut({"describe", "pod", "lives"}),
              HasSubstr("exec [cat /tmp/alive] delay=0s timeout=1s period=1s #success=1 "
                        "#failure=2"));
}

// Serves 200 until /www/ok is gone, then 500.
constexpr char kWeb[] =
    "busybox mkdir -p /www/cgi-bin; echo > /www/ok; echo \"#!/bin/sh\" > /www/cgi-bin/health; echo "
    "\"echo asked >&2; [ -f /www/ok ] && echo Status: 200 || echo Status: 500; echo; echo body\" "
    ">> /www/cgi-bin/health; busybox chmod 755 /www/cgi-bin/health; httpd -f -p 8080 -h /www & ";

TEST_F(LifeE2e, Behaviour27_HttpLiveness) {
  const auto pod = [](const std::string& script) {
    return absl::StrCat(
        "  containers:\n",
        Container("main", absl::StrCat(kWeb, script, kSleep),
                  "    livenessProbe: {httpGet: {port: 8080, path: /cgi-bin/health}, "
                  "periodSeconds: 1, failureThreshold: 2, initialDelaySeconds: 1}\n"));
  };
  Apply(PodYaml("sick", pod("sleep 4; busybox rm /www/ok; ")));
  Apply(PodYaml("well", pod("")));
  ASSERT_TRUE(WaitRestarts("sick", 1));
  EXPECT_THAT(CtlOut({"events", "--for", "pod/sick"}),
              HasSubstr("Liveness probe failed: HTTP probe failed with statuscode: 500"));
  const int before = Answers("well", "asked");
  EXPECT_TRUE(Eventually([&] { return Answers("well", "asked") > before + 2; }));
  EXPECT_EQ(StatusOf("well").value("restartCount", -1), 0);
}

TEST_F(LifeE2e, Behaviour28_TcpLivenessIsContentWithAConnection) {
  Apply(PodYaml("open",
                absl::StrCat("  containers:\n",
                             Container("main", absl::StrCat(kWeb, "busybox rm /www/ok; ", kSleep),
                                       "    livenessProbe: {tcpSocket: {port: 8080}, "
                                       "periodSeconds: 1, failureThreshold: 1, "
                                       "initialDelaySeconds: 2}\n"))));
  ASSERT_TRUE(WaitPodReady("open"));
  Apply(PodYaml("shut", absl::StrCat("  containers:\n",
                                     Container("main", kSleep,
                                               "    livenessProbe: {tcpSocket: {port: 8080}, "
                                               "periodSeconds: 1, failureThreshold: 3}\n"))));
  ASSERT_TRUE(WaitRestarts("shut", 1));
  EXPECT_EQ(StatusOf("open").value("restartCount", -1), 0);
}

// Answers every gRPC call as a health service would: the frames of HTTP/2 as they stand.
constexpr char kGrpc[] =
    R"(printf "#!/bin/sh\nbusybox cat /f1; sleep 0.5; busybox cat /f2; sleep 1\n" > /serve; busybox chmod 755 /serve
printf "\000\000\000\004\000\000\000\000\000" > /f1
printf "\000\000\000\004\001\000\000\000\000\000\000\024\001\004\000\000\000\001\210\017\020\020application/grpc\000\000\007\000\000\000\000\000\001\000\000\000\000\002\010\001\000\000\017\001\005\000\000\000\001\000\013grpc-status\0010" > /f2
busybox nc -ll -p 9000 -e /serve & )";

TEST_F(LifeE2e, Behaviour29_GrpcLiveness) {
  const auto pod = [](int port) {
    return absl::StrCat("  containers:\n",
                        Container("main", absl::StrCat(kGrpc, kSleep),
                                  absl::StrCat("    livenessProbe: {grpc: {port: ", port,
                                               "}, periodSeconds: 1, failureThreshold: 2, "
                                               "initialDelaySeconds: 1, timeoutSeconds: 5}\n"
                                               "    startupProbe: {tcpSocket: {port: 9000}, "
                                               "periodSeconds: 1, failureThreshold: 60}\n"
                                               "    readinessProbe: {grpc: {port: ",
                                               port, "}, periodSeconds: 1, timeoutSeconds: 5}\n")));
  };
  Apply(PodYaml("serving", pod(9000)));
  Apply(PodYaml("elsewhere", pod(9001)));
  ASSERT_TRUE(WaitRestarts("elsewhere", 1));
  ASSERT_TRUE(WaitPodReady("serving"));
  EXPECT_EQ(StatusOf("serving").value("restartCount", -1), 0);
}

TEST_F(LifeE2e, Behaviour30_ReadinessNeverRestarts) {
  Apply(PodYaml("slow", absl::StrCat("  containers:\n",
                                     Container("main", kSleep,
                                               "    readinessProbe: {exec: {command: [sh, -c, "
                                               "\"echo asked > /proc/1/fd/1\"]}, "
                                               "initialDelaySeconds: 3, periodSeconds: 1}\n"))));
  Apply(PodYaml("never", absl::StrCat("  containers:\n",
                                      Container("main", kSleep,
                                                "    readinessProbe: {exec: {command: [sh, -c, "
                                                "\"echo asked > /proc/1/fd/1; exit 1\"]}, "
                                                "periodSeconds: 1, failureThreshold: 1}\n"))));
  ASSERT_TRUE(WaitPodReady("slow"));
  const nlohmann::json slow = PodNamed("slow");
  std::string ready_since;
  for (const auto& condition : slow["status"]["conditions"]) {
    if (condition["type"] == "Ready") ready_since = condition["lastTransitionTime"];
  }
  const std::string started = StatusOf("slow")["state"]["running"]["startedAt"];
  absl::Time ready_at;
  absl::Time started_at;
  std::string error;
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, ready_since, &ready_at, &error)) << error;
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, started, &started_at, &error)) << error;
  // Both are told in whole seconds.
  EXPECT_GE(ready_at - started_at, absl::Seconds(2)) << "not before the initial delay";
  EXPECT_TRUE(Eventually([] { return Answers("never", "asked") >= 5; }));
  EXPECT_FALSE(IsReady(PodNamed("never")));
  EXPECT_EQ(StatusOf("never").value("restartCount", -1), 0);
  EXPECT_EQ(Phase(PodNamed("never")), "Running");
}

TEST_F(LifeE2e, Behaviour31_TheStartupProbeHoldsLivenessOff) {
  Apply(PodYaml("late",
                absl::StrCat("  containers:\n",
                             Container("main", absl::StrCat("sleep 4; echo > /tmp/up; ", kSleep),
                                       "    startupProbe: {exec: {command: [cat, /tmp/up]}, "
                                       "periodSeconds: 1, failureThreshold: 60}\n"
                                       "    livenessProbe: {exec: {command: [cat, /tmp/up]}, "
                                       "periodSeconds: 1, failureThreshold: 1}\n"))));
  ASSERT_TRUE(WaitPhase("late", "Running"));
  EXPECT_FALSE(StatusOf("late").value("started", true));
  ASSERT_TRUE(WaitPodReady("late"));
  EXPECT_TRUE(StatusOf("late").value("started", false));
  EXPECT_EQ(StatusOf("late").value("restartCount", -1), 0);
}

TEST_F(LifeE2e, Behaviour11_FailedProbesCountRestartsOverAgentRestarts) {
  Apply(PodYaml("sick", absl::StrCat("  containers:\n",
                                     Container("main", kSleep,
                                               "    livenessProbe: {exec: {command: [\"false\"]}, "
                                               "periodSeconds: 1, failureThreshold: 1}\n"))));
  ASSERT_TRUE(WaitRestarts("sick", 1));
  const int before = StatusOf("sick").value("restartCount", 0);
  CtlOut({"local", "kill", "node1"});
  CtlOut({"local", "start", "node1"});
  ASSERT_TRUE(WaitRestarts("sick", before + 1));
}

TEST_F(LifeE2e, AProbedPodSurvivesItsAgentReadyAllTheTime) {
  Apply(PodYaml(
      "steady",
      absl::StrCat("  containers:\n", Container("main", kSleep,
                                                "    readinessProbe: {exec: {command: [\"true\"]}, "
                                                "periodSeconds: 1}\n"))));
  ASSERT_TRUE(WaitPodReady("steady"));
  const auto since = [] {
    const nlohmann::json pod = PodNamed("steady");
    for (const auto& condition : pod["status"]["conditions"]) {
      if (condition["type"] == "Ready") return condition.dump();
    }
    return std::string();
  };
  const std::string before = since();
  CtlOut({"local", "kill", "node1"});
  CtlOut({"local", "start", "node1"});
  EXPECT_EQ(Ctl({"wait", "node/node1", "--for=condition=Ready", "--timeout", "60s"}).exit_code, 0);
  ASSERT_TRUE(WaitPodReady("steady"));
  EXPECT_EQ(since(), before);
}

TEST_F(LifeE2e, Behaviour7_8_LastWords) {
  Apply(PodYaml("words",
                absl::StrCat("  restartPolicy: Never\n  containers:\n",
                             Container("main", "echo because > /tmp/why; echo logged; exit 1",
                                       "    terminationMessagePath: /tmp/why\n"))));
  Apply(PodYaml("logged", absl::StrCat("  restartPolicy: Never\n  containers:\n",
                                       Container("main", "echo it broke; exit 1",
                                                 "    terminationMessagePolicy: "
                                                 "FallbackToLogsOnError\n"))));
  Apply(PodYaml("fine", absl::StrCat("  restartPolicy: Never\n  containers:\n",
                                     Container("main", "echo all is well",
                                               "    terminationMessagePolicy: "
                                               "FallbackToLogsOnError\n"))));
  ASSERT_TRUE(WaitPhase("words", "Failed"));
  ASSERT_TRUE(WaitPhase("logged", "Failed"));
  ASSERT_TRUE(WaitPhase("fine", "Succeeded"));
  EXPECT_EQ(StatusOf("words")["state"]["terminated"]["message"], "because\n");
  EXPECT_EQ(StatusOf("logged")["state"]["terminated"]["message"], "it broke\n");
  EXPECT_EQ(StatusOf("fine")["state"]["terminated"].value("message", ""), "");
  EXPECT_THAT(CtlOut({"describe", "pod", "words"}), HasSubstr("because"));
}

TEST_F(LifeE2e, Behaviour9_ADeadlineEndsThePodAlsoWhenItIsLowered) {
  const auto pod = [](const std::string& deadline) {
    return PodYaml("timed", absl::StrCat(deadline, "  containers:\n", Container("main", kSleep)));
  };
  Apply(pod("  activeDeadlineSeconds: 3600\n"));
  ASSERT_TRUE(WaitPodReady("timed"));
  EXPECT_THAT(Ctl({"apply", "-f", "-"}, pod("  activeDeadlineSeconds: 7200\n")).err,
              HasSubstr("a deadline can be lowered, not raised or removed"));
  Apply(pod("  activeDeadlineSeconds: 1\n"));
  ASSERT_TRUE(WaitPhase("timed", "Failed"));
  EXPECT_EQ(PodNamed("timed")["status"]["reason"], "DeadlineExceeded");
}

TEST_F(LifeE2e, Behaviour81_ADebugContainerIsAddedToARunningPod) {
  Apply(PodYaml("app", absl::StrCat("  containers:\n", Container("main", kSleep))));
  ASSERT_TRUE(WaitPodReady("app"));
  CtlOut({"debug", "app", "--image", "busybox:2", "-c", "look", "--", "sh", "-c",
          "cat /etc/version; echo; sleep 1000"});
  ASSERT_TRUE(Eventually(
      [] { return StatusOf("app", "ephemeralContainerStatuses")["state"].contains("running"); }));
  EXPECT_TRUE(Eventually([] { return Ctl({"logs", "app", "-c", "look"}).out == "2\n"; }));
  EXPECT_EQ(CtlOut({"exec", "app", "-c", "look", "--", "cat", "/etc/version"}), "2");
  EXPECT_EQ(StatusOf("app").value("restartCount", -1), 0);
  EXPECT_THAT(CtlOut({"describe", "pod", "app"}), HasSubstr("Ephemeral Containers"));
  // No manifest adds or takes away what was added so.
  EXPECT_THAT(Apply(PodYaml("app", absl::StrCat("  containers:\n", Container("main", kSleep)))),
              HasSubstr("unchanged"));
}

TEST_F(LifeE2e, APodThatIsOverHoldsNothingThatAnotherNeeds) {
  const auto pod = [](const std::string& script) {
    return absl::StrCat(
        "  restartPolicy: Never\n  containers:\n",
        Container("main", script, "    ports: [{containerPort: 80, hostPort: 18080}]\n"));
  };
  Apply(PodYaml("done", pod("echo bye")));
  ASSERT_TRUE(WaitPhase("done", "Succeeded"));
  Apply(PodYaml("next", pod(kSleep)));
  ASSERT_TRUE(WaitPodReady("next"));
  EXPECT_EQ(CtlOut({"logs", "done"}), "bye");
  EXPECT_EQ(StatusOf("done")["state"]["terminated"]["exitCode"], 0);
}

TEST_F(LifeE2e, AChangedProbeRollsOut) {
  const auto deployment = [](const std::string& probe) {
    return absl::StrReplaceAll(
        DeploymentText{.name = "web", .replicas = 1}.Yaml(),
        {{"          image: busybox:1\n",
          absl::StrCat("          image: busybox:1\n          ", probe, "\n")}});
  };
  Apply(deployment("readinessProbe: {exec: {command: [\"true\"]}}"));
  ASSERT_TRUE(WaitReady("web", 1));
  const std::string before = PodsOf("web")[0]["metadata"]["name"];
  Apply(deployment("readinessProbe: {exec: {command: [\"true\"]}, periodSeconds: 5}"));
  EXPECT_TRUE(Eventually([&] {
    const auto pods = PodsOf("web");
    return pods.size() == 1 && pods[0]["metadata"]["name"] != before && IsReady(pods[0]);
  }));
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-life", 1)
