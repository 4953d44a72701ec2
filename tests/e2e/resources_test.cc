// What pods may use: seen by `top`, changed while they run, counted by the scheduler.
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ResourcesE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override { CtlOut({"delete", "deployments,pods", "--all", "--timeout", "60s"}); }
};

PodText Limited(const std::string& name, const std::string& cpu, const std::string& memory,
                const std::string& more = "") {
  PodText pod;
  pod.name = name;
  pod.extra_container =
      absl::StrCat("      resources: {limits: {cpu: ", cpu, ", memory: ", memory, "}}\n", more);
  return pod;
}

// A control file of the process' group, on v1 or v2.
std::string Control(int64_t pid, const std::string& controller, const std::string& v1_file,
                    const std::string& v2_file) {
  const std::string groups = ReadFile(absl::StrCat("/proc/", pid, "/cgroup")).value_or("");
  std::string v1_path;
  std::string v2_path;
  for (const absl::string_view line : absl::StrSplit(groups, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts[1] == controller) v1_path = parts[2];
    if (parts[1].empty()) v2_path = parts[2];
  }
  const std::string path = v1_path.empty()
                               ? absl::StrCat("/sys/fs/cgroup", v2_path, "/", v2_file)
                               : absl::StrCat("/sys/fs/cgroup/", controller, v1_path, "/", v1_file);
  return std::string(absl::StripAsciiWhitespace(ReadFile(path).value_or("absent")));
}
std::string MemoryLimit(int64_t pid) {
  return Control(pid, "memory", "memory.limit_in_bytes", "memory.max");
}

std::string ShownLimit(const nlohmann::json& pod, const std::string& resource) {
  const auto& container = pod["status"]["containerStatuses"][0];
  if (!container.contains("resources")) return "";
  return container["resources"]["limits"].value(resource, "");
}

bool HasCondition(const nlohmann::json& pod, const std::string& type, const std::string& reason) {
  for (const auto& condition : pod["status"]["conditions"]) {
    if (condition["type"] == type && condition.value("reason", "") == reason) return true;
  }
  return false;
}

TEST_F(ResourcesE2e, TopShowsWhatABusyPodUses) {
  PodText busy;
  busy.name = "busy";
  busy.script = "while :; do :; done";
  busy.extra_container = "      resources: {limits: {cpu: 200m, memory: 32Mi}}\n";
  Apply(busy.Yaml());
  ASSERT_TRUE(WaitPhase("busy", "Running"));
  // Two hundred thousandths are what it may use; below a tenth it would not be busy.
  ASSERT_TRUE(Eventually([] {
    const std::vector<std::string> words =
        absl::StrSplit(CtlOut({"top", "pod", "busy", "--no-headers"}), ' ', absl::SkipEmpty());
    int milli = 0;
    absl::string_view cpu = words.size() > 1 ? words[1] : "";
    return absl::SimpleAtoi(cpu.substr(0, cpu.find('m')), &milli) && milli > 100 && milli < 400;
  }));
  EXPECT_THAT(CtlOut({"top", "pods", "--containers"}),
              ContainsRegex("busy +main +[0-9]+m +[0-9]+Mi"));
  // Always, once it has used up the burst that it begins with.
  EXPECT_TRUE(Eventually([] {
    return testing::Value(CtlOut({"top", "pods", "-A", "-o", "wide"}),
                          ContainsRegex("busy .*[1-9][0-9]*% +32Mi"));
  })) << CtlOut({"top", "pods", "-A", "-o", "wide"});
  const std::string nodes = CtlOut({"top", "nodes"});
  EXPECT_THAT(nodes, StartsWith("NAME"));
  EXPECT_THAT(nodes, HasSubstr("node1"));
}

TEST_F(ResourcesE2e, ARunningPodGetsNewLimitsWithoutARestart) {
  Apply(Limited("grow", "100m", "64Mi").Yaml());
  ASSERT_TRUE(WaitPhase("grow", "Running"));
  const nlohmann::json before = PodNamed("grow");
  EXPECT_EQ(MemoryLimit(PidOf(before)), absl::StrCat(64 << 20));
  EXPECT_EQ(ShownLimit(before, "memory"), "64Mi");

  EXPECT_EQ(Apply(Limited("grow", "300m", "128Mi").Yaml()), "pod/grow configured");
  ASSERT_TRUE(Eventually([] { return ShownLimit(PodNamed("grow"), "memory") == "128Mi"; }));
  const nlohmann::json after = PodNamed("grow");
  EXPECT_EQ(MemoryLimit(PidOf(before)), absl::StrCat(128 << 20));
  EXPECT_EQ(PidOf(after), PidOf(before));
  EXPECT_EQ(RestartCount(after), 0);
  EXPECT_EQ(ShownLimit(after, "cpu"), "300m");
  EXPECT_FALSE(HasCondition(after, "PodResizeInProgress", ""));
}

TEST_F(ResourcesE2e, AContainerThatAsksForItIsRestartedForItsNewMemory) {
  const std::string policy =
      "      resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]\n";
  PodText pod = Limited("again", "100m", "64Mi", policy);
  pod.script = "trap 'exit 0' TERM; sleep 100000 & wait";
  Apply(pod.Yaml());
  ASSERT_TRUE(WaitPhase("again", "Running"));
  PodText bigger = Limited("again", "100m", "96Mi", policy);
  bigger.script = pod.script;
  Apply(bigger.Yaml());
  ASSERT_TRUE(Eventually([] {
    const nlohmann::json now = PodNamed("again");
    return RestartCount(now) == 1 && ShownLimit(now, "memory") == "96Mi";
  }));
  EXPECT_EQ(MemoryLimit(PidOf(PodNamed("again"))), absl::StrCat(96 << 20));
}

TEST_F(ResourcesE2e, WhatNoNodeHasIsRefusedAndThePodRunsOn) {
  Apply(Limited("huge", "100m", "64Mi").Yaml());
  ASSERT_TRUE(WaitPhase("huge", "Running"));
  Apply(Limited("huge", "1000", "64Mi").Yaml());
  ASSERT_TRUE(
      Eventually([] { return HasCondition(PodNamed("huge"), "PodResizePending", "Infeasible"); }));
  EXPECT_EQ(ShownLimit(PodNamed("huge"), "cpu"), "100m");
  Apply(Limited("huge", "100m", "64Mi").Yaml());
  ASSERT_TRUE(
      Eventually([] { return !HasCondition(PodNamed("huge"), "PodResizePending", "Infeasible"); }));
  EXPECT_EQ(RestartCount(PodNamed("huge")), 0);
}

TEST_F(ResourcesE2e, ChangesThatAreNoResizeAreRefused) {
  Apply(Limited("fixed", "100m", "64Mi").Yaml());
  ASSERT_TRUE(WaitPhase("fixed", "Running"));
  PodText burstable;
  burstable.name = "fixed";
  burstable.extra_container =
      "      resources: {limits: {cpu: 100m, memory: 64Mi}, requests: {cpu: 50m, memory: 64Mi}}\n";
  const Outcome qos = Ctl({"apply", "-f", "-"}, burstable.Yaml());
  EXPECT_EQ(qos.exit_code, 1);
  EXPECT_THAT(qos.err, HasSubstr("Guaranteed"));
  PodText removed;
  removed.name = "fixed";
  EXPECT_EQ(Ctl({"apply", "-f", "-"}, removed.Yaml()).exit_code, 1);
}

TEST_F(ResourcesE2e, Behaviour49DevicesThatNoNodeHasLeaveThePodPendingWithTheReason) {
  PodText pod;
  pod.name = "dongle";
  pod.extra_container = "      resources: {limits: {example.com/dongle: 1}}\n";
  Apply(pod.Yaml());
  ASSERT_TRUE(Eventually([] {
    return absl::StrContains(PodNamed("dongle").dump(),
                             "Insufficient example.com/dongle (1 lacking)");
  }));
  EXPECT_EQ(Phase(PodNamed("dongle")), "Pending");
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-res", 2)
