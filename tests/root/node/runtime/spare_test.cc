// Pods to be: made before anybody asks for them, taken by the next pod, gone with the agent.
#include <signal.h>

#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr absl::Duration kDeadline = absl::Seconds(20);

class SpareTest : public ::testing::Test {
 protected:
  // Addresses of spares, once there are as many as there should be.
  std::vector<std::string> AwaitSpares(size_t count = 2) {
    const absl::Time deadline = absl::Now() + kDeadline;
    for (;;) {
      std::vector<std::string> addresses;
      for (const Record& record : world_.agent().journal->All(RecordKind::kAddressLease)) {
        if (absl::StartsWith(record.key, "spare-")) addresses.push_back(record.value);
      }
      if (addresses.size() == count || absl::Now() > deadline) return addresses;
      std::this_thread::yield();
    }
  }

  // Children of the template that this process has started.
  static std::vector<int> Moulds() {
    std::vector<int> pids;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string base = entry.path().string();
      if (ReadFile(base + "/comm").value_or("") != "cluster-mould\n") continue;
      const std::string status = ReadFile(base + "/status").value_or("");
      const size_t at = status.find("PPid:\t");
      if (at == std::string::npos) continue;
      const int parent = std::atoi(status.c_str() + at + 6);
      if (ReadFile(absl::StrCat("/proc/", parent, "/comm")).value_or("") != "cluster-mould\n") {
        continue;
      }
      const std::string grandparent =
          ReadFile(absl::StrCat("/proc/", parent, "/stat")).value_or("");
      if (absl::StrContains(grandparent, absl::StrCat(" ", getpid(), " "))) {
        pids.push_back(std::atoi(entry.path().filename().c_str()));
      }
    }
    return pids;
  }

  RuntimeWorld world_;
};

TEST_F(SpareTest, IsTakenByTheNextPodAndReplaced) {
  ASSERT_EQ(world_.Run("pod-a", {"true"}).state.exit_code, 0);
  const std::vector<std::string> spares = AwaitSpares();
  ASSERT_THAT(spares, SizeIs(2));
  const SandboxState sandbox = world_.Prepare("pod-b");
  EXPECT_THAT(spares, Contains(sandbox.ip));
  const auto outcome = world_.Run("pod-b", {"sh", "-c", "hostname; ip -4 -o addr show eth0"});
  EXPECT_THAT(outcome.log, HasSubstr(sandbox.ip)) << outcome.state.message;
  EXPECT_THAT(AwaitSpares(), SizeIs(2));
}

TEST_F(SpareTest, GoesWithItsAgent) {
  const Census before = world_.TakeCensus();
  ASSERT_EQ(world_.Run("pod-a", {"true"}).state.exit_code, 0);
  ASSERT_THAT(AwaitSpares(), SizeIs(2));
  EXPECT_THAT(Moulds(), SizeIs(2));
  world_.StopAgent();
  EXPECT_THAT(Moulds(), IsEmpty());
  world_.StartAgent();
  ASSERT_TRUE(world_.runtime().Remove("pod-a").ok());
  world_.AwaitQuiet();
  EXPECT_EQ(Describe(world_.TakeCensus()), Describe(before));
}

TEST_F(SpareTest, OneThatDiedKeepsNoPodFromStarting) {
  ASSERT_EQ(world_.Run("pod-a", {"true"}).state.exit_code, 0);
  ASSERT_THAT(AwaitSpares(), SizeIs(2));
  const std::vector<int> moulds = Moulds();
  ASSERT_THAT(moulds, Not(IsEmpty()));
  for (const int pid : moulds) kill(pid, SIGKILL);
  const auto outcome = world_.Run("pod-b", {"sh", "-c", "ip -4 -o addr show eth0"});
  EXPECT_EQ(outcome.state.exit_code, 0) << outcome.state.message;
  EXPECT_THAT(outcome.log, HasSubstr("10.64."));
}

}  // namespace
}  // namespace cluster::node
