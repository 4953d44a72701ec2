// What a manifest can ask for beyond and below the default, and the rest of the rows.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/security_world.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class IsolationTest : public SecurityTest {
 protected:
  ino_t NamespaceOf(int pid, const char* name) const {
    struct stat info {};
    EXPECT_EQ(stat(absl::StrCat("/proc/", pid, "/ns/", name).c_str(), &info), 0) << name;
    return info.st_ino;
  }
};

TEST_F(IsolationTest, Row2_NoDescriptorOfTheNodeIsInside) {
  std::vector<UniqueFd> leaky;
  for (int i = 0; i < 50; ++i) leaky.emplace_back(open("/etc", O_RDONLY | O_DIRECTORY));
  EXPECT_EQ(Probe({"fds"}), "0 1 2 \n");
  world_.Prepare("pod-a");
  world_.StartIn("pod-a", {"sleep", "1000"});
  ExecSpec spec;
  spec.pod_uid = "pod-a";
  spec.container = "main";
  spec.argv = {"probe", "fds"};
  auto command = world_.runtime().Exec(spec);
  ASSERT_TRUE(command.ok()) << command.status();
  ASSERT_EQ(fcntl((*command)->stdout_fd.get(), F_SETFL, 0), 0);
  char text[128] = {};
  EXPECT_GT(read((*command)->stdout_fd.get(), text, sizeof text - 1), 0);
  EXPECT_STREQ(text, "0 1 2 \n");
  EXPECT_EQ((*command)->Wait().value_or(-1), 0);
}

TEST_F(IsolationTest, Row20_KillsByIdentityNotByNumber) {
  world_.Prepare("pod-a");
  const ContainerState state = world_.StartIn("pod-a", {"true"});
  world_.Await("pod-a");
  // Its number is somebody else's by now, who is not signalled for it.
  pid_t number = static_cast<pid_t>(state.pid);
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<uintptr_t>(&number);
  arguments.set_tid_size = 1;
  const auto bystander = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
  if (bystander == 0) {
    for (;;) pause();
  }
  ASSERT_EQ(bystander, number) << "the control: whoever kills by number kills this one";
  EXPECT_TRUE(world_.runtime().Signal({"pod-a", "main", 0}, SIGKILL).ok());
  EXPECT_TRUE(world_.runtime().Kill({"pod-a", "main", 0}).ok());
  EXPECT_EQ(waitpid(bystander, nullptr, WNOHANG), 0) << "pid " << state.pid;
  kill(bystander, SIGKILL);
  waitpid(bystander, nullptr, 0);
}

TEST_F(IsolationTest, Row24_IdsThatArePathsAreRefused) {
  for (const std::string& bad :
       {std::string("../../x"), std::string("a/b"), std::string(".x"), std::string("-x"),
        std::string("a\nb"), std::string(""), std::string(4096, 'a')}) {
    SandboxSpec sandbox = world_.Sandbox("pod-a");
    sandbox.uid = bad;
    EXPECT_EQ(world_.runtime().PrepareSandbox(sandbox).status().code(),
              absl::StatusCode::kInvalidArgument);
    ContainerSpec spec = world_.Spec("pod-a", {"true"});
    spec.name = bad;
    EXPECT_EQ(world_.runtime().StartContainer(spec).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(world_.runtime().Remove(bad).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(world_.Run("Pod_1.a-b", {"echo", "x"}).log, "x\n") << "the control: one that is none";
}

TEST_F(IsolationTest, Row29_AForkBombMeetsItsLimit) {
  ContainerSpec spec = world_.Spec(
      "pod-a",
      {"sh", "-c", "n=0; while [ $n -lt 200 ]; do sleep 100 & n=$((n+1)); done; echo all"});
  spec.resources.pids_limit = 20;
  const auto outcome = world_.RunSpec(spec);
  EXPECT_THAT(outcome.log, HasSubstr("can't fork"));
  EXPECT_THAT(outcome.log, Not(HasSubstr("all\n")));
}

TEST_F(IsolationTest, Behaviour70_UsersAndGroupsOfTheManifest) {
  ContainerSpec spec = world_.Spec("pod-a", {"sh", "-c", "id -u; id -g; id -G"});
  spec.user = "app";
  spec.security.uid = 1000;
  spec.security.gid = 3000;
  spec.security.supplemental_groups = {4000, 5000};
  EXPECT_EQ(world_.RunSpec(spec).log, "1000\n3000\n3000 10 29 4000 5000\n");
  spec.pod_uid = "pod-b";
  spec.security.groups_of_image = false;
  EXPECT_EQ(world_.RunSpec(spec).log, "1000\n3000\n3000 4000 5000\n");
  spec.pod_uid = "pod-c";
  spec.security.uid = 65534;
  EXPECT_THAT(world_.RunSpec(spec).log, StartsWith("65534\n3000\n"));
}

TEST_F(IsolationTest, RootIsNotStartedWhereItMustNotBe) {
  ContainerSpec spec = world_.Spec("pod-a", {"true"});
  spec.security.must_not_be_root = true;
  const auto outcome = world_.RunSpec(spec);
  EXPECT_EQ(outcome.state.exit_code, 128);
  EXPECT_THAT(outcome.state.message, HasSubstr("runAsNonRoot"));
}

TEST_F(IsolationTest, Behaviour71_AReadOnlyRootCannotBeWritten) {
  ContainerSpec spec =
      world_.Spec("pod-a", {"sh", "-c", "touch /x; echo y > /dev/shm/y && cat /dev/shm/y"});
  spec.security.read_only_root = true;
  const auto outcome = world_.RunSpec(spec);
  EXPECT_THAT(outcome.log, HasSubstr("Read-only file system"));
  EXPECT_THAT(outcome.log, HasSubstr("y\n"));
  spec.pod_uid = "pod-b";
  spec.security.read_only_root = false;
  EXPECT_EQ(world_.RunSpec(spec).log, "y\n");
}

TEST_F(IsolationTest, Behaviour72_OnlyThePrivilegedAdministerAnything) {
  const std::vector<std::string> add = {"ip", "link", "add", "own0", "type", "bridge"};
  EXPECT_NE(world_.Run("pod-a", add).state.exit_code, 0);
  ContainerSpec spec = world_.Spec(
      "pod-b", {"sh", "-c",
                "ip link add own0 type bridge && [ -w /proc/sys/kernel/shmmax ] && "
                "mount -t tmpfs t /tmp && grep -c . /proc/keys && ls /dev | wc -l && echo all"});
  spec.security.privileged = true;
  spec.security.capabilities = kAllCapabilities;
  spec.security.no_new_privileges = false;
  SandboxSpec sandbox = world_.Sandbox("pod-b");
  sandbox.host_users = true;
  const auto outcome = world_.RunIn(sandbox, spec);
  EXPECT_THAT(outcome.log, HasSubstr("all\n"));
}

TEST_F(IsolationTest, Behaviour73_SysctlsAreThePodsAndABadOneIsNamed) {
  SandboxSpec sandbox = world_.Sandbox("pod-a");
  sandbox.sysctls = {{"net.ipv4.tcp_keepalive_time", "123"}, {"net.ipv4.no_such_setting", "1"}};
  world_.Prepare(sandbox);
  const auto state = world_.runtime().StartContainer(world_.Spec("pod-a", {"true"}));
  EXPECT_FALSE(state.ok());
  EXPECT_THAT(std::string(state.status().message()),
              HasSubstr("set sysctl net.ipv4.no_such_setting"));
}

// Whether a network namespace of somebody else's users has this file on this kernel.
bool IsShownToOtherUsers(const char* path) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && access(path, F_OK) == 0 ? 0 : 1);
  }
  int status = 1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status == 0;
}

TEST_F(IsolationTest, ASysctlThatTheKernelHidesFromThePodIsRefusedBeforeItIsMade) {
  SandboxSpec sandbox = world_.Sandbox("pod-a");
  sandbox.sysctls = {{"net.ipv4.tcp_keepalive_time", "123"}, {"net.core.somaxconn", "1234"}};
  if (IsShownToOtherUsers("/proc/sys/net/core/somaxconn")) {
    EXPECT_EQ(
        world_.RunIn(sandbox, world_.Spec("pod-a", {"cat", "/proc/sys/net/core/somaxconn"})).log,
        "1234\n");
  } else {
    const auto refused = world_.runtime().PrepareSandbox(sandbox);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(refused.status().message(),
              "sysctl net.core.somaxconn cannot be set: this node's kernel hides it from pods with "
              "a user namespace of their own; set hostUsers: true or remove it from the pod");
    EXPECT_NE(access((world_.base() + "/state/pods/pod-a").c_str(), F_OK), 0);
  }
  SandboxSpec control = sandbox;
  control.uid = "pod-b";
  control.host_users = true;
  EXPECT_EQ(
      world_.RunIn(control, world_.Spec("pod-b", {"cat", "/proc/sys/net/core/somaxconn"})).log,
      "1234\n");
}

TEST_F(IsolationTest, AnUnmaskedProcShowsWhatWasHidden) {
  ContainerSpec spec =
      world_.Spec("pod-a", {"sh", "-c", "[ -c /proc/timer_list ] && echo masked || echo open"});
  EXPECT_EQ(world_.RunSpec(spec).log, "masked\n");
  spec.pod_uid = "pod-b";
  spec.security.masked_paths = false;
  EXPECT_EQ(world_.RunSpec(spec).log, "open\n");
}

TEST_F(IsolationTest, ClocksAreAheadAsAskedAndStayAheadOverRestarts) {
  ContainerSpec spec = ProbeSpec({"clocks"});
  spec.time_offsets = TimeOffsets{864000, 5000};
  for (int attempt = 0; attempt < 2; ++attempt) {
    spec.attempt = attempt;
    timespec boot{};
    clock_gettime(CLOCK_BOOTTIME, &boot);
    const auto outcome = world_.RunSpec(spec);
    const std::vector<std::string> words = absl::StrSplit(outcome.log, ' ');
    int64_t inside = 0;
    ASSERT_TRUE(absl::SimpleAtoi(words[0], &inside)) << outcome.log << outcome.state.message;
    EXPECT_GE(inside, boot.tv_sec + 864000);
    EXPECT_LT(inside, boot.tv_sec + 864000 + 60);
  }
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  int64_t plain = 0;
  ASSERT_TRUE(absl::SimpleAtoi(std::vector<std::string>(absl::StrSplit(Probe({"clocks"}), ' '))[0],
                               &plain));
  EXPECT_LT(plain, now.tv_sec + 60) << "the control";
}

TEST_F(IsolationTest, ContainersOfAPodShareProcessesWhenAsked) {
  SandboxSpec sandbox = world_.Sandbox("pod-a");
  sandbox.share_process_namespace = true;
  world_.Prepare(sandbox);
  ContainerSpec first = world_.Spec("pod-a", {"sh", "-c", "sleep 1001 & exec sleep 1000"});
  first.name = "first";
  const ContainerState one = world_.Start(first);
  ContainerSpec second = world_.Spec("pod-a", {"sh", "-c", "ps; exec sleep 2000"});
  second.name = "second";
  const ContainerState two = world_.Start(second);
  world_.AwaitLog("pod-a", "sleep 1001", "second");
  EXPECT_EQ(NamespaceOf(one.pid, "pid"), NamespaceOf(two.pid, "pid"));
  EXPECT_NE(NamespaceOf(one.pid, "mnt"), NamespaceOf(two.pid, "mnt"));
  // One container's end is its own: its exit is known, what it left behind goes, the other stays.
  ASSERT_TRUE(world_.runtime().Signal({"pod-a", "first", 0}, SIGKILL).ok());
  EXPECT_EQ(world_.Await("pod-a", "first").exit_code, 137);
  ExecSpec look;
  look.pod_uid = "pod-a";
  look.container = "second";
  look.argv = {"sh", "-c", "while ps | grep -v grep | grep -q 'sleep 100'; do :; done; ps"};
  auto command = world_.runtime().Exec(look);
  ASSERT_TRUE(command.ok()) << command.status();
  ASSERT_EQ(fcntl((*command)->stdout_fd.get(), F_SETFL, 0), 0);
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = read((*command)->stdout_fd.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(got));
  }
  EXPECT_THAT(text, HasSubstr("sleep 2000"));
  EXPECT_EQ((*command)->Wait().value_or(-1), 0);
}

TEST_F(IsolationTest, TheNodesNamespacesAreSharedWhenAsked) {
  SandboxSpec sandbox = world_.Sandbox("pod-a");
  sandbox.host_users = sandbox.host_network = sandbox.host_pid = sandbox.host_ipc = true;
  EXPECT_EQ(world_.Prepare(sandbox).ip, "");
  const ContainerState state = world_.StartIn("pod-a", {"sleep", "1000"});
  EXPECT_EQ(state.message, "");
  for (const char* name : {"net", "pid", "ipc", "user"}) {
    EXPECT_EQ(NamespaceOf(state.pid, name), NamespaceOf(getpid(), name)) << name;
  }
  EXPECT_NE(NamespaceOf(state.pid, "mnt"), NamespaceOf(getpid(), "mnt"));
  ASSERT_TRUE(world_.runtime().Kill({"pod-a", "main", 0}).ok());
  EXPECT_EQ(world_.Await("pod-a").exit_code, 137);
}

}  // namespace
}  // namespace cluster::node
