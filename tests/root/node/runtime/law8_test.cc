// Law 8: what exists once ends with the node's lease, whether or not an agent runs.
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

int64_t BoottimeNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

class Law8Test : public ::testing::Test {
 protected:
  // As node/session/lease_file.h describes it.
  void LeaseUntil(int64_t end_ns) {
    const int fd = open(path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    const int64_t content[2] = {end_ns, ~end_ns};
    EXPECT_EQ(pwrite(fd, content, sizeof content, 0), static_cast<ssize_t>(sizeof content));
    close(fd);
  }
  void LeaseFor(int64_t seconds) { LeaseUntil(BoottimeNanoseconds() + seconds * 1'000'000'000LL); }
  std::string path() const { return absl::StrCat(world_.base(), "/lease"); }
  SandboxSpec Leased(const std::string& uid) const {
    SandboxSpec sandbox = world_.Sandbox(uid);
    sandbox.lease_file = path();
    return sandbox;
  }

  RuntimeWorld world_;
};

TEST_F(Law8Test, Law8_EndsWithTheLeaseThoughNoAgentRuns) {
  LeaseFor(3);
  const int64_t end = BoottimeNanoseconds() + 2'000'000'000LL;
  world_.Prepare(Leased("pod-a"));
  world_.Start(world_.Spec("pod-a", {"sleep", "100000"}));
  world_.Prepare("pod-b");
  world_.Start(world_.Spec("pod-b", {"sleep", "100000"}));
  world_.StopAgent();
  // Nobody but its cluster-init is left to end it; the record of the end tells that it did.
  const std::string exit_file = world_.base() + "/state/pods/pod-a/containers/main/0/exit";
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (access(exit_file.c_str(), F_OK) != 0) {
    ASSERT_LT(absl::Now(), deadline) << "it did not end";
    sched_yield();
  }
  EXPECT_GE(BoottimeNanoseconds(), end) << "it ended before its time";
  world_.StartAgent();
  const ContainerState state = world_.Await("pod-a");
  EXPECT_EQ(state.exit_code, 137);
  LeaseFor(3600);
  ContainerSpec again = world_.Spec("pod-a", {"sleep", "100000"});
  again.attempt = 1;
  EXPECT_FALSE(world_.runtime().StartContainer(again).ok()) << "the name may be another's by now";
  for (const RecoveredPod& pod : world_.agent().recovered) {
    if (pod.spec.uid != "pod-b") continue;
    ASSERT_EQ(pod.containers.size(), 1u);
    EXPECT_EQ(pod.containers[0].phase, ContainerPhase::kRunning) << "it needs no lease";
  }
}

TEST_F(Law8Test, Law8_RunsToItsOwnEndWhileTheLeaseGoesOn) {
  LeaseFor(3600);
  const auto outcome = world_.RunIn(Leased("pod-a"), world_.Spec("pod-a", {"echo", "hello"}));
  EXPECT_EQ(outcome.state.exit_code, 0);
  EXPECT_EQ(outcome.log, "hello\n");
}

TEST_F(Law8Test, Law8_NothingStartsWithoutALease) {
  LeaseUntil(1);
  world_.Prepare(Leased("pod-a"));
  const auto started = world_.runtime().StartContainer(world_.Spec("pod-a", {"sleep", "1"}));
  EXPECT_FALSE(started.ok());
  LeaseFor(3600);
  EXPECT_EQ(world_.Start(world_.Spec("pod-a", {"sleep", "100000"})).phase,
            ContainerPhase::kRunning);
}

}  // namespace
}  // namespace cluster::node
