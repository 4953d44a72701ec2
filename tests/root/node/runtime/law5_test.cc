// Law 5: containers outlive their agent. kill -9 of it restarts no container and loses no log line,
// and the exit code of a container that ended meanwhile is known.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <set>
#include <sstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/runtime_world.h"
#include "tests/root/node/runtime/test_agent.h"

namespace cluster::node {
namespace {

class Law5Test : public ::testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    world_.StopAgent();  // an agent process takes over
  }
  std::string StartLine(const std::string& uid, const std::string& command) {
    return absl::StrCat("start ", uid, " main 0 ", world_.layer(), " ", command);
  }
  RuntimeWorld world_;
};

TEST_F(Law5Test, Law5_LogsStayWholeAndTheExitCodeKnownAcrossAgents) {
  constexpr int kLines = 100000;
  TestAgent agent(world_.base(), world_.parent());
  EXPECT_EQ(agent.Answer(), "recovered 0");
  ASSERT_EQ(agent.Do("prepare pod-a"), "OK");
  const std::string command =
      absl::StrCat("seq 1 ", kLines / 2, "; until [ -e /dev/shm/go ]; do sleep 0.01; done; seq ",
                   kLines / 2 + 1, " ", kLines, "; exit 42");
  const std::string started = agent.Do(StartLine("pod-a", command));
  ASSERT_TRUE(absl::StartsWith(started, "OK ")) << started;
  agent.Kill();

  // A second one adopts it and dies too, in the middle of the lines.
  {
    TestAgent second(world_.base(), world_.parent());
    EXPECT_EQ(second.Answer(), "recovered 1");
    ASSERT_EQ(second.Do("prepare pod-a"), "OK");
    const std::string again = second.Do(StartLine("pod-a", command));
    EXPECT_EQ(again, started) << "it was started again";
    ASSERT_EQ(second.Do("prepare pod-b"), "OK");
  }
  world_.StartAgent();
  ASSERT_EQ(world_.agent().recovered.size(), 2u);
  EXPECT_TRUE(world_.agent().recovered[0].alive);
  ASSERT_EQ(world_.agent().recovered[0].containers.size(), 1u);
  EXPECT_EQ(absl::StrCat("OK ", world_.agent().recovered[0].containers[0].pid, " "), started);
  ContainerSpec go = world_.Spec("pod-a", {"touch", "/dev/shm/go"});
  go.name = "signal";
  world_.Start(go);
  world_.StopAgent();

  // It ends while no agent is there; only the record tells.
  const std::string exit_file = world_.base() + "/state/pods/pod-a/containers/main/0/exit";
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (access(exit_file.c_str(), F_OK) != 0) {
    ASSERT_LT(absl::Now(), deadline) << "it did not end";
    sched_yield();
  }
  world_.StartAgent();
  const ContainerState state = world_.Await("pod-a");
  EXPECT_EQ(state.exit_code, 42);
  EXPECT_EQ(state.phase, ContainerPhase::kExited);
  std::istringstream lines(world_.Log("pod-a"));
  int expected = 0;
  for (std::string line; std::getline(lines, line);) {
    ASSERT_EQ(line, absl::StrCat(++expected)) << "a line is lost or doubled";
  }
  EXPECT_EQ(expected, kLines);
}

// An agent that ends between cluster-init's birth and its v1 groups leaves a pod that lives, and
// whose containers have nowhere to go.
TEST_F(Law5Test, Law5_APodWhoseGroupsWereHalfMadeIsCompleted) {
  world_.StartAgent();
  world_.Prepare("pod-a");
  const std::set<std::string> inits = world_.TakeCensus().processes;
  ASSERT_EQ(inits.size(), 1u);
  const std::string init = *inits.begin();
  std::vector<std::string> groups;
  for (const V1Hierarchy& hierarchy : world_.agent().cgroups->layout().v1) {
    const std::string parent = absl::StrCat(hierarchy.mount_point, world_.parent());
    if (access((parent + "/podpod-a").c_str(), F_OK) == 0) groups.push_back(parent);
  }
  world_.StopAgent();
  for (const std::string& parent : groups) {
    ASSERT_TRUE(WriteControlAt(AT_FDCWD, parent + "/cgroup.procs", init).ok());
    ASSERT_EQ(rmdir((parent + "/podpod-a").c_str()), 0) << parent;
  }
  ASSERT_EQ(unlink((world_.base() + "/run/pods/pod-a/ready").c_str()), 0);

  world_.StartAgent();
  world_.Prepare("pod-a");
  EXPECT_EQ(world_.Run("pod-a", {"sh", "-c", "exit 7"}).state.exit_code, 7);
  EXPECT_EQ(world_.TakeCensus().processes, inits) << "it was made a second time";
  const std::string entered = ReadFile(absl::StrCat("/proc/", init, "/cgroup")).value_or("");
  std::istringstream lines(entered);
  size_t inside = 0;
  for (std::string line; std::getline(lines, line);) {
    if (absl::StrContains(line, "/podpod-a") && !absl::StartsWith(line, "0:")) ++inside;
  }
  EXPECT_EQ(inside, groups.size()) << entered;
}

TEST_F(Law5Test, Law5_DeadClusterInitTakesItsContainersAlongAndTheyAreUnknown) {
  world_.StartAgent();
  world_.Prepare("pod-a");
  const ContainerState running = world_.StartIn("pod-a", {"sleep", "1000"});
  ContainerSpec ended = world_.Spec("pod-a", {"sh", "-c", "exit 3"});
  ended.name = "ended";
  world_.Start(ended);
  EXPECT_EQ(world_.Await("pod-a", "ended").exit_code, 3);
  const Census census = world_.TakeCensus();
  ASSERT_EQ(census.processes.size(), 1u);
  ASSERT_EQ(kill(std::stoi(*census.processes.begin()), SIGKILL), 0);

  const ContainerState lost = world_.Await("pod-a");
  EXPECT_EQ(lost.phase, ContainerPhase::kUnknown);
  // A zombie, until the machine's first process looks at it, has no command line.
  EXPECT_THAT(ReadFile(absl::StrCat("/proc/", running.pid, "/cmdline")).value_or(""),
              ::testing::IsEmpty())
      << "it lives on";
  EXPECT_EQ(world_.Await("pod-a", "ended").exit_code, 3) << "what was recorded stays known";

  // The pod can be made again; what ended stays ended.
  world_.Prepare("pod-a");
  EXPECT_EQ(world_.StartIn("pod-a", {"sleep", "1000"}).phase, ContainerPhase::kUnknown);
  ContainerSpec next = world_.Spec("pod-a", {"sh", "-c", "exit 5"});
  next.attempt = 1;
  world_.Start(next);
  EXPECT_EQ(world_.Await("pod-a").exit_code, 5);
}

TEST_F(Law5Test, Law5_NothingOfTheAgentReachesAContainer) {
  TestAgent agent(world_.base(), world_.parent());  // holds 50 inheritable descriptors
  EXPECT_EQ(agent.Answer(), "recovered 0");
  ASSERT_EQ(agent.Do("prepare pod-a"), "OK");
  ASSERT_TRUE(absl::StartsWith(agent.Do(StartLine("pod-a", "ls -1 /proc/1/fd; true")), "OK "));
  agent.Kill();
  world_.StartAgent();
  world_.Await("pod-a");
  EXPECT_EQ(world_.Log("pod-a"), "0\n1\n2\n");
}

}  // namespace
}  // namespace cluster::node
