// Commands in groups of their own, and what a container says about its end.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kUid[] = "pod-a";
// Children of every kind: one in the background, one orphaned, two in a session of their own and
// one that leads a session. Each says that it is there.
constexpr char kTree[] =
    "export LEAF='echo up; exec sleep 1000'; sh -c \"$LEAF\" & (sh -c \"$LEAF\" &) ; "
    "busybox setsid sh -c 'sh -c \"$LEAF\" & sh -c \"$LEAF\"' & busybox setsid sh -c \"$LEAF\" & "
    "sleep 1000";
constexpr int kLeaves = 5;

class GroupedExecTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.Prepare(kUid);
    world_.StartIn(kUid, {"sh", "-c", "echo up; sleep 1000"});
    world_.AwaitLog(kUid, "up");
  }
  // Returns when the command has written `lines` lines.
  std::unique_ptr<ExecProcess> Exec(const std::string& script, const std::string& group,
                                    int lines = 1) {
    ExecSpec spec;
    spec.pod_uid = kUid;
    spec.container = "main";
    spec.argv = {"sh", "-c", script};
    spec.group = group;
    auto process = world_.runtime().Exec(spec);
    EXPECT_TRUE(process.ok()) << process.status();
    if (!process.ok()) return nullptr;
    pollfd ready{(*process)->stdout_fd.get(), POLLIN, 0};
    while (lines > 0) {
      char character = 0;
      EXPECT_EQ(poll(&ready, 1, 30000), 1) << "it does not start";
      if (read(ready.fd, &character, 1) != 1) break;
      if (character == '\n') --lines;
    }
    EXPECT_EQ(lines, 0) << "lines are missing";
    return *std::move(process);
  }
  // All processes of the container, with what runs in groups below its own.
  std::vector<int> Processes() {
    std::vector<int> pids;
    auto leaf = world_.agent().cgroups->FindLeaf(kUid, "main-0");
    EXPECT_TRUE(leaf.ok()) << leaf.status();
    if (!leaf.ok()) return pids;
    namespace fs = std::filesystem;
    const fs::path top = world_.agent().cgroups->layout().v2_mount_point + leaf->path();
    std::vector<fs::path> groups = {top};
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      if (entry.is_directory()) groups.push_back(entry.path());
    }
    for (const fs::path& group : groups) {
      std::ifstream procs(group / "cgroup.procs");
      for (int pid = 0; procs >> pid;) pids.push_back(pid);
    }
    std::sort(pids.begin(), pids.end());
    return pids;
  }
  // Those that are not among `before`, by descriptors, so that their end can be waited for.
  std::vector<UniqueFd> New(const std::vector<int>& before) {
    std::vector<UniqueFd> found;
    for (const int pid : Processes()) {
      if (std::find(before.begin(), before.end(), pid) != before.end()) continue;
      found.emplace_back(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    }
    return found;
  }
  static bool Ended(const UniqueFd& pidfd, int milliseconds) {
    pollfd ready{pidfd.get(), POLLIN, 0};
    return poll(&ready, 1, milliseconds) == 1;
  }

  RuntimeWorld world_;
};

TEST_F(GroupedExecTest, KillEndsTheWholeTreeOfACommandWhateverItsSessions) {
  const std::vector<int> before = Processes();
  auto process = Exec(kTree, kProbeGroup, kLeaves);
  ASSERT_NE(process, nullptr);
  const std::vector<UniqueFd> tree = New(before);
  ASSERT_GT(tree.size(), static_cast<size_t>(kLeaves));
  process->Kill();
  EXPECT_EQ(process->Wait().value_or(-1), 137);
  for (const UniqueFd& pidfd : tree) EXPECT_TRUE(Ended(pidfd, 30000));
  process.reset();
  EXPECT_EQ(Processes(), before) << "and the container lives";
}

TEST_F(GroupedExecTest, ControlWithoutAGroupSomeOfTheTreeGetAway) {
  const std::vector<int> before = Processes();
  auto process = Exec(kTree, "", kLeaves);
  ASSERT_NE(process, nullptr);
  const std::vector<UniqueFd> tree = New(before);
  process->Kill();
  EXPECT_EQ(process->Wait().value_or(-1), 137);
  int alive = 0;
  for (const UniqueFd& pidfd : tree) alive += Ended(pidfd, 0) ? 0 : 1;
  EXPECT_GT(alive, 0);
}

TEST_F(GroupedExecTest, WhatAHookLeavesRunningGoesOnAndEndsWithItsContainer) {
  const std::vector<int> before = Processes();
  auto process = Exec("busybox setsid sleep 1000 & echo started", kHookGroup);
  ASSERT_NE(process, nullptr);
  EXPECT_EQ(process->Wait().value_or(-1), 0);
  const std::vector<UniqueFd> left = New(before);
  process.reset();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_FALSE(Ended(left[0], 0));
  ASSERT_TRUE(world_.runtime().Kill({kUid, "main", 0}).ok());
  EXPECT_TRUE(Ended(left[0], 30000));
  EXPECT_EQ(world_.Await(kUid).exit_code, 137);
}

TEST_F(GroupedExecTest, TheNextAgentEndsWhatAProbeOfADeadOneLeft) {
  const std::vector<int> before = Processes();
  auto probe = Exec(kTree, kProbeGroup, kLeaves);
  auto hook = Exec("busybox setsid sleep 1000 & echo started", kHookGroup);
  ASSERT_NE(probe, nullptr);
  ASSERT_NE(hook, nullptr);
  EXPECT_EQ(hook->Wait().value_or(-1), 0);
  const std::vector<int> all = Processes();
  // The connections close, as when the agent dies.
  probe.reset();
  hook.reset();
  world_.StopAgent();
  world_.StartAgent();
  const std::vector<int> after = Processes();
  EXPECT_EQ(after.size(), before.size() + 1) << "the hook's was meant to stay";
  EXPECT_GT(all.size(), after.size());
}

TEST_F(GroupedExecTest, NothingIsLeftOfThePodAfterIt) {
  auto probe = Exec(kTree, kProbeGroup, kLeaves);
  ASSERT_NE(probe, nullptr);
  ASSERT_TRUE(world_.runtime().Remove(kUid).ok());
  probe.reset();
  world_.AwaitQuiet();
  EXPECT_THAT(world_.TakeCensus().cgroups, IsEmpty());
}

class LastWordsTest : public ::testing::Test {
 protected:
  ContainerSpec Spec(const std::string& script, const std::string& path) {
    ContainerSpec spec = world_.Spec(kUid, {"sh", "-c", script});
    spec.termination_message_path = path;
    return spec;
  }
  std::string Words() {
    const auto states = world_.runtime().Poll(kUid);
    return states.ok() && !states->empty() ? states->front().termination_message : "none";
  }
  RuntimeWorld world_;
};

TEST_F(LastWordsTest, Behaviour7_AreWhatTheContainerWroteThere) {
  world_.Prepare(kUid);
  world_.RunSpec(Spec("echo out of luck > /dev/termination-log; exit 3", "/dev/termination-log"));
  EXPECT_EQ(Words(), "out of luck\n");
}

TEST_F(LastWordsTest, Behaviour7_CanBeWrittenAtAnotherPlaceByAnybody) {
  world_.Prepare(kUid);
  ContainerSpec spec = Spec("id -u > /var/run/why/it-ended; exit 1", "/var/run/why/it-ended");
  spec.user = "app";
  const auto outcome = world_.RunSpec(spec);
  EXPECT_EQ(outcome.state.exit_code, 1);
  EXPECT_EQ(Words(), "1000\n") << outcome.log;
}

TEST_F(LastWordsTest, OnlyTheEndOfLongOnesIsKept) {
  world_.Prepare(kUid);
  world_.RunSpec(
      Spec("yes x | head -c 100000 > /dev/termination-log; echo end >> "
           "/dev/termination-log",
           "/dev/termination-log"));
  EXPECT_EQ(Words().size(), 4096u);
  EXPECT_THAT(Words(), HasSubstr("x\nend\n"));
}

TEST_F(LastWordsTest, AreEmptyForAContainerThatSaidNothing) {
  world_.Prepare(kUid);
  world_.RunSpec(Spec("exit 3", "/dev/termination-log"));
  EXPECT_EQ(Words(), "");
}

TEST_F(LastWordsTest, OfAnEarlierInstanceAreNotThoseOfTheNext) {
  world_.Prepare(kUid);
  world_.RunSpec(Spec("echo one > /dev/termination-log; exit 3", "/dev/termination-log"));
  ContainerSpec next = Spec("cat /dev/termination-log; exit 3", "/dev/termination-log");
  next.attempt = 1;
  const auto outcome = world_.RunSpec(next);
  EXPECT_EQ(outcome.log, "");
  EXPECT_EQ(Words(), "");
}

TEST_F(LastWordsTest, SurviveTheAgent) {
  world_.Prepare(kUid);
  world_.RunSpec(Spec("echo kept > /dev/termination-log; exit 3", "/dev/termination-log"));
  world_.StopAgent();
  world_.StartAgent();
  EXPECT_EQ(Words(), "kept\n");
}

class SandboxBirthTest : public ::testing::Test {
 protected:
  RuntimeWorld world_;
};

TEST_F(SandboxBirthTest, IsAnotherForEverySandboxAndTheSameForOne) {
  const SandboxState first = world_.Prepare(kUid);
  EXPECT_GT(first.made_ns, 0);
  EXPECT_EQ(world_.Prepare(kUid).made_ns, first.made_ns);
  world_.StopAgent();
  world_.StartAgent();
  EXPECT_EQ(world_.Prepare(kUid).made_ns, first.made_ns);
  auto group = world_.agent().cgroups->FindPod(kUid);
  ASSERT_TRUE(group.ok()) << group.status();
  ASSERT_TRUE(group->Kill().ok());
  ASSERT_TRUE(group->AwaitEmpty(absl::Seconds(30)).ok());
  EXPECT_NE(world_.Prepare(kUid).made_ns, first.made_ns);
}

class TargetTest : public ::testing::Test {
 protected:
  RuntimeWorld world_;
};

TEST_F(TargetTest, Behaviour81_ADebugContainerSeesTheProcessesOfItsTargetAlone) {
  world_.Prepare(kUid);
  world_.StartIn(kUid, {"sh", "-c", "echo up; exec sleep 4711"});
  world_.AwaitLog(kUid, "up");
  ContainerSpec other = world_.Spec(kUid, {"sh", "-c", "echo up; exec sleep 4712"});
  other.name = "other";
  world_.Start(other);
  world_.AwaitLog(kUid, "up", "other");
  ContainerSpec debug = world_.Spec(kUid, {"sh", "-c", "ps -o args; echo done"});
  debug.name = "debug";
  debug.pid_namespace_of = "main";
  world_.Start(debug);
  world_.AwaitLog(kUid, "done", "debug");
  const std::string log = world_.Log(kUid, "debug");
  EXPECT_THAT(log, HasSubstr("sleep 4711"));
  EXPECT_THAT(log, ::testing::Not(HasSubstr("sleep 4712")));
  ContainerSpec alone = world_.Spec(kUid, {"sh", "-c", "ps -o args; echo done"});
  alone.name = "alone";
  world_.Start(alone);
  world_.AwaitLog(kUid, "done", "alone");
  EXPECT_THAT(world_.Log(kUid, "alone"), ::testing::Not(HasSubstr("sleep 4711")))
      << "control: without a target there is nothing to see";
}

TEST_F(TargetTest, ATargetThatDoesNotRunIsARefusal) {
  world_.Prepare(kUid);
  ContainerSpec debug = world_.Spec(kUid, {"true"});
  debug.pid_namespace_of = "absent";
  const auto started = world_.runtime().StartContainer(debug);
  ASSERT_FALSE(started.ok());
  EXPECT_THAT(std::string(started.status().message()), HasSubstr("absent"));
}

}  // namespace
}  // namespace cluster::node
