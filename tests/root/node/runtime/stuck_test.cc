// Processes that do not end when they are killed, and cluster-inits that do not answer: each is
// named, nothing waits for it for long, and it is finished once it can be.
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <future>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;

// A file system that takes requests and answers none but the first, which mounts it.
class SilentFileSystem {
 public:
  explicit SilentFileSystem(const std::string& where) : where_(where) {
    EXPECT_EQ(mkdir(where.c_str(), 0755), 0);
    device_.reset(open("/dev/fuse", O_RDWR | O_CLOEXEC));
    const std::string options =
        absl::StrCat("fd=", device_.get(), ",rootmode=40000,user_id=0,group_id=0");
    EXPECT_EQ(mount("silent", where.c_str(), "fuse", 0, options.c_str()), 0);
    Request request;
    EXPECT_EQ(Take(&request), FUSE_INIT);
    fuse_out_header header{};
    fuse_init_out init{};
    init.major = FUSE_KERNEL_VERSION;
    init.minor = FUSE_KERNEL_MINOR_VERSION;
    init.max_write = 4096;
    header.len = sizeof header + sizeof init;
    header.unique = request.header.unique;
    std::string answer(reinterpret_cast<char*>(&header), sizeof header);
    answer.append(reinterpret_cast<char*>(&init), sizeof init);
    EXPECT_EQ(write(device_.get(), answer.data(), answer.size()),
              static_cast<ssize_t>(answer.size()));
  }
  ~SilentFileSystem() {
    End();
    EXPECT_EQ(umount2(where_.c_str(), MNT_DETACH), 0);
  }
  // Until somebody waits for an answer that does not come.
  void AwaitVictim() {
    Request request;
    EXPECT_EQ(Take(&request), FUSE_LOOKUP);
  }
  // All who wait get an error.
  void End() { device_.reset(); }

 private:
  struct Request {
    fuse_in_header header;
    char rest[FUSE_MIN_READ_BUFFER];
  };
  uint32_t Take(Request* request) {
    EXPECT_GT(read(device_.get(), request, sizeof *request), 0);
    return request->header.opcode;
  }
  const std::string where_;
  UniqueFd device_;
};

class StuckTest : public ::testing::Test {
 protected:
  // Stops everything in the process's own group, below the eyes of the agent.
  void Freeze(pid_t pid) {
    const std::string& v2 = world_.agent().cgroups->layout().v2_mount_point;
    const std::string groups = ReadFile(absl::StrCat("/proc/", pid, "/cgroup")).value();
    for (const absl::string_view line : absl::StrSplit(groups, '\n')) {
      if (!absl::StartsWith(line, "0::/")) continue;
      const std::string file = absl::StrCat(v2, line.substr(3), "/cgroup.freeze");
      EXPECT_EQ(WriteControlAt(AT_FDCWD, file, "1"), absl::OkStatus());
    }
  }
  RuntimeWorld world_;
};

TEST_F(StuckTest, FrozenContainerIsKilledAllTheSame) {
  world_.Prepare("pod-a");
  const ContainerState state = world_.StartIn("pod-a", {"sleep", "1000"});
  Freeze(state.pid);
  const absl::Status killed = world_.runtime().Kill({"pod-a", "main", 0});
  EXPECT_TRUE(killed.ok()) << killed;
  EXPECT_EQ(world_.Await("pod-a").exit_code, 137);
}

TEST_F(StuckTest, FrozenPodIsRemoved) {
  world_.Prepare("pod-a");
  const ContainerState state = world_.StartIn("pod-a", {"sleep", "1000"});
  for (const pid_t pid : {static_cast<pid_t>(state.pid), world_.InitOf("pod-a")}) Freeze(pid);
  const absl::Status removed = world_.runtime().Remove("pod-a");
  EXPECT_TRUE(removed.ok()) << removed;
}

// Only an administrator can do this, with a group of his own.
TEST_F(StuckTest, ProcessInAForeignFrozenV1GroupIsNamedAndEndsOnceItIsThawed) {
  const V1Hierarchy* freezer = world_.agent().cgroups->layout().V1Of("freezer");
  if (freezer == nullptr) GTEST_SKIP() << "a machine without cgroup v1";
  world_.Prepare("pod-a");
  const ContainerState state = world_.StartIn("pod-a", {"sleep", "1000"});
  const std::string group = absl::StrCat("/cluster-test-", getpid(), "-frozen");
  const std::string path = freezer->mount_point + group;
  ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
  ASSERT_TRUE(WriteControlAt(AT_FDCWD, path + "/cgroup.procs", absl::StrCat(state.pid)).ok());
  ASSERT_TRUE(WriteControlAt(AT_FDCWD, path + "/freezer.state", "FROZEN").ok());
  const absl::Status killed = world_.runtime().Kill({"pod-a", "main", 0});
  EXPECT_EQ(killed.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(killed.message()), HasSubstr("(sleep) is "));
  EXPECT_THAT(std::string(killed.message()), HasSubstr("frozen by the freezer of " + group));
  ASSERT_TRUE(WriteControlAt(AT_FDCWD, path + "/freezer.state", "THAWED").ok());
  EXPECT_EQ(world_.Await("pod-a").exit_code, 137);
  EXPECT_EQ(rmdir(path.c_str()), 0);
}

TEST_F(StuckTest, ProcessInUninterruptibleSleepIsNamedAndHoldsUpItsOwnPodAlone) {
  world_.Prepare("pod-a");
  world_.StartIn("pod-a", {"sleep", "1000"});
  world_.Prepare("pod-b");
  world_.StartIn("pod-b", {"sleep", "1000"});
  SilentFileSystem silent(world_.base() + "/silent");
  const std::string path = world_.base() + "/silent/file";
  int gate[2];
  ASSERT_EQ(pipe2(gate, O_CLOEXEC), 0);
  const pid_t victim = fork();
  if (victim == 0) {
    prctl(PR_SET_NAME, "victim", 0, 0, 0);
    char byte;
    struct stat info {};
    // Nothing of the test's: neither its locks nor the file system's other end.
    dup2(gate[0], 0);
    close_range(3, ~0u, 0);
    _exit(read(0, &byte, 1) == 1 && stat(path.c_str(), &info) == 0 ? 0 : 1);
  }
  ASSERT_GT(victim, 0);
  {
    auto group = world_.agent().cgroups->FindLeaf("pod-a", "main-0");
    ASSERT_TRUE(group.ok()) << group.status();
    ASSERT_TRUE(group->Enter(victim).ok());
  }
  ASSERT_EQ(write(gate[1], "g", 1), 1);
  silent.AwaitVictim();

  const absl::Status killed = world_.runtime().Kill({"pod-a", "main", 0});
  EXPECT_EQ(killed.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(killed.message()),
              HasSubstr(absl::StrCat("pid ", victim, " (victim) is in uninterruptible sleep")));
  const absl::Status stuck = world_.runtime().Remove("pod-a");
  EXPECT_EQ(stuck.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(stuck.message()), HasSubstr(absl::StrCat("pid ", victim, " (victim)")));
  // What it holds stays taken, and the others go on.
  EXPECT_FALSE(world_.TakeCensus().leases.empty());
  EXPECT_TRUE(world_.runtime().Remove("pod-b").ok());
  // A new agent is not held up either.
  world_.StartAgent();
  ASSERT_EQ(world_.agent().recovered.size(), 1u);

  silent.End();
  int status = 0;
  EXPECT_EQ(waitpid(victim, &status, 0), victim);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  const absl::Status removed = world_.runtime().Remove("pod-a");
  EXPECT_TRUE(removed.ok()) << removed;
  close(gate[0]);
  close(gate[1]);
}

TEST_F(StuckTest, ClusterInitThatDoesNotAnswerHoldsUpNoAgentAndIsAdoptedLater) {
  world_.Prepare("pod-a");
  const ContainerState state = world_.StartIn("pod-a", {"sleep", "1000"});
  world_.Prepare("pod-b");
  world_.StartIn("pod-b", {"sh", "-c", "exit 3"});
  EXPECT_EQ(world_.Await("pod-b").exit_code, 3);
  const pid_t init = world_.InitOf("pod-a");
  ASSERT_EQ(kill(init, SIGSTOP), 0);
  world_.StartAgent();
  ASSERT_EQ(world_.agent().recovered.size(), 2u);
  const RecoveredPod& silent = world_.agent().recovered[0];
  EXPECT_EQ(silent.sandbox.uid, "pod-a");
  EXPECT_TRUE(silent.alive);
  ASSERT_EQ(silent.containers.size(), 1u);
  EXPECT_EQ(silent.containers[0].phase, ContainerPhase::kRunning);
  EXPECT_EQ(silent.containers[0].pid, state.pid);

  ASSERT_EQ(kill(init, SIGCONT), 0);
  const auto polled = world_.runtime().Poll("pod-a");
  ASSERT_TRUE(polled.ok()) << polled.status();
  EXPECT_EQ((*polled)[0].phase, ContainerPhase::kRunning);
  // Hints come again: Await waits for them alone.
  ASSERT_TRUE(world_.runtime().Kill({"pod-a", "main", 0}).ok());
  EXPECT_EQ(world_.Await("pod-a").exit_code, 137);
}

// The next child that the traced `parent` makes, stopped at birth as `parent` is; -1 when there is
// none.
pid_t AwaitChild(pid_t parent) {
  int status = 0;
  unsigned long child = 0;
  do {
    if (waitpid(parent, &status, __WALL) != parent) return -1;
    if (WIFEXITED(status) || WIFSIGNALED(status)) return -1;
    if (status >> 16 == 0) ptrace(PTRACE_CONT, parent, nullptr, WSTOPSIG(status));
  } while (status >> 16 == 0);
  ptrace(PTRACE_GETEVENTMSG, parent, nullptr, &child);
  const pid_t pid = static_cast<pid_t>(child);
  return waitpid(pid, &status, __WALL) == pid ? pid : -1;
}

// Holds the process that prepares the next container of `init` from the moment at which the
// container's own is there, until that one is over and reaped.
void HoldBirthUntilTheEnd(pid_t init) {
  const pid_t prepares = AwaitChild(init);
  ASSERT_GT(prepares, 0);
  ptrace(PTRACE_DETACH, init, nullptr, nullptr);
  ptrace(PTRACE_CONT, prepares, nullptr, nullptr);
  const pid_t container = AwaitChild(prepares);
  ASSERT_GT(container, 0);
  ptrace(PTRACE_DETACH, container, nullptr, nullptr);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (kill(container, 0) == 0 && absl::Now() < deadline) std::this_thread::yield();
  EXPECT_EQ(kill(container, 0), -1) << "it does not end";
  ptrace(PTRACE_DETACH, prepares, nullptr, nullptr);
}

TEST_F(StuckTest, EndBeforeTheBirthIsToldIsTheContainers) {
  world_.Prepare("pod-a");
  const pid_t init = world_.InitOf("pod-a");
  std::promise<int> seized;
  std::thread tracer([&] {
    seized.set_value(static_cast<int>(
        ptrace(PTRACE_SEIZE, init, nullptr, PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE)));
    HoldBirthUntilTheEnd(init);
  });
  ASSERT_EQ(seized.get_future().get(), 0);
  const std::string layer = world_.base() + "/layer-link";
  MakeBusyboxLayer(layer);
  std::filesystem::create_symlink("tmp", layer + "/proc");
  ContainerSpec spec = world_.Spec("pod-a", {"true"});
  spec.rootfs.layers = {layer};
  const ContainerState state = world_.Start(spec);
  tracer.join();
  EXPECT_EQ(state.phase, ContainerPhase::kExited);
  EXPECT_EQ(state.exit_code, 128);
  EXPECT_THAT(state.message, HasSubstr("/proc"));
  ContainerSpec next = world_.Spec("pod-a", {"true"});
  next.attempt = 1;
  EXPECT_EQ(world_.RunSpec(next).state.exit_code, 0) << "the pod took no other harm";
}

bool KernelTellsExits() {
  const std::string release = ReadFile("/proc/sys/kernel/osrelease").value();
  const std::vector<std::string> parts = absl::StrSplit(release, '.');
  int major = 0;
  int minor = 0;
  return absl::SimpleAtoi(parts[0], &major) && absl::SimpleAtoi(parts[1], &minor) &&
         std::pair(major, minor) >= std::pair(6, 15);
}

// cluster-init hangs while its container ends, and is killed: nobody has reaped it, nobody has
// written how it ended.
TEST_F(StuckTest, Law5_EndThatClusterInitDidNotSeeIsLearntFromTheKernelOrUnknown) {
  // Orphans come to this process, and are reaped when the test says so.
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  world_.Prepare("pod-a");
  const ContainerState state = world_.StartIn(
      "pod-a", {"sh", "-c", "trap 'exit 42' TERM; echo set; while :; do sleep 0.01; done"});
  world_.AwaitLog("pod-a", "set");
  world_.StartAgent();  // which holds on to what it finds
  const pid_t init = world_.InitOf("pod-a");
  ASSERT_EQ(kill(init, SIGSTOP), 0);
  const UniqueFd container(static_cast<int>(syscall(SYS_pidfd_open, state.pid, 0)));
  ASSERT_EQ(kill(state.pid, SIGTERM), 0);
  pollfd ended{container.get(), POLLIN, 0};
  ASSERT_EQ(poll(&ended, 1, 30000), 1);
  const UniqueFd keeper(static_cast<int>(syscall(SYS_pidfd_open, init, 0)));
  ASSERT_EQ(kill(init, SIGKILL), 0);
  pollfd dead{keeper.get(), POLLIN, 0};
  ASSERT_EQ(poll(&dead, 1, 30000), 1);
  ASSERT_EQ(waitpid(state.pid, nullptr, __WALL), state.pid);

  const ContainerState end = world_.Await("pod-a");
  if (KernelTellsExits()) {
    EXPECT_EQ(end.phase, ContainerPhase::kExited);
    EXPECT_EQ(end.exit_code, 42);
    // Durably: another agent says the same.
    world_.StartAgent();
    EXPECT_EQ(world_.Await("pod-a").exit_code, 42);
  } else {
    EXPECT_EQ(end.phase, ContainerPhase::kUnknown);
    EXPECT_EQ(end.exit_code, 0);
  }
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

}  // namespace
}  // namespace cluster::node
