// Law 6: what is made is recorded before, and swept when its owner is gone.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/runtime_world.h"
#include "tests/root/node/runtime/test_agent.h"

namespace cluster::node {
namespace {

// Network namespaces of the machine are counted through lsns' own source: the links of
// /proc/*/ns/net.
size_t CountNetworkNamespaces(const std::string& parent) {
  std::set<std::string> namespaces;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::error_code error;
    const std::string cgroup = ReadFile(entry.path().string() + "/cgroup").value_or("");
    if (cgroup.find(parent) == std::string::npos) continue;
    const auto link = std::filesystem::read_symlink(entry.path() / "ns/net", error);
    if (!error) namespaces.insert(link.string());
  }
  return namespaces.size();
}

int Rounds() {
  const char* asked = getenv("CLUSTER_LAW6_ROUNDS");
  return asked == nullptr ? 300 : std::stoi(asked);
}

// Every round makes a pod and takes it away; in two of three the agent dies at a random moment of
// that, and a new one finishes what it finds.
TEST(Law6Test, Law6_CreateAndDeleteWithDyingAgentsLeavesTheMachineAsItWas) {
  signal(SIGPIPE, SIG_IGN);
  RuntimeWorld world;
  const Census before = world.TakeCensus();
  ASSERT_EQ(CountNetworkNamespaces(world.parent()), 0u);
  world.StopAgent();
  const unsigned seed = static_cast<unsigned>(getpid());
  std::mt19937 random(seed);
  auto agent = std::make_unique<TestAgent>(world.base(), world.parent());
  agent->Answer();
  int cut = 0;
  for (int round = 0; round < Rounds(); ++round) {
    const std::string uid = absl::StrCat("pod-", round);
    agent->Tell("prepare " + uid);
    agent->Tell(absl::StrCat("start ", uid, " main 0 ", world.layer(),
                             round % 2 == 0 ? " sleep 1000" : " touch /x"));
    agent->Tell("remove " + uid);
    if (random() % 3 == 0) {
      EXPECT_EQ(agent->Answer(), "OK");
      EXPECT_EQ(agent->Answer().substr(0, 3), "OK ");
      EXPECT_EQ(agent->Answer(), "OK");
      continue;
    }
    // Somewhere in the 30 ms that the three verbs take, or after them.
    const timespec delay{0, static_cast<long>(random() % 30'000'000)};
    nanosleep(&delay, nullptr);
    agent->Kill();
    ++cut;
    agent = std::make_unique<TestAgent>(world.base(), world.parent());
    const std::string recovered = agent->Answer();
    ASSERT_EQ(recovered.substr(0, 10), "recovered ") << "seed " << seed << " round " << round;
    // As the pod worker would: what it does not want any more is removed.
    if (recovered == "recovered 0") continue;
    // As the pod worker would: half of them are still wanted, and finished first.
    if (round % 2 == 0) {
      EXPECT_EQ(agent->Do("prepare " + uid), "OK") << "seed " << seed << " round " << round;
      const std::string started =
          agent->Do(absl::StrCat("start ", uid, " main 1 ", world.layer(), " sleep 1000"));
      EXPECT_TRUE(started.substr(0, 3) == "OK " || absl::StrContains(started, "earlier instance"))
          << "seed " << seed << " round " << round << ": " << started;
    }
    EXPECT_EQ(agent->Do("remove " + uid), "OK") << "seed " << seed << " round " << round;
  }
  EXPECT_GT(cut, 0);
  agent->Kill();
  agent.reset();
  world.StartAgent();
  EXPECT_TRUE(world.agent().recovered.empty());
  world.AwaitQuiet();
  EXPECT_EQ(Describe(world.TakeCensus()), Describe(before)) << "seed " << seed;
  EXPECT_EQ(CountNetworkNamespaces(world.parent()), 0u);
}

TEST(Law6Test, Law6_WhatNoRecordSpeaksOfIsSwept) {
  RuntimeWorld world;
  const Census before = world.TakeCensus();
  world.Prepare("pod-a");
  world.StartIn("pod-a", {"sleep", "1000"});
  // The record is lost, all else is there: nobody's pod.
  ASSERT_EQ(unlink((world.base() + "/state/pods/pod-a/sandbox").c_str()), 0);
  ASSERT_TRUE(world.agent().cgroups->MakePod("pod-stray", {}).ok());
  ASSERT_TRUE(world.agent().cgroups->MakeLeaf("pod-stray", "main-0", {}).ok());
  world.StartAgent();
  EXPECT_TRUE(world.agent().recovered.empty());
  world.AwaitQuiet();
  EXPECT_EQ(Describe(world.TakeCensus()), Describe(before));
}

TEST(Law6Test, Law6_RemovesTreesThatAContainerMadeToBeUnremovable) {
  RuntimeWorld world;
  // Nested from the inside out, so that no path is long; a name that the removal itself would use.
  const auto outcome = world.Run(
      "pod-a", {"sh", "-c",
                "mkdir cur; ln -s / cur/loop; i=0; while [ $i -lt 200 ]; do mkdir new;"
                " touch new/.removed-0; mv cur new/; mv new cur; i=$((i+1)); done; echo deep"});
  EXPECT_EQ(outcome.log, "deep\n");
  EXPECT_TRUE(world.runtime().Remove("pod-a").ok());
  EXPECT_NE(access((world.base() + "/state/pods/pod-a").c_str(), F_OK), 0);
  EXPECT_EQ(access("/etc/passwd", F_OK), 0);
}

}  // namespace
}  // namespace cluster::node
