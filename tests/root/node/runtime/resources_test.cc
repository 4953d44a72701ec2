// Limits of containers as the runtime sets them, on whatever hierarchies this machine has: they
// bite, they change under a running container, and devices stay behind their list.
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "node/cgroup/limits.h"
#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ResourcesTest : public ::testing::Test {
 protected:
  // A control file of a group of the pod; `leaf` "" is the pod's own.
  std::string Control(const std::string& uid, const std::string& leaf, absl::string_view controller,
                      const std::string& v1_file, const std::string& v2_file) {
    const CgroupLayout& layout = world_.agent().cgroups->layout();
    const V1Hierarchy* v1 = layout.V1Of(controller);
    const std::string mount = v1 != nullptr ? v1->mount_point : layout.v2_mount_point;
    const std::string path = absl::StrCat(mount, world_.parent(), "/pod", uid, "/", leaf, "/",
                                          v1 != nullptr ? v1_file : v2_file);
    return std::string(absl::StripAsciiWhitespace(ReadFile(path).value_or("absent")));
  }
  std::string MemoryLimit(const std::string& uid, const std::string& leaf) {
    return Control(uid, leaf, "memory", "memory.limit_in_bytes", "memory.max");
  }
  // Of 100 ms, in microseconds.
  std::string Quota(const std::string& uid, const std::string& leaf) {
    const std::string text = Control(uid, leaf, "cpu", "cpu.cfs_quota_us", "cpu.max");
    return text.substr(0, text.find(' '));
  }
  ContainerSpec Sleeper(const std::string& uid) { return world_.Spec(uid, {"sleep", "1000"}); }
  ResizeSpec ResizeTo(const std::string& uid, int64_t milli, int64_t bytes) const {
    ResizeSpec resize;
    resize.pod_uid = uid;
    resize.pod.cpu_request_milli = resize.pod.cpu_limit_milli = milli;
    resize.pod.memory_request = resize.pod.memory_limit = bytes;
    resize.containers.push_back({"main", 0, resize.pod});
    return resize;
  }
  // As a container that may make device nodes sees it: the verdict on opening one.
  // In /dev: on the root itself no device can be opened at all (nodev).
  std::string OpenDevice(const std::string& uid, const std::string& numbers, bool privileged) {
    ContainerSpec spec = world_.Spec(
        uid,
        {"sh", "-c",
         absl::StrCat("mknod /dev/mine ", numbers, " || exit 1; (: < /dev/mine) && echo opened")});
    spec.security.capabilities |= uint64_t{1} << CAP_MKNOD;
    if (privileged) spec.security.capabilities = ~uint64_t{0};
    spec.security.privileged = privileged;
    SandboxSpec sandbox = world_.Sandbox(uid);
    sandbox.host_users = true;
    return world_.RunIn(sandbox, spec).log;
  }
  RuntimeWorld world_;
};

// "b 254 0" of the first disk that the kernel lists; empty without one.
std::string FirstDisk() {
  std::ifstream partitions("/proc/partitions");
  std::string major;
  std::string minor;
  std::string blocks;
  std::string name;
  partitions >> major >> minor >> blocks >> name;  // the header has as many words
  if (!(partitions >> major >> minor >> blocks >> name)) return "";
  return absl::StrCat("b ", major, " ", minor);
}

TEST_F(ResourcesTest, Row15_DevicesCannotBeOpenedEvenByWhoCanMakeThem) {
  std::vector<std::string> devices = {"c 1 11"};  // the kernel's log
  if (const std::string disk = FirstDisk(); !disk.empty()) devices.push_back(disk);
  int pods = 0;
  for (const std::string& device : devices) {
    EXPECT_THAT(OpenDevice(absl::StrCat("pod-", ++pods), device, false),
                HasSubstr("Operation not permitted"))
        << device;
    // Some machines let nobody at their disks; the kernel's log is a control everywhere.
    const std::string privileged = OpenDevice(absl::StrCat("pod-", ++pods), device, true);
    if (device != devices.front() && privileged != "opened\n") continue;
    EXPECT_EQ(privileged, "opened\n") << device << ", the control: a privileged container";
  }
  EXPECT_EQ(OpenDevice("pod-null", "c 1 3", false), "opened\n");
}

TEST_F(ResourcesTest, Row29_EveryPodAndContainerHasALimitOfProcesses) {
  world_.Prepare("pod-a");
  world_.Start(Sleeper("pod-a"));
  EXPECT_EQ(Control("pod-a", "main-0", "pids", "pids.max", "pids.max"), "4096");
  EXPECT_EQ(Control("pod-a", "", "pids", "pids.max", "pids.max"), "16384");
}

TEST_F(ResourcesTest, ALimitHasAsMuchBurstAndNoSwap) {
  world_.Prepare("pod-a");
  ContainerSpec spec = Sleeper("pod-a");
  spec.resources.cpu_limit_milli = 250;
  spec.resources.memory_limit = 64 << 20;
  spec.resources.memory_request = 32 << 20;
  world_.Start(spec);
  EXPECT_EQ(Quota("pod-a", "main-0"), "25000");
  EXPECT_EQ(Control("pod-a", "main-0", "cpu", "cpu.cfs_burst_us", "cpu.max.burst"), "25000");
  EXPECT_EQ(MemoryLimit("pod-a", "main-0"), "67108864");
  EXPECT_EQ(Control("pod-a", "main-0", "memory", "memory.soft_limit_in_bytes", "memory.low"),
            "33554432");
  const std::string swap =
      Control("pod-a", "main-0", "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
  const bool v1 = world_.agent().cgroups->layout().V1Of("memory") != nullptr;
  if (swap != "absent") {
    EXPECT_EQ(swap, v1 ? "67108864" : "0");
  }
}

// A class has no group of its own (node/cgroup/tree.h); it shows in what each pod's may have.
TEST_F(ResourcesTest, Behaviour54_TheGroupsAgreeWithTheClass) {
  const auto start = [this](const std::string& uid, Qos qos, const Resources& resources) {
    SandboxSpec sandbox = world_.Sandbox(uid);
    sandbox.qos = qos;
    sandbox.resources = resources;
    world_.Prepare(sandbox);
    ContainerSpec spec = Sleeper(uid);
    spec.resources = resources;
    world_.Start(spec);
  };
  Resources whole;
  whole.cpu_request_milli = whole.cpu_limit_milli = 500;
  whole.memory_request = whole.memory_limit = 64 << 20;
  start("guaranteed", Qos::kGuaranteed, whole);
  Resources some;
  some.cpu_request_milli = 250;
  some.memory_request = 32 << 20;
  start("burstable", Qos::kBurstable, some);
  start("besteffort", Qos::kBestEffort, {});
  const auto share = [this](const std::string& uid, const std::string& leaf) {
    int number = 0;
    EXPECT_TRUE(absl::SimpleAtoi(Control(uid, leaf, "cpu", "cpu.shares", "cpu.weight"), &number));
    return number;
  };
  // A pod that starts weighs a core, which is taken back beside.
  for (int i = 0; i < 30'000 && share("besteffort", "") > 2; ++i) poll(nullptr, 0, 1);
  for (const char* leaf : {"", "main-0"}) {
    EXPECT_GT(share("guaranteed", leaf), share("burstable", leaf)) << leaf;
    EXPECT_GT(share("burstable", leaf), share("besteffort", leaf)) << leaf;
    EXPECT_LE(share("besteffort", leaf), 2) << leaf << ": the least there is";
    EXPECT_EQ(Quota("guaranteed", leaf), "50000") << leaf;
    EXPECT_EQ(MemoryLimit("guaranteed", leaf), "67108864") << leaf;
    for (const char* uid : {"burstable", "besteffort"}) {
      EXPECT_THAT(Quota(uid, leaf), AnyOf("-1", "max")) << uid << leaf;
      EXPECT_THAT(MemoryLimit(uid, leaf), AnyOf("9223372036854771712", "max")) << uid << leaf;
    }
  }
}

TEST_F(ResourcesTest, Behaviour6_OnlyTheInstanceThatWasKilledIsCalledOomKilled) {
  world_.Prepare("pod-a");
  ContainerSpec other = world_.Spec("pod-a", {"sh", "-c", "trap 'exit 3' TERM; sleep 1000 & wait"});
  other.name = "other";
  world_.Start(other);
  ContainerSpec hog = world_.Spec("pod-a", {"sh", "-c", "exec tail /dev/zero"});
  hog.resources.memory_limit = 16 << 20;
  world_.Start(hog);
  EXPECT_TRUE(world_.Await("pod-a").oom_killed);
  // The next instance of the same container ends by itself.
  ContainerSpec again = world_.Spec("pod-a", {"sh", "-c", "exit 1"});
  again.resources.memory_limit = 16 << 20;
  again.attempt = 1;
  world_.Start(again);
  const ContainerState second = world_.Await("pod-a");
  EXPECT_EQ(second.attempt, 1);
  EXPECT_FALSE(second.oom_killed);
  ASSERT_EQ(world_.runtime().Kill({"pod-a", "other", 0}), absl::OkStatus());
  const ContainerState killed = world_.Await("pod-a", "other");
  EXPECT_EQ(killed.exit_code, 137);
  EXPECT_FALSE(killed.oom_killed) << "killed, but not for memory";
}

// A child of the container's first process takes more than there is.
TEST_F(ResourcesTest, Behaviour6_AnOomKillTakesTheContainerOrTheProcessAsThePolicySays) {
  world_.Prepare("pod-a");
  ContainerSpec spec = world_.Spec(
      "pod-a",
      {"sh", "-c", "trap 'exit 7' TERM; tail /dev/zero; echo survived; sleep 1000 & wait"});
  spec.resources.memory_limit = 16 << 20;
  world_.Start(spec);
  const ContainerState whole = world_.Await("pod-a");
  EXPECT_TRUE(whole.oom_killed);
  EXPECT_EQ(whole.signal, SIGKILL);
  EXPECT_EQ(whole.exit_code, 137);
  spec.pod_uid = "pod-b";
  spec.oom_policy = OomPolicy::kProcess;
  world_.Prepare("pod-b");
  world_.Start(spec);
  world_.AwaitLog("pod-b", "survived");
  ASSERT_EQ(world_.runtime().Signal({"pod-b", "main", 0}, SIGTERM), absl::OkStatus());
  EXPECT_EQ(world_.Await("pod-b").exit_code, 7) << "it went on";
}

TEST_F(ResourcesTest, Behaviour6_ThePodsOwnLimitTakesTheContainerThatWasHitAlone) {
  SandboxSpec sandbox = world_.Sandbox("pod-a");
  sandbox.resources.memory_limit = 32 << 20;
  world_.Prepare(sandbox);
  ContainerSpec other = Sleeper("pod-a");
  other.name = "other";
  world_.Start(other);
  world_.StartIn("pod-a", {"sh", "-c", "tail /dev/zero; sleep 1000"});
  EXPECT_TRUE(world_.Await("pod-a").oom_killed);
  const auto states = world_.runtime().Poll("pod-a").value();
  ASSERT_EQ(states.size(), 2u);
  for (const ContainerState& state : states) {
    EXPECT_EQ(state.phase == ContainerPhase::kRunning, state.name == "other") << state.name;
  }
}

TEST_F(ResourcesTest, AResizeChangesTheLimitsOfWhatRuns) {
  SandboxSpec sandbox = world_.Sandbox("pod-a");
  sandbox.resources = ResizeTo("pod-a", 500, 64 << 20).pod;
  world_.Prepare(sandbox);
  ContainerSpec spec = Sleeper("pod-a");
  spec.resources = sandbox.resources;
  const ContainerState started = world_.Start(spec);
  ASSERT_EQ(world_.runtime().Resize(ResizeTo("pod-a", 1500, 256 << 20)), absl::OkStatus());
  for (const char* leaf : {"", "main-0"}) {
    EXPECT_EQ(Quota("pod-a", leaf), "150000") << leaf;
    EXPECT_EQ(MemoryLimit("pod-a", leaf), absl::StrCat(256 << 20)) << leaf;
  }
  ASSERT_EQ(world_.runtime().Resize(ResizeTo("pod-a", 100, 32 << 20)), absl::OkStatus());
  for (const char* leaf : {"", "main-0"}) {
    EXPECT_EQ(Quota("pod-a", leaf), "10000") << leaf;
    EXPECT_EQ(MemoryLimit("pod-a", leaf), absl::StrCat(32 << 20)) << leaf;
  }
  const auto states = world_.runtime().Poll("pod-a").value();
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[0].pid, started.pid) << "nothing was restarted";
  // What a later agent sets again is the new.
  world_.StartAgent();
  EXPECT_EQ(MemoryLimit("pod-a", ""), absl::StrCat(32 << 20));
  EXPECT_EQ(world_.agent().recovered.at(0).spec.resources.memory_limit, 32 << 20);
}

TEST_F(ResourcesTest, AResizeBelowWhatIsInUseIsRefusedAndChangesNothing) {
  SandboxSpec sandbox = world_.Sandbox("pod-a");
  sandbox.resources = ResizeTo("pod-a", 500, 128 << 20).pod;
  world_.Prepare(sandbox);
  // Half of it, in a file that lives in memory.
  ContainerSpec spec = world_.Spec(
      "pod-a", {"sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=48; echo full; sleep 1000"});
  spec.resources = sandbox.resources;
  world_.Start(spec);
  world_.AwaitLog("pod-a", "full");
  const absl::Status refused = world_.runtime().Resize(ResizeTo("pod-a", 100, 16 << 20));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("more than its new limit 16384Ki"));
  EXPECT_EQ(Quota("pod-a", "main-0"), "50000");
  EXPECT_EQ(MemoryLimit("pod-a", "main-0"), absl::StrCat(128 << 20));
  EXPECT_EQ(world_.runtime().Resize(ResizeTo("absent", 100, 16 << 20)).code(),
            absl::StatusCode::kNotFound);
}

// On two cpus, of which the first is everybody's.
class OwnCpusTest : public ResourcesTest {
 protected:
  void SetUp() override {
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2) GTEST_SKIP() << "this machine has one cpu";
    StartAgent();
  }
  void StartAgent() {
    world_.StartAgent([](KernelRuntimeOptions* options) {
      options->cpus = {{0, 0, 0}, {1, 0, 1}};
    });
  }
  ContainerSpec WithCpus(ContainerSpec spec, int32_t count) const {
    spec.resources.whole_cpus = count;
    return spec;
  }
  std::string CpusOf(const std::string& uid, const std::string& leaf) {
    return Control(uid, leaf, "cpuset", "cpuset.cpus", "cpuset.cpus");
  }
  std::string StateOf(const std::string& uid) const {
    return absl::StrCat(world_.base(), "/state/pods/", uid);
  }
};

TEST_F(OwnCpusTest, ARestartWithAnotherNumberOfThemChangesThem) {
  world_.Prepare("pod-a");
  ContainerSpec other = Sleeper("pod-a");
  other.name = "other";
  world_.Start(other);
  world_.Start(WithCpus(Sleeper("pod-a"), 1));
  EXPECT_EQ(CpusOf("pod-a", "main-0"), "1");
  EXPECT_EQ(CpusOf("pod-a", "other-0"), "0");
  ContainerSpec again = Sleeper("pod-a");
  for (const auto& [count, own, common] : std::vector<std::tuple<int, std::string, std::string>>{
           {1, "1", "0"}, {0, "0-1", "0-1"}, {1, "1", "0"}}) {
    ASSERT_EQ(world_.runtime().Kill({"pod-a", "main", again.attempt}), absl::OkStatus());
    world_.Await("pod-a");
    ++again.attempt;
    world_.Start(WithCpus(again, count));
    EXPECT_EQ(CpusOf("pod-a", absl::StrCat("main-", again.attempt)), own);
    EXPECT_EQ(CpusOf("pod-a", "other-0"), common);
  }
  EXPECT_EQ(ReadFile(StateOf("pod-a") + "/cpus").value(), "main 1\n");
}

TEST_F(OwnCpusTest, WhatCouldNotBeRecordedWasNotGiven) {
  world_.Prepare("pod-a");
  const std::string record = StateOf("pod-a") + "/cpus";
  ASSERT_EQ(MakeDirectories(record), absl::OkStatus());
  EXPECT_FALSE(world_.runtime().StartContainer(WithCpus(Sleeper("pod-a"), 1)).ok());
  world_.Prepare("pod-b");
  world_.Start(WithCpus(Sleeper("pod-b"), 1));
  EXPECT_EQ(CpusOf("pod-b", "main-0"), "1");
  ASSERT_EQ(world_.runtime().Remove("pod-b"), absl::OkStatus());
  // And it is tried anew.
  ASSERT_EQ(rmdir(record.c_str()), 0);
  world_.Start(WithCpus(Sleeper("pod-a"), 1));
  EXPECT_EQ(CpusOf("pod-a", "main-0"), "1");
}

TEST_F(OwnCpusTest, AnInitContainerGivesThemBackWhenItEnds) {
  world_.Prepare("pod-a");
  ContainerSpec setup = WithCpus(world_.Spec("pod-a", {"true"}), 1);
  setup.name = "setup";
  setup.runs_before_others = true;
  world_.Start(setup);
  world_.Await("pod-a", "setup");
  world_.Prepare("pod-b");
  world_.Start(WithCpus(Sleeper("pod-b"), 1));
  EXPECT_EQ(CpusOf("pod-b", "main-0"), "1");
  // One that is not an init container keeps them for its next instance.
  ASSERT_EQ(world_.runtime().Kill({"pod-b", "main", 0}), absl::OkStatus());
  world_.Await("pod-b");
  EXPECT_EQ(world_.runtime().StartContainer(WithCpus(Sleeper("pod-a"), 1)).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(OwnCpusTest, WhatAnInitContainerHadIsFreeAlsoForALaterAgent) {
  world_.Prepare("pod-a");
  ContainerSpec setup = WithCpus(world_.Spec("pod-a", {"true"}), 1);
  setup.name = "setup";
  setup.runs_before_others = true;
  world_.Start(setup);
  // Nobody has asked for its state when the agent goes.
  const std::string end = StateOf("pod-a") + "/containers/setup/0/exit";
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (access(end.c_str(), F_OK) != 0 && absl::Now() < deadline) sched_yield();
  StartAgent();
  world_.Prepare("pod-b");
  world_.Start(WithCpus(Sleeper("pod-b"), 1));
  EXPECT_EQ(CpusOf("pod-b", "main-0"), "1");
}

TEST_F(OwnCpusTest, APodThatIsOverHoldsNoneForALaterAgent) {
  world_.Prepare("pod-a");
  world_.Start(WithCpus(Sleeper("pod-a"), 1));
  ASSERT_EQ(world_.runtime().Release("pod-a"), absl::OkStatus());
  StartAgent();
  world_.Prepare("pod-b");
  world_.Start(WithCpus(Sleeper("pod-b"), 1));
  EXPECT_EQ(CpusOf("pod-b", "main-0"), "1");
}

TEST_F(ResourcesTest, ABusyContainerIsHeldAtItsCpuLimit) {
  world_.Prepare("pod-a");
  ContainerSpec spec = world_.Spec("pod-a", {"sh", "-c", "while true; do :; done"});
  spec.resources.cpu_limit_milli = 100;
  world_.Start(spec);
  const auto group = world_.agent().cgroups->FindLeaf("pod-a", "main-0");
  ASSERT_TRUE(group.ok());
  // It may have as much time as it likes, only not all of it at once.
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (group->Usage()->throttled_periods == 0 && absl::Now() < deadline) sched_yield();
  EXPECT_GE(group->Usage()->throttled_periods, 1);
}

}  // namespace
}  // namespace cluster::node
