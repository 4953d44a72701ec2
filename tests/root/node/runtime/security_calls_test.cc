// System calls that were others' holes, made from inside of a strict container and, as the control,
// from inside of one that nothing holds.
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/security_world.h"

namespace cluster::node {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using SecurityCallsTest = SecurityTest;

// A child with the capability of an administrator, in a session with a pty of this test's: what it
// types comes out of the pty.
bool TypesIntoTheTerminalOfItsParent() {
  int master = -1, terminal = -1;
  if (openpty(&master, &terminal, nullptr, nullptr, nullptr) != 0) return false;
  const pid_t child = fork();
  if (child == 0) {
    _exit(setsid() > 0 && ioctl(terminal, TIOCSCTTY, 0) == 0 && ioctl(terminal, TIOCSTI, "x") == 0
              ? 0
              : 1);
  }
  int status = 1;
  const bool typed = child > 0 && waitpid(child, &status, 0) == child && status == 0;
  close(master);
  close(terminal);
  return typed;
}

// Whether this kernel takes calls by the 32-bit way in; where it does not, whoever tries dies.
// Asked of the kernel by a child of the test, so that no filter of ours has a say in it.
bool Runs32BitCalls() {
#if defined(__x86_64__)
  const pid_t child = fork();
  if (child == 0) {
    long result = 20;  // getpid
    asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    _exit(result == getpid() ? 0 : 1);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
#else
  return false;
#endif
}

TEST_F(SecurityCallsTest, Row8_NoHierarchyCanBeMounted) {
  EXPECT_EQ(Probe({"cgroup-mount"}), "BLOCKED EPERM\n");
  EXPECT_EQ(Probe({"unshare-user"}), "BLOCKED EPERM\n");
  const auto files =
      world_.Run("files", {"sh", "-c", "ls /sys/fs/cgroup | wc -l; cat /proc/mounts"});
  EXPECT_THAT(files.log, ::testing::Not(HasSubstr(" cgroup ")));
  // Without v1 in the kernel there is nothing to mount, for nobody.
  if (world_.agent().cgroups->layout().V1Of("memory") != nullptr) {
    EXPECT_EQ(ProbeOpen({"cgroup-mount"}), "EXPOSED\n") << "the control";
  }
}

TEST_F(SecurityCallsTest, Row9_WhatReachesDeepIntoTheKernelIsDenied) {
  for (const char* call :
       {"fsopen", "bpf", "io_uring_setup", "userfaultfd", "add_key", "keyctl", "perf_event_open",
        "setns", "open_tree", "kexec_load", "init_module", "pivot_root", "swapon"}) {
    EXPECT_THAT(Probe({"call", call}), AnyOf("BLOCKED EPERM\n", "BLOCKED ENOSYS\n")) << call;
  }
  // Some kernels are built without some of them.
  int exposed = 0;
  for (const char* call : {"fsopen", "bpf", "add_key", "perf_event_open", "open_tree"}) {
    exposed += ProbeOpen({"call", call}) == "EXPOSED\n" ? 1 : 0;
  }
  EXPECT_GE(exposed, 3) << "the control";
}

TEST_F(SecurityCallsTest, Row9_UserNamespacesAreNotForContainersButThreadsAre) {
  EXPECT_EQ(Probe({"unshare-user"}), "BLOCKED EPERM\n");
  EXPECT_EQ(Probe({"clone3"}), "BLOCKED ENOSYS\n") << "so that C libraries use clone";
  EXPECT_EQ(Probe({"thread"}), "EXPOSED\n") << "threads start";
  EXPECT_EQ(ProbeOpen({"unshare-user"}), "EXPOSED\n") << "the control";
  EXPECT_EQ(ProbeOpen({"clone3"}), "EXPOSED\n") << "the control";
}

TEST_F(SecurityCallsTest, Row10_NoSocketsThatNoNamespaceDivides) {
  for (const int family : {38, 40}) {
    EXPECT_EQ(Probe({"socket", absl::StrCat(family)}), "BLOCKED EPERM\n") << family;
  }
  EXPECT_EQ(Probe({"socket", "1"}), "EXPOSED\n") << "unix sockets work";
}

TEST_F(SecurityCallsTest, Row10_NorByThe32BitWayIn) {
  if (!Runs32BitCalls()) GTEST_SKIP() << "the kernel takes no 32-bit calls";
  for (const int family : {38, 40}) {
    EXPECT_THAT(Probe({"socket32", absl::StrCat(family)}), StartsWith("BLOCKED")) << family;
  }
  EXPECT_EQ(Probe({"socket32", "1"}), "BLOCKED EPERM\n") << "socketcall hides the family";
  EXPECT_EQ(ProbeOpen({"socket32", "1"}), "EXPOSED\n") << "the control";
}

TEST_F(SecurityCallsTest, Row11_AbstractSocketsOfTheNodeAreOutOfReach) {
  const std::string name = absl::StrCat("cluster-canary-", getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 2);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 4), 0);
  EXPECT_EQ(Probe({"abstract", name}), "BLOCKED ECONNREFUSED\n");
  ContainerSpec spec = ProbeSpec({"abstract", name});
  SandboxSpec sandbox = world_.Sandbox(spec.pod_uid);
  sandbox.host_users = sandbox.host_network = true;
  EXPECT_EQ(world_.RunIn(sandbox, spec).log, "EXPOSED\n") << "the control";
  close(listener);
}

TEST_F(SecurityCallsTest, Row13_NoFileByItsHandle) {
  EXPECT_EQ(Probe({"handle", "/etc"}), "BLOCKED EPERM\n");
  EXPECT_EQ(ProbeOpen({"handle", "/etc"}), "EXPOSED\n") << "the control";
}

TEST_F(SecurityCallsTest, Row18_NothingTypesIntoATerminalThatIsNotItsOwn) {
  EXPECT_THAT(Probe({"type"}), StartsWith("BLOCKED")) << "no terminal, nothing to type into";
  // A container with a terminal has one of its own devpts, which only it can type into.
  ContainerSpec spec = ProbeSpec({"type"});
  spec.tty = true;
  spec.argv = {"sh", "-c", "tty; ls /dev/pts; probe type"};
  const std::string said = world_.RunSpec(spec).log;
  EXPECT_THAT(said, StartsWith("/dev/pts/0\r\n"));
  // From Linux 6.2 on not even that, where the node leaves dev.tty.legacy_tiocsti off.
  const auto legacy = ReadFile("/proc/sys/dev/tty/legacy_tiocsti");
  if (legacy.ok() && legacy->front() == '0') {
    EXPECT_THAT(said, HasSubstr("BLOCKED EIO"));
  }
  // The control: one that shares the terminal of whoever runs it types into that one.
  EXPECT_EQ(TypesIntoTheTerminalOfItsParent(), true) << "the control";
}

TEST_F(SecurityCallsTest, Row21_ProcessesOfOthersCannotBeTraced) {
  const std::string self = absl::StrCat(getpid());
  EXPECT_EQ(Probe({"ptrace", self}), "BLOCKED ESRCH\n");
  EXPECT_EQ(Probe({"signal", self}), "BLOCKED ESRCH\n");
  ContainerSpec spec = ProbeSpec({"signal", self});
  SandboxSpec sandbox = world_.Sandbox(spec.pod_uid);
  sandbox.host_users = sandbox.host_pid = true;
  EXPECT_EQ(world_.RunIn(sandbox, spec).log, "EXPOSED\n") << "the control";
}

// Whoever cannot open such a socket, and cannot change its address, sends as itself alone.
TEST_F(SecurityCallsTest, Row27_NobodySendsAsAnotherPod) {
  EXPECT_EQ(Probe({"packet"}), "BLOCKED EPERM\n");
  const auto change =
      world_.Run("pod-a", {"ip", "link", "set", "eth0", "address", "02:00:00:00:00:09"});
  EXPECT_NE(change.state.exit_code, 0);
  EXPECT_THAT(change.log, HasSubstr("not permitted"));
  EXPECT_EQ(ProbeOpen({"packet"}), "EXPOSED\n") << "the control";
}

TEST_F(SecurityCallsTest, Row30_TheOtherWaysInHaveTheSameRules) {
  EXPECT_EQ(Probe({"x32"}), "BLOCKED ENOSYS\n");
}

TEST_F(SecurityCallsTest, Row30_The32BitWayInToo) {
  if (!Runs32BitCalls()) GTEST_SKIP() << "the kernel takes no 32-bit calls";
  EXPECT_EQ(Probe({"getpid32"}), "EXPOSED\n") << "32-bit programs run";
  EXPECT_EQ(Probe({"socket32", "38"}), "BLOCKED EPERM\n");
}

// A node whose own profile is stricter or looser than ours.
TEST_F(SecurityCallsTest, ProfilesOfTheNodeApplyToContainersAndTheirCommands) {
  WriteTestFile(world_.base() + "/state/seccomp/no-chmod.json",
                R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                    {"names": ["chmod", "fchmodat", "fchmod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]})");
  ContainerSpec spec =
      world_.Spec("pod-a", {"sh", "-c", "touch /x; chmod 600 /x; echo started; exec sleep 1000"});
  spec.security.seccomp = "localhost/no-chmod.json";
  world_.Prepare("pod-a");
  world_.Start(spec);
  world_.AwaitLog("pod-a", "started");
  EXPECT_THAT(world_.Log("pod-a"), HasSubstr("Operation not supported"));
  ExecSpec exec;
  exec.pod_uid = "pod-a";
  exec.container = "main";
  exec.argv = {"sh", "-c", "grep Seccomp: /proc/self/status; chmod 600 /x"};
  auto command = world_.runtime().Exec(exec);
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ((*command)->Wait().value_or(-1), 1) << "the same filter";
  spec = world_.Spec("pod-b", {"true"});
  spec.security.seccomp = "localhost/missing.json";
  world_.Prepare("pod-b");
  EXPECT_EQ(world_.runtime().StartContainer(spec).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// Without no_new_privs the filter is loaded while the capability for it is still there.
TEST_F(SecurityCallsTest, TheFilterIsThereForEveryUserAndWithEscalation) {
  for (const char* user : {"", "app"}) {
    for (const bool strict : {true, false}) {
      ContainerSpec spec =
          world_.Spec(absl::StrCat("u", user, strict),
                      {"grep", "-E", "Seccomp:|NoNewPrivs|CapEff", "/proc/self/status"});
      spec.user = user;
      spec.security.no_new_privileges = strict;
      const auto outcome = world_.RunSpec(spec);
      EXPECT_THAT(outcome.log, HasSubstr("Seccomp:\t2"));
      EXPECT_THAT(outcome.log, HasSubstr(absl::StrCat("NoNewPrivs:\t", strict ? 1 : 0)));
      EXPECT_THAT(outcome.log, HasSubstr(*user == 0 ? "CapEff:\t00000000800405fb"
                                                    : "CapEff:\t0000000000000000"));
    }
  }
}

}  // namespace
}  // namespace cluster::node
