// What the sampler says of processes that do a known amount of work, in groups of the test's own.
#include "node/stats/sampler.h"

#include <linux/if_packet.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <functional>
#include <future>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/netlink.h"
#include "base/netlink_route.h"
#include "base/status.h"
#include "node/network/lease.h"

namespace cluster::node {
namespace {

using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(20);

// A child in the group that does its work, says so, and waits to be killed.
class Worker {
 public:
  Worker(const CgroupGroup& group, const std::function<void()>& work) {
    const UniqueFd begin(::eventfd(0, EFD_CLOEXEC));
    const UniqueFd done(::eventfd(0, EFD_CLOEXEC));
    uint64_t count = 1;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::read(begin.get(), &count, sizeof count) < 0) ::_exit(1);
      work();
      if (::write(done.get(), &count, sizeof count) < 0) ::_exit(1);
      for (;;) ::pause();
    }
    EXPECT_EQ(group.Enter(pid_), absl::OkStatus());
    EXPECT_EQ(::write(begin.get(), &count, sizeof count), static_cast<ssize_t>(sizeof count));
    EXPECT_EQ(::read(done.get(), &count, sizeof count), static_cast<ssize_t>(sizeof count));
  }
  ~Worker() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
};

void UseCpu(int64_t nanoseconds) {
  timespec used;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  const int64_t enough = used.tv_sec * 1'000'000'000 + used.tv_nsec + nanoseconds;
  do {
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  } while (used.tv_sec * 1'000'000'000 + used.tv_nsec < enough);
}

void UseMemory(size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) ::_exit(1);
}

class SamplerTest : public ::testing::Test {
 protected:
  SamplerTest()
      : cgroups_(
            CgroupTree::Open(DiscoverCgroups().value(), absl::StrCat("/cluster-stats-", ::getpid()))
                .value()) {}
  ~SamplerTest() override {
    const auto pods = cgroups_->List();
    for (const FoundPod& pod : *pods) {
      EXPECT_EQ(cgroups_->FindPod(pod.uid)->Kill(), absl::OkStatus());
      EXPECT_EQ(cgroups_->FindPod(pod.uid)->AwaitEmpty(kPatience), absl::OkStatus());
      EXPECT_EQ(cgroups_->RemovePod(pod.uid), absl::OkStatus());
    }
    EXPECT_EQ(cgroups_->RemoveParent(), absl::OkStatus());
  }
  SamplerParts Parts(const Clock* clock) {
    SamplerParts parts;
    parts.cgroups = cgroups_.get();
    parts.clock = clock;
    parts.node = "node1";
    return parts;
  }
  CgroupGroup Container(const CgroupLimits& limits = {}) {
    EXPECT_EQ(cgroups_->MakePod("u1", {}).status(), absl::OkStatus());
    return cgroups_->MakeLeaf("u1", "web-0", limits).value();
  }
  const std::vector<SampledPod> pods_ = {{"u1", "default", "web", {{"web", 0}}}};
  std::unique_ptr<CgroupTree> cgroups_;
};

TEST_F(SamplerTest, CountsWhatAContainerUsesAndGivesItToItsPodToo) {
  FakeClock clock;
  clock.Advance(absl::Hours(1));
  Sampler sampler(Parts(&clock));
  CgroupLimits limits;
  limits.memory_limit = 64 << 20;
  const CgroupGroup group = Container(limits);
  sampler.Look(pods_);
  const Worker worker(group, [] {
    UseMemory(16 << 20);
    UseCpu(100'000'000);
  });
  clock.Advance(absl::Seconds(1));
  const v1::NodeStats stats = sampler.Look(pods_);
  ASSERT_EQ(stats.pods_size(), 1);
  const v1::PodStats& pod = stats.pods(0);
  ASSERT_EQ(pod.containers_size(), 1);
  for (const v1::ResourceStats* used :
       {&pod.resources(), &pod.containers(0).resources(), &stats.pods_total()}) {
    EXPECT_GE(used->cpu_nanoseconds(), 100'000'000);
    EXPECT_GE(used->cpu_milli(), 100) << "of the second that the clock went on";
    EXPECT_LT(used->cpu_milli(), 1000);
    EXPECT_GE(used->memory_working_set_bytes(), 16 << 20);
    EXPECT_GE(used->memory_rss_bytes(), 16 << 20);
    EXPECT_EQ(used->pids(), 1);
    EXPECT_EQ(used->oom_kills(), 0);
  }
  EXPECT_EQ(pod.containers(0).resources().memory_limit_bytes(), 64 << 20);
  EXPECT_EQ(pod.resources().memory_limit_bytes(), 0);
  EXPECT_GT(stats.machine().memory_working_set_bytes(), 16 << 20);
  EXPECT_GT(stats.machine().cpu_nanoseconds(), 100'000'000);
}

TEST_F(SamplerTest, ShowsThrottling) {
  FakeClock clock;
  Sampler sampler(Parts(&clock));
  CgroupLimits limits;
  limits.cpu_limit_milli = 100;
  const CgroupGroup group = Container(limits);
  const Worker worker(group, [] { UseCpu(50'000'000); });
  const v1::NodeStats stats = sampler.Look(pods_);
  const v1::ResourceStats& used = stats.pods(0).containers(0).resources();
  EXPECT_GE(used.cpu_periods(), used.throttled_periods());
  EXPECT_GE(used.throttled_periods(), 1);
  EXPECT_GT(used.throttled_nanoseconds(), 0);
}

TEST_F(SamplerTest, AGroupThatGoesAndComesAgainIsCountedAnew) {
  FakeClock clock;
  clock.Advance(absl::Hours(1));
  Sampler sampler(Parts(&clock));
  EXPECT_THAT(sampler.Look(pods_).pods(), IsEmpty()) << "it was not made yet";
  {
    const CgroupGroup group = Container();
    const Worker worker(group, [] { UseCpu(20'000'000); });
    clock.Advance(absl::Seconds(1));
    EXPECT_GE(sampler.Look(pods_).pods(0).resources().cpu_milli(), 20)
        << "used since the look before, when it was not there";
  }
  ASSERT_EQ(cgroups_->RemovePod("u1"), absl::OkStatus());
  clock.Advance(absl::Seconds(1));
  EXPECT_THAT(sampler.Look(pods_).pods(), IsEmpty());
  Container();
  clock.Advance(absl::Seconds(1));
  const v1::NodeStats stats = sampler.Look(pods_);
  ASSERT_EQ(stats.pods_size(), 1);
  EXPECT_EQ(stats.pods(0).resources().cpu_milli(), 0);
}

TEST_F(SamplerTest, AFirstQuestionIsAnsweredWithAMeanOverAQuarterOfASecond) {
  Sampler sampler(Parts(RealClock()));
  const CgroupGroup group = Container();
  const Worker worker(group, [] { UseCpu(1'000'000); });
  std::promise<v1::NodeStats> first;
  std::promise<v1::NodeStats> second;
  const auto pods = [this] { return pods_; };
  const absl::Duration begin = RealClock()->Monotonic();
  sampler.Ask(pods, [&](v1::NodeStats stats) { first.set_value(std::move(stats)); });
  sampler.Ask(pods, [&](v1::NodeStats stats) { second.set_value(std::move(stats)); });
  const v1::NodeStats stats = first.get_future().get();
  EXPECT_GE(RealClock()->Monotonic() - begin, Sampler::kShortestWindow);
  ASSERT_EQ(stats.pods_size(), 1);
  EXPECT_EQ(stats.pods(0).name(), "web");
  EXPECT_EQ(second.get_future().get().SerializeAsString(), stats.SerializeAsString())
      << "who asks meanwhile gets the same";
}

// Raw frames of 100 bytes out of a link of this namespace.
absl::Status SendFrames(const netlink::Link& link, int count) {
  const UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!socket) return ErrnoStatus("socket");
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = link.index;
  const std::string frame(100, '\x01');
  for (int i = 0; i < count; ++i) {
    if (::sendto(socket.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to),
                 sizeof to) < 0) {
      return ErrnoStatus("send on", link.name);
    }
  }
  return absl::OkStatus();
}

// In a namespace of the test's own, with nothing beyond.
TEST_F(SamplerTest, TellsWhatAPodSentAndReceivedByTheOtherEndOfItsLink) {
  const UniqueFd netns = netlink::CreateNetns().value();
  Container();
  FakeClock clock;
  Sampler sampler(Parts(&clock));
  v1::NodeStats stats;
  const auto inside = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(netlink::Socket socket, netlink::Socket::Open());
    netlink::Veth veth;
    veth.name = PodLinkName("u1");
    veth.peer_name = "pod-end";
    RETURN_IF_ERROR(socket.Execute(netlink::CreateVeth(veth)));
    netlink::LinkChange up;
    up.up = true;
    RETURN_IF_ERROR(socket.Execute(netlink::ChangeLink("pod-end", up)));
    ASSIGN_OR_RETURN(const netlink::Link pod_end, netlink::FindLink(socket, "pod-end"));
    ASSIGN_OR_RETURN(const netlink::Link node_end, netlink::FindLink(socket, veth.name));
    RETURN_IF_ERROR(SendFrames(pod_end, 30));
    RETURN_IF_ERROR(SendFrames(node_end, 20));
    stats = sampler.Look(pods_);
    return absl::OkStatus();
  };
  ASSERT_EQ(netlink::RunInNetns(netns.get(), inside), absl::OkStatus());
  ASSERT_EQ(stats.pods_size(), 1);
  const v1::NetworkStats& network = stats.pods(0).network();
  EXPECT_GE(network.sent_packets(), 30);
  EXPECT_GE(network.sent_bytes(), 3000);
  EXPECT_GE(network.received_packets(), 20);
  EXPECT_GE(network.received_bytes(), 2000);
  EXPECT_LT(network.received_packets(), 30) << "directions are not mixed up";
}

}  // namespace
}  // namespace cluster::node
