// What is left, as the kernel tells it, in groups of the test's own; and the evictor on it.
#include "node/eviction/node_gauge.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/eviction/evictor.h"
#include "node/eviction/memory_alarm.h"

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr int64_t kMi = 1 << 20;

class NodeGaugeTest : public ::testing::Test {
 protected:
  NodeGaugeTest()
      : cgroups_(CgroupTree::Open(DiscoverCgroups().value(),
                                  absl::StrCat("/cluster-eviction-", ::getpid()))
                     .value()) {}
  ~NodeGaugeTest() override {
    const auto pods = cgroups_->List();
    for (const FoundPod& pod : *pods) Remove(pod.uid);
    EXPECT_EQ(cgroups_->RemoveParent(), absl::OkStatus());
  }
  void Remove(const std::string& uid) {
    const auto group = cgroups_->FindPod(uid);
    EXPECT_EQ(group->Kill(), absl::OkStatus());
    EXPECT_EQ(group->AwaitEmpty(kPatience), absl::OkStatus());
    EXPECT_EQ(cgroups_->RemovePod(uid), absl::OkStatus());
  }
  // A pod whose only process holds so much memory.
  void Pod(const std::string& uid, int64_t bytes) {
    ASSERT_EQ(cgroups_->MakePod(uid, {}).status(), absl::OkStatus());
    const CgroupGroup leaf = cgroups_->MakeLeaf(uid, "main-0", {}).value();
    const UniqueFd begin(::eventfd(0, EFD_CLOEXEC));
    const UniqueFd done(::eventfd(0, EFD_CLOEXEC));
    uint64_t count = 1;
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::read(begin.get(), &count, sizeof count) < 0) ::_exit(1);
      ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
      if (::write(done.get(), &count, sizeof count) < 0) ::_exit(1);
      for (;;) ::pause();
    }
    ::signal(SIGCHLD, SIG_IGN);  // nobody waits for it
    ASSERT_EQ(leaf.Enter(pid), absl::OkStatus());
    ASSERT_GT(::write(begin.get(), &count, sizeof count), 0);
    ASSERT_GT(::read(done.get(), &count, sizeof count), 0);
  }
  std::unique_ptr<CgroupTree> cgroups_;
};

TEST_F(NodeGaugeTest, ReadsTheMachineAndTheDisk) {
  const NodeNumbers numbers = ReadNodeNumbers(*cgroups_, "/").value();
  EXPECT_GT(numbers.memory_total, 0);
  EXPECT_GT(numbers.memory_available, 0);
  EXPECT_LE(numbers.memory_available, numbers.memory_total);
  EXPECT_GT(numbers.pids_available, 0);
  EXPECT_LT(numbers.pids_available, numbers.pids_total);
  EXPECT_GE(numbers.disk_total, numbers.disk_available);
  EXPECT_EQ(ReadNodeNumbers(*cgroups_, "/no/such/directory").status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(NodeGaugeTest, ALimitOfAllPodsIsWhatCanRunOut) {
  CgroupLimits limits;
  limits.memory_limit = 128 * kMi;
  ASSERT_EQ(cgroups_->LimitWhole(limits), absl::OkStatus());
  Pod("a", 32 * kMi);
  const NodeNumbers numbers = ReadNodeNumbers(*cgroups_, "/").value();
  EXPECT_EQ(numbers.memory_total, 128 * kMi);
  EXPECT_LE(numbers.memory_available, 96 * kMi);
  EXPECT_GT(numbers.memory_available, 64 * kMi);
}

TEST_F(NodeGaugeTest, TheBiggestPodGoesBeforeTheKernelHasToChoose) {
  CgroupLimits limits;
  limits.memory_limit = 192 * kMi;
  ASSERT_EQ(cgroups_->LimitWhole(limits), absl::OkStatus());
  Pod("small", 16 * kMi);
  Pod("big", 96 * kMi);
  std::vector<std::string> evicted;
  std::string message;
  EvictorOptions options;
  options.thresholds = ParseThresholds("memory.available<100Mi").value();
  EvictorParts parts;
  parts.clock = RealClock();
  parts.numbers = [this] { return ReadNodeNumbers(*cgroups_, "/"); };
  parts.candidates = [this](Shortage) {
    std::vector<Candidate> candidates;
    const auto pods = cgroups_->List();
    for (const FoundPod& pod : *pods) {
      Candidate candidate;
      candidate.uid = pod.uid;
      candidate.memory = cgroups_->FindPod(pod.uid)->Usage()->memory_working_set_bytes;
      candidates.push_back(candidate);
    }
    return candidates;
  };
  parts.is_running = [this](const std::string& uid) { return cgroups_->FindPod(uid).ok(); };
  parts.evict = [&](const std::string& uid, const std::string& why, absl::Duration) {
    evicted.push_back(uid);
    message = why;
    Remove(uid);
  };
  Evictor evictor(options, std::move(parts));
  evictor.Look();
  EXPECT_THAT(evicted, ElementsAre("big"));
  EXPECT_THAT(message, HasSubstr("memory. Threshold quantity: 100Mi"));
  evictor.Look();
  EXPECT_THAT(evicted, ElementsAre("big")) << "now there is enough";
}

TEST(MemoryAlarmTest, CanBeSetAndTakenOff) {
  if (::access("/proc/pressure/memory", W_OK) != 0) {
    GTEST_SKIP() << "this kernel does not account for pressure";
  }
  const auto alarm = MemoryAlarm::Set([] {});
  EXPECT_EQ(alarm.status(), absl::OkStatus());
}

}  // namespace
}  // namespace cluster::node
