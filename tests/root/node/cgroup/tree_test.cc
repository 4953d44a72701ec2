// The cgroup tree on the real hierarchies of this machine, below a parent of the test's own.
#include "node/cgroup/tree.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(20);

// A process in the group, entered as the runtime does it: born in the v2 group, then "0" to each v1
// tasks file. Exits with what `work` returns, 120 when it could not enter.
class Inmate {
 public:
  Inmate(const CgroupGroup& group, const std::function<int()>& work) {
    const std::vector<UniqueFd> tasks = group.OpenTasks().value();
    const UniqueFd entered(::eventfd(0, EFD_CLOEXEC));
    clone_args args{};
    int pidfd = -1;
    args.flags = CLONE_PIDFD | (group.unified_fd() >= 0 ? CLONE_INTO_CGROUP : 0);
    args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
    args.exit_signal = SIGCHLD;
    args.cgroup = static_cast<uint64_t>(group.unified_fd());
    pid_ = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (const UniqueFd& fd : tasks) {
        if (::write(fd.get(), "0", 1) != 1) ::_exit(120);
      }
      const uint64_t one = 1;
      if (::write(entered.get(), &one, sizeof one) != sizeof one) ::_exit(121);
      ::_exit(work());
    }
    EXPECT_GT(pid_, 0) << ErrnoStatus("clone3");
    pidfd_.reset(pidfd);
    // What a test does next is meant for a process that is inside.
    pollfd pollers[] = {{entered.get(), POLLIN, 0}, {pidfd, POLLIN, 0}};
    EXPECT_GT(::poll(pollers, 2, -1), 0);
  }
  ~Inmate() {
    if (reaped_) return;
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    ::waitpid(pid_, nullptr, 0);
  }
  // The wait status.
  int Wait() {
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    reaped_ = true;
    return status;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  bool reaped_ = false;
};

int SleepForEver() {
  for (;;) ::pause();
}

// What comes of making a node with these numbers and opening it: 0, or an errno.
int MakeAndOpen(mode_t kind, unsigned major, unsigned minor) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/device-", ::getpid());
  if (::mknod(path.c_str(), kind | 0600, ::makedev(major, minor)) != 0) return 1000 + errno;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const int error = fd ? 0 : errno;
  ::unlink(path.c_str());
  return error;
}
int OpenKmsg() { return MakeAndOpen(S_IFCHR, 1, 11); }
int OpenNull() { return MakeAndOpen(S_IFCHR, 1, 3); }

int ExitCode(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

class CgroupTreeTest : public ::testing::Test {
 protected:
  CgroupTreeTest() : layout_(DiscoverCgroups().value()), tree_(Open()) {}
  ~CgroupTreeTest() override {
    const auto pods = tree_->List();
    for (const FoundPod& pod : *pods) {
      const auto group = tree_->FindPod(pod.uid);
      EXPECT_EQ(group->Kill(), absl::OkStatus());
      EXPECT_EQ(tree_->RemovePod(pod.uid), absl::OkStatus());
    }
    EXPECT_EQ(tree_->RemoveParent(), absl::OkStatus());
    EXPECT_THAT(Directories(), IsEmpty());
  }

  std::unique_ptr<CgroupTree> Open() {
    auto tree = CgroupTree::Open(layout_, Parent());
    EXPECT_EQ(tree.status(), absl::OkStatus());
    return *std::move(tree);
  }
  static std::string Parent() { return absl::StrCat("/cluster-test-", ::getpid(), "/node"); }

  // Every directory of the test's own in any hierarchy.
  std::vector<std::string> Directories() const {
    std::vector<std::string> mounts;
    for (const V1Hierarchy& hierarchy : layout_.v1) mounts.push_back(hierarchy.mount_point);
    if (!layout_.v2_mount_point.empty()) mounts.push_back(layout_.v2_mount_point);
    std::vector<std::string> found;
    for (const std::string& mount : mounts) {
      const std::filesystem::path top = absl::StrCat(mount, "/cluster-test-", ::getpid());
      if (!std::filesystem::exists(top)) continue;
      found.push_back(top);
      for (const auto& entry : std::filesystem::recursive_directory_iterator(top)) {
        if (entry.is_directory()) found.push_back(entry.path());
      }
    }
    return found;
  }

  CgroupGroup Leaf(const CgroupLimits& limits) {
    EXPECT_EQ(tree_->MakePod("u1", {}).status(), absl::OkStatus());
    auto leaf = tree_->MakeLeaf("u1", "web-0", limits);
    EXPECT_EQ(leaf.status(), absl::OkStatus());
    return *std::move(leaf);
  }

  CgroupLayout layout_;
  std::unique_ptr<CgroupTree> tree_;
};

TEST_F(CgroupTreeTest, MemoryHogIsKilledAtItsLimitAndCounted) {
  CgroupLimits limits;
  limits.memory_limit = 16 << 20;
  const CgroupGroup leaf = Leaf(limits);
  EXPECT_EQ(leaf.OomKills().value(), 0);
  Inmate hog(leaf, [] {
    constexpr size_t kSize = 256 << 20;
    void* memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory == MAP_FAILED ? 1 : 0;
  });
  const int status = hog.Wait();
  ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_GE(leaf.OomKills().value(), 1);
}

TEST_F(CgroupTreeTest, PidsLimitStopsAForkBomb) {
  CgroupLimits limits;
  limits.pids_limit = 5;
  const CgroupGroup leaf = Leaf(limits);
  Inmate bomb(leaf, [] {
    for (int children = 0; children < 100; ++children) {
      const pid_t child = ::fork();
      if (child == 0) SleepForEver();
      if (child < 0) return errno == EAGAIN ? children : 110;
    }
    return 111;
  });
  const int status = bomb.Wait();
  EXPECT_EQ(WEXITSTATUS(status), 4) << "children before EAGAIN, the process itself being the fifth";
  ASSERT_EQ(leaf.Kill(), absl::OkStatus());
  EXPECT_EQ(leaf.AwaitEmpty(kPatience), absl::OkStatus());
}

TEST_F(CgroupTreeTest, CpuQuotaThrottlesAndUsageShowsIt) {
  CgroupLimits limits;
  limits.cpu_limit_milli = 200;
  const CgroupGroup leaf = Leaf(limits);
  Inmate busy(leaf, [] {
    // From here on: what it took to enter is not all the group's.
    timespec used;
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    const int64_t enough = used.tv_nsec + 80'000'000;
    do {
      ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    } while (used.tv_sec == 0 && used.tv_nsec < enough);
    return 0;
  });
  ASSERT_EQ(busy.Wait(), 0);
  const CgroupUsage usage = leaf.Usage().value();
  EXPECT_GE(usage.throttled_periods, 1);
  EXPECT_GT(usage.throttled_microseconds, 0);
  EXPECT_GE(usage.cpu_microseconds, 80'000);
}

TEST_F(CgroupTreeTest, UsageCountsMemoryAndProcessesOfThoseInside) {
  const CgroupGroup leaf = Leaf({});
  const UniqueFd ready(::eventfd(0, EFD_CLOEXEC));
  Inmate inmate(leaf, [&ready] {
    void* memory = ::mmap(nullptr, 8 << 20, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    const uint64_t one = 1;
    if (memory == MAP_FAILED || ::write(ready.get(), &one, sizeof one) != sizeof one) return 1;
    return SleepForEver();
  });
  uint64_t count = 0;
  ASSERT_EQ(::read(ready.get(), &count, sizeof count), static_cast<ssize_t>(sizeof count));
  const CgroupUsage usage = leaf.Usage().value();
  EXPECT_EQ(usage.processes, 1);
  EXPECT_GE(usage.memory_bytes, 8 << 20);
  EXPECT_GE(usage.memory_working_set_bytes, 8 << 20);
  EXPECT_THAT(leaf.Processes().value(), ElementsAre(inmate.pid()));
  EXPECT_TRUE(leaf.Populated().value());
}

TEST_F(CgroupTreeTest, KillEndsEveryProcessAndAwaitEmptySeesIt) {
  const CgroupGroup leaf = Leaf({});
  const UniqueFd ready(::eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE));
  Inmate inmate(leaf, [&ready] {
    const uint64_t one = 1;
    for (int i = 0; i < 9; ++i) {
      if (::fork() == 0) break;
    }
    ::signal(SIGTERM, SIG_IGN);
    if (::write(ready.get(), &one, sizeof one) != sizeof one) return 1;
    return SleepForEver();
  });
  uint64_t count = 0;
  for (int i = 0; i < 10; ++i) ASSERT_GT(::read(ready.get(), &count, sizeof count), 0);
  EXPECT_EQ(leaf.Processes().value().size(), 10u);
  EXPECT_EQ(leaf.AwaitEmpty(absl::ZeroDuration()).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(tree_->RemovePod("u1").code(), absl::StatusCode::kUnavailable);

  ASSERT_EQ(leaf.Kill(), absl::OkStatus());
  EXPECT_EQ(leaf.AwaitEmpty(kPatience), absl::OkStatus());
  EXPECT_EQ(WTERMSIG(inmate.Wait()), SIGKILL);
  EXPECT_EQ(tree_->RemovePod("u1"), absl::OkStatus());
  EXPECT_EQ(leaf.Kill(), absl::OkStatus()) << "of a group that is gone";
}

TEST_F(CgroupTreeTest, KillOfContainersSparesClusterInit) {
  const CgroupGroup leaf = Leaf({});
  const CgroupGroup init = tree_->MakeLeaf("u1", kInitLeaf, {}).value();
  Inmate container(leaf, SleepForEver);
  Inmate keeper(init, SleepForEver);
  ASSERT_EQ(leaf.Kill(), absl::OkStatus());
  EXPECT_EQ(WTERMSIG(container.Wait()), SIGKILL);
  EXPECT_TRUE(init.Populated().value());
}

TEST_F(CgroupTreeTest, EveryHierarchyHoldsTheProcessThatEntered) {
  const CgroupGroup leaf = Leaf({});
  Inmate inmate(leaf, SleepForEver);
  CgroupLimits limits;
  const CgroupGroup other = tree_->MakeLeaf("u1", "web-1", limits).value();
  ASSERT_EQ(other.Enter(inmate.pid()), absl::OkStatus());
  const std::string entered = ReadFile(absl::StrCat("/proc/", inmate.pid(), "/cgroup")).value();
  for (const char* controller : {"cpu", "memory", "pids"}) {
    if (layout_.V1Of(controller) == nullptr) continue;
    EXPECT_THAT(entered, HasSubstr(absl::StrCat(":", controller, ":", other.path(), "\n")));
  }
  if (!layout_.v2_mount_point.empty()) {
    EXPECT_THAT(entered, HasSubstr(absl::StrCat("0::", other.path(), "\n")));
  }
}

TEST_F(CgroupTreeTest, CpusetIsFilledFromTheParentWhenOneIsAskedFor) {
  CgroupLimits limits;
  limits.cpuset_cpus = "0";
  ASSERT_EQ(tree_->MakePod("u1", limits).status(), absl::OkStatus());
  const CgroupGroup leaf = tree_->MakeLeaf("u1", "web-0", {}).value();
  Inmate inmate(leaf, [] {
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return CPU_COUNT(&set) == 1 && CPU_ISSET(0, &set) ? 0 : 2;
  });
  EXPECT_EQ(inmate.Wait(), 0);
}

TEST_F(CgroupTreeTest, MakingTwiceAndAfterAReopenFindsTheSameGroup) {
  const CgroupGroup first = Leaf({});
  Inmate inmate(first, SleepForEver);
  tree_ = Open();
  EXPECT_EQ(Leaf({}).Processes().value(), first.Processes().value());
  const std::vector<FoundPod> pods = tree_->List().value();
  ASSERT_EQ(pods.size(), 1u);
  EXPECT_EQ(pods[0].uid, "u1");
  EXPECT_THAT(pods[0].leaves, ElementsAre("web-0"));
}

TEST_F(CgroupTreeTest, LimitsCanBeChangedUnderARunningProcess) {
  CgroupLimits limits;
  limits.memory_limit = 32 << 20;
  limits.cpu_limit_milli = 500;
  const CgroupGroup leaf = Leaf(limits);
  Inmate inmate(leaf, SleepForEver);
  for (const int64_t limit : {64 << 20, 16 << 20}) {
    limits.memory_limit = limit;
    EXPECT_EQ(Leaf(limits).path(), leaf.path());
  }
}

TEST_F(CgroupTreeTest, CpuLimitWithItsBurstCanBeLoweredAndRaised) {
  CgroupLimits limits;
  for (const int64_t milli : {1000, 100, 2000, 50}) {
    limits.cpu_limit_milli = milli;
    Leaf(limits);
    const bool v1 = layout_.V1Of("cpu") != nullptr;
    const std::string directory = absl::StrCat(
        v1 ? layout_.V1Of("cpu")->mount_point : layout_.v2_mount_point, Parent(), "/podu1/web-0/");
    const std::string quota = ReadFile(directory + (v1 ? "cpu.cfs_quota_us" : "cpu.max")).value();
    const std::string burst =
        ReadFile(directory + (v1 ? "cpu.cfs_burst_us" : "cpu.max.burst")).value();
    EXPECT_EQ(quota.substr(0, quota.find_first_of(" \n")), absl::StrCat(milli * 100));
    EXPECT_EQ(absl::StripAsciiWhitespace(burst), absl::StrCat(milli * 100));
  }
}

TEST_F(CgroupTreeTest, Row15DevicesBeyondTheListCannotBeOpenedWhateverTheCapabilities) {
  CgroupLimits limits;
  EXPECT_EQ(ExitCode(Inmate(Leaf(limits), OpenKmsg).Wait()), 0) << "the control";
  limits.devices = DefaultDevices();
  const CgroupGroup leaf = Leaf(limits);
  EXPECT_EQ(ExitCode(Inmate(leaf, OpenKmsg).Wait()), EPERM);
  EXPECT_EQ(ExitCode(Inmate(leaf, OpenNull).Wait()), 0);
  // The same again, as after an agent's restart, and then other rules: each replaces the last.
  tree_ = Open();
  EXPECT_EQ(ExitCode(Inmate(Leaf(limits), OpenKmsg).Wait()), EPERM);
  limits.devices->push_back({true, DeviceKind::kChar, 1, 11, true, true, true});
  EXPECT_EQ(ExitCode(Inmate(Leaf(limits), OpenKmsg).Wait()), 0);
  limits.devices = DefaultDevices();
  EXPECT_EQ(ExitCode(Inmate(Leaf(limits), OpenKmsg).Wait()), EPERM);
  limits.devices = AllDevices();
  EXPECT_EQ(ExitCode(Inmate(Leaf(limits), OpenKmsg).Wait()), 0);
}

TEST_F(CgroupTreeTest, LimitOfTheWholeHoldsForEveryPodTogether) {
  CgroupLimits limits;
  limits.memory_limit = 16 << 20;
  ASSERT_EQ(tree_->LimitWhole(limits), absl::OkStatus());
  const CgroupGroup leaf = Leaf({});
  Inmate hog(leaf, [] {
    void* memory = ::mmap(nullptr, 256 << 20, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory == MAP_FAILED ? 1 : 0;
  });
  const int status = hog.Wait();
  ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
  EXPECT_GE(leaf.OomKills().value(), 1) << "counted where the process was";
}

TEST_F(CgroupTreeTest, SweepFindsAndRemovesWhatALostAgentLeft) {
  for (const char* uid : {"a", "b", "c"}) {
    ASSERT_EQ(tree_->MakePod(uid, {}).status(), absl::OkStatus());
    ASSERT_EQ(tree_->MakeLeaf(uid, "x-0", {}).status(), absl::OkStatus());
  }
  tree_ = Open();
  EXPECT_EQ(tree_->List().value().size(), 3u);
  const std::vector<FoundPod> pods = tree_->List().value();
  for (const FoundPod& pod : pods) {
    EXPECT_EQ(tree_->RemovePod(pod.uid), absl::OkStatus());
    EXPECT_EQ(tree_->RemovePod(pod.uid), absl::OkStatus()) << "a second time";
  }
  EXPECT_THAT(tree_->List().value(), IsEmpty());
}

TEST_F(CgroupTreeTest, TwoHundredRoundsLeaveOnlyTheParent) {
  const size_t before = Directories().size();
  for (int round = 0; round < 200; ++round) {
    const std::string uid = absl::StrCat("round-", round);
    ASSERT_EQ(tree_->MakePod(uid, {}).status(), absl::OkStatus());
    ASSERT_EQ(tree_->MakeLeaf(uid, "x-0", {}).status(), absl::OkStatus());
    ASSERT_EQ(tree_->RemovePod(uid), absl::OkStatus());
  }
  EXPECT_EQ(Directories().size(), before);
}

// A machine with v1 alone, as far as this one can pass for it.
class V1OnlyTest : public CgroupTreeTest {
 protected:
  V1OnlyTest() {
    if (layout_.v1.empty()) return;
    CgroupLayout layout = layout_;
    layout.v2_mount_point.clear();
    layout.v2_controllers.clear();
    v1_ = CgroupTree::Open(layout, Parent() + "-v1").value();
  }
  void SetUp() override {
    if (v1_ == nullptr) GTEST_SKIP() << "this machine has no v1 hierarchy";
  }
  ~V1OnlyTest() override {
    if (v1_ == nullptr) return;
    EXPECT_EQ(v1_->RemovePod("u1"), absl::OkStatus());
    EXPECT_EQ(v1_->RemoveParent(), absl::OkStatus());
  }
  CgroupGroup V1Leaf() {
    EXPECT_EQ(v1_->MakePod("u1", {}).status(), absl::OkStatus());
    return v1_->MakeLeaf("u1", "web-0", {}).value();
  }
  std::unique_ptr<CgroupTree> v1_;
};

TEST_F(V1OnlyTest, KillFindsEveryProcessOneByOne) {
  const CgroupGroup leaf = V1Leaf();
  EXPECT_EQ(leaf.unified_fd(), -1);
  const UniqueFd ready(::eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE));
  Inmate inmate(leaf, [&ready] {
    const uint64_t one = 1;
    for (int i = 0; i < 4 && ::fork() != 0; ++i) {
    }
    if (::write(ready.get(), &one, sizeof one) != sizeof one) return 1;
    return SleepForEver();
  });
  uint64_t count = 0;
  for (int i = 0; i < 5; ++i) ASSERT_GT(::read(ready.get(), &count, sizeof count), 0);
  EXPECT_TRUE(leaf.Populated().value());
  EXPECT_EQ(leaf.Processes().value().size(), 5u);
  EXPECT_EQ(leaf.AwaitEmpty(absl::Milliseconds(1)).code(), absl::StatusCode::kUnavailable);
  std::thread reaper([&inmate] { EXPECT_EQ(WTERMSIG(inmate.Wait()), SIGKILL); });
  EXPECT_EQ(leaf.Kill(), absl::OkStatus());
  EXPECT_EQ(leaf.AwaitEmpty(kPatience), absl::OkStatus());
  reaper.join();
}

TEST_F(V1OnlyTest, FrozenProcessesDieToo) {
  const CgroupGroup leaf = V1Leaf();
  Inmate inmate(leaf, SleepForEver);
  const V1Hierarchy* freezer = layout_.V1Of("freezer");
  ASSERT_NE(freezer, nullptr);
  ASSERT_EQ(
      WriteControlAt(AT_FDCWD, absl::StrCat(freezer->mount_point, leaf.path(), "/freezer.state"),
                     "FROZEN"),
      absl::OkStatus());
  std::thread reaper([&inmate] { EXPECT_EQ(WTERMSIG(inmate.Wait()), SIGKILL); });
  EXPECT_EQ(leaf.Kill(), absl::OkStatus());
  EXPECT_EQ(leaf.AwaitEmpty(kPatience), absl::OkStatus());
  reaper.join();
}

TEST_F(V1OnlyTest, Row15DeviceFilesOfV1DenyWhatIsNotListed) {
  EXPECT_EQ(ExitCode(Inmate(V1Leaf(), OpenKmsg).Wait()), 0) << "the control";
  CgroupLimits limits;
  limits.devices = DefaultDevices();
  const CgroupGroup leaf = v1_->MakeLeaf("u1", "web-0", limits).value();
  EXPECT_EQ(ExitCode(Inmate(leaf, OpenKmsg).Wait()), EPERM);
  EXPECT_EQ(ExitCode(Inmate(leaf, OpenNull).Wait()), 0);
  limits.devices = AllDevices();
  EXPECT_EQ(ExitCode(Inmate(v1_->MakeLeaf("u1", "web-0", limits).value(), OpenKmsg).Wait()), 0);
}

TEST_F(CgroupTreeTest, NamesThatAreNoSingleComponentAreRefused) {
  for (const char* name : {"", ".", "..", "a/b", "a\nb"}) {
    EXPECT_EQ(tree_->MakePod("u1", {}).ok() && tree_->MakeLeaf("u1", name, {}).ok(), false) << name;
  }
  for (const char* parent : {"", "/", "relative", "/a/../b"}) {
    EXPECT_EQ(CgroupTree::Open(layout_, parent).status().code(), absl::StatusCode::kInvalidArgument)
        << parent;
  }
  EXPECT_EQ(tree_->FindLeaf("u1", "absent").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(tree_->MakeLeaf("absent", "x-0", {}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace cluster::node
