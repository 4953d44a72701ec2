// How pods end and begin anew (behaviours 3, 5 and 10).
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

constexpr char kHold[] = "e2e.example/hold";

// Pods that are held by a finalizer show what became of their containers until they are let go.
void LetGo(const std::string& pod) {
  nlohmann::json object = PodNamed(pod);
  object["metadata"].erase("finalizers");
  Apply(object.dump());
}

class PodsE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override {
    const nlohmann::json pods = GetJson({"pods"});
    CtlOut({"delete", "pods", "--all", "--wait=false"});
    for (const auto& pod : pods["items"]) {
      if (!pod["metadata"].contains("finalizers")) continue;
      const std::string name = pod["metadata"]["name"];
      EXPECT_TRUE(Eventually([&] { return HasEnded(name); })) << name;
      LetGo(name);
    }
    CtlOut({"delete", "pods", "--all", "--timeout", "60s"});
  }

  static bool HasEnded(const std::string& pod) {
    const nlohmann::json object = PodNamed(pod);
    return object["metadata"].contains("deletionTimestamp") &&
           (Phase(object) == "Failed" || Phase(object) == "Succeeded");
  }

  static nlohmann::json ContainerState(const std::string& pod) {
    const nlohmann::json object = PodNamed(pod);
    const auto at = "/status/containerStatuses/0/state"_json_pointer;
    return object.contains(at) ? object[at] : nlohmann::json::object();
  }
};

// Its script finds in /data what it has written there before.
std::string CountingPod(const std::string& name, const std::string& policy,
                        const std::string& script) {
  return PodText{.name = name,
                 .script = absl::StrCat(
                     "echo run >> /data/runs; runs=$(busybox wc -l < /data/runs); ", script),
                 .restart_policy = policy,
                 .extra_container = "      volumeMounts: [{name: data, mountPath: /data}]\n",
                 .extra_spec = "  volumes: [{name: data, emptyDir: {}}]\n"}
      .Yaml();
}

TEST_F(PodsE2e, Behaviour3_TheRestartPolicyDecidesAndTheCountsAgree) {
  constexpr char kThirdStays[] = "[ $runs -ge 3 ] && exec sleep 100000; exit ";
  Apply(absl::StrJoin(
      {CountingPod("always-good", "Always", absl::StrCat(kThirdStays, 0)),
       CountingPod("always-bad", "Always", absl::StrCat(kThirdStays, 1)),
       CountingPod("failure-good", "OnFailure", "exit 0"),
       CountingPod("failure-bad", "OnFailure", "echo $runs; [ $runs -ge 3 ] && exit 0; exit 1"),
       CountingPod("never-good", "Never", "exit 0"), CountingPod("never-bad", "Never", "exit 1")},
      "---\n"));
  ASSERT_TRUE(WaitPhase("failure-bad", "Succeeded", 60));
  for (const char* name : {"always-good", "always-bad"}) {
    ASSERT_TRUE(Eventually([&] {
      return RestartCount(PodNamed(name)) == 2 && ContainerState(name).contains("running");
    })) << Ctl({"describe", "pod", name}).out;
    EXPECT_EQ(CtlOut({"exec", name, "--", "cat", "/data/runs"}), "run\nrun\nrun");
    EXPECT_EQ(Phase(PodNamed(name)), "Running");
    const nlohmann::json last = PodNamed(name)["status"]["containerStatuses"][0]["lastState"];
    EXPECT_EQ(last["terminated"].value("exitCode", 0), absl::EndsWith(name, "bad") ? 1 : 0);
  }
  EXPECT_EQ(RestartCount(PodNamed("failure-bad")), 2);
  EXPECT_EQ(CtlOut({"logs", "failure-bad"}), "3") << "its third run was the last";
  // The others have had the same time to be restarted in.
  for (const char* name : {"failure-good", "never-good", "never-bad"}) {
    const bool good = absl::EndsWith(name, "good");
    EXPECT_EQ(Phase(PodNamed(name)), good ? "Succeeded" : "Failed") << name;
    EXPECT_EQ(RestartCount(PodNamed(name)), 0) << name;
    EXPECT_EQ(ContainerState(name)["terminated"].value("exitCode", 0), good ? 0 : 1) << name;
  }
}

// How long it took until the pod was gone.
absl::Duration DeletionOf(const std::string& pod) {
  const absl::Time start = absl::Now();
  Delete("pod", pod);
  return absl::Now() - start;
}

TEST_F(PodsE2e, Behaviour5_APodThatAlwaysFailsCanBeDeletedAtAnyTime) {
  // One waits for its next try, one is in it and does not listen.
  const auto pod = [](const std::string& name, const std::string& script) {
    return absl::StrReplaceAll(
        CountingPod(name, "Always", script),
        {{"terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 3\n"}});
  };
  constexpr absl::Duration kGrace = absl::Seconds(3);
  Apply(pod("fails", "exit 1"));
  Apply(pod("deaf", "[ $runs -ge 2 ] || exit 1; trap \"\" TERM; while true; do sleep 0.1; done"));
  ASSERT_TRUE(Eventually([] {
    return RestartCount(PodNamed("fails")) >= 1 &&
           ContainerState("fails").value("/waiting/reason"_json_pointer, "") == "CrashLoopBackOff";
  })) << Ctl({"describe", "pod", "fails"}).out;
  EXPECT_LT(DeletionOf("fails"), kGrace + absl::Seconds(5));
  EXPECT_EQ(Ctl({"get", "pod", "fails"}).exit_code, 1);
  ASSERT_TRUE(Eventually([] {
    return RestartCount(PodNamed("deaf")) == 1 && ContainerState("deaf").contains("running");
  })) << Ctl({"describe", "pod", "deaf"}).out;
  EXPECT_LT(DeletionOf("deaf"), kGrace + absl::Seconds(5));
  // Nothing of it is in the way of another of its name.
  Apply(pod("fails", "exec sleep 100000"));
  ASSERT_TRUE(WaitPhase("fails", "Running"));
  EXPECT_EQ(RestartCount(PodNamed("fails")), 0);
}

// A pod that its finalizer holds, with a log that says what it has seen.
std::string HeldPod(const std::string& name, int grace, const std::string& script) {
  return absl::StrReplaceAll(PodText{.name = name, .script = script}.Yaml(),
                             {{"  labels:", absl::StrCat("  finalizers: [", kHold, "]\n  labels:")},
                              {"terminationGracePeriodSeconds: 1\n",
                               absl::StrCat("terminationGracePeriodSeconds: ", grace, "\n")}});
}

absl::Time TimeOf(const nlohmann::json& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, std::string(text), &time, &error)) << error;
  return time;
}

// What became of it, and when it had to be over.
struct Ending {
  nlohmann::json terminated;
  absl::Time deadline;
};

Ending EndingOf(const std::string& name) {
  const nlohmann::json pod = PodNamed(name);
  return {pod["status"]["containerStatuses"][0]["state"]["terminated"],
          TimeOf(pod["metadata"]["deletionTimestamp"])};
}

TEST_F(PodsE2e, Behaviour10_AContainerIsAskedToEndAndKilledOnlyWhenItsTimeIsOver) {
  Apply(HeldPod("obeys", 60,
                "trap \"echo asked; exit 7\" TERM; echo up; while true; do sleep 0.1; done"));
  Apply(HeldPod("tidies", 60,
                "trap : TERM; echo up; sleep 100000 & wait; echo asked; "
                "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo done; exit 8"));
  Apply(HeldPod("ignores", 3, "trap \"echo asked\" TERM; echo up; while true; do sleep 0.1; done"));
  for (const char* name : {"obeys", "tidies", "ignores"}) ASSERT_TRUE(WaitPhase(name, "Running"));
  RunningCtl obeys_log({"logs", "-f", "obeys"});
  RunningCtl tidies_log({"logs", "-f", "tidies"});
  RunningCtl ignores_log({"logs", "-f", "ignores"});
  for (RunningCtl* log : {&obeys_log, &tidies_log, &ignores_log}) log->AwaitOut("up\n");
  CtlOut({"delete", "pod", "obeys", "tidies", "ignores", "--wait=false"});
  EXPECT_EQ(ignores_log.AwaitOut("asked\n"), "up\nasked\n");

  ASSERT_TRUE(Eventually([] { return HasEnded("obeys"); }));
  EXPECT_EQ(EndingOf("obeys").terminated["exitCode"], 7) << "it was not killed";
  EXPECT_LT(TimeOf(EndingOf("obeys").terminated["finishedAt"]), EndingOf("obeys").deadline);

  ASSERT_TRUE(Eventually([] { return HasEnded("ignores"); }));
  EXPECT_EQ(EndingOf("ignores").terminated["exitCode"], 128 + 9);
  EXPECT_GE(TimeOf(EndingOf("ignores").terminated["finishedAt"]), EndingOf("ignores").deadline);

  // Its time is not over: it goes on while the others are long gone.
  EXPECT_TRUE(ContainerState("tidies").contains("running"));
  CtlOut({"exec", "tidies", "--", "touch", "/tmp/go"});
  ASSERT_TRUE(Eventually([] { return HasEnded("tidies"); }));
  EXPECT_EQ(EndingOf("tidies").terminated["exitCode"], 8) << "it was not killed";
  EXPECT_EQ(tidies_log.AwaitOut("done\n"), "up\nasked\ndone\n");
}

TEST_F(PodsE2e, Behaviour10_AShorterTimeGivenWithTheDeletionCounts) {
  Apply(HeldPod("ignores", 600, "trap \"\" TERM; while true; do sleep 0.1; done"));
  ASSERT_TRUE(WaitPhase("ignores", "Running"));
  CtlOut({"delete", "pod", "ignores", "--grace-period", "2", "--wait=false"});
  ASSERT_TRUE(Eventually([] { return HasEnded("ignores"); }));
  EXPECT_EQ(EndingOf("ignores").terminated["exitCode"], 128 + 9);
  EXPECT_GE(TimeOf(EndingOf("ignores").terminated["finishedAt"]), EndingOf("ignores").deadline);
  EXPECT_EQ(PodNamed("ignores")["metadata"]["deletionGracePeriodSeconds"], 2);
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-pods", 1)
