#include <linux/capability.h>

#include <cerrno>

#include "gtest/gtest.h"

#include "node/seccomp/compiler.h"
#include "node/seccomp/syscall_names.h"
#include "tests/fuzz/seccomp/profile_check.h"
#include "tests/unit/node/seccomp/bpf_machine.h"

namespace cluster::node {
namespace {

constexpr uint64_t kSmallSet = 0x800405fb;
constexpr uint32_t kAllowed = SECCOMP_RET_ALLOW;
constexpr uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;
constexpr uint32_t kEnosys = SECCOMP_RET_ERRNO | ENOSYS;

class DefaultProfileTest : public ::testing::Test {
 protected:
  void Compile(uint64_t capabilities) {
    program_ = CompileProfile(DefaultProfile(), {capabilities, {6, 1}}).value();
    ASSERT_EQ(FindFilterFlaw(program_), "");
  }
  uint32_t Ask(const std::string& name, uint64_t first = 0,
               FilterArch arch = FilterArch::kX86_64) const {
    const auto number = FindSyscall(name, arch).number;
    EXPECT_TRUE(number.has_value()) << name;
    seccomp_data call{};
    call.nr = static_cast<int>(number.value_or(0));
    call.arch = AuditArch(arch);
    call.args[0] = first;
    return RunFilter(program_, call).verdict;
  }
  uint32_t AskNumber(uint32_t number) const {
    seccomp_data call{};
    call.nr = static_cast<int>(number);
    call.arch = AuditArch(FilterArch::kX86_64);
    return RunFilter(program_, call).verdict;
  }

  std::vector<sock_filter> program_;
};

TEST_F(DefaultProfileTest, ProgramsGoOnAsTheyAre) {
  Compile(kSmallSet);
  for (const char* name : {"read",
                           "write",
                           "openat",
                           "openat2",
                           "mmap",
                           "execve",
                           "fork",
                           "vfork",
                           "futex",
                           "epoll_wait",
                           "accept4",
                           "rt_sigaction",
                           "clock_gettime",
                           "getrandom",
                           "memfd_create",
                           "statx",
                           "rseq",
                           "set_robust_list",
                           "capset",
                           "setresuid",
                           "prctl",
                           "seccomp",
                           "landlock_create_ruleset",
                           "futex_waitv",
                           "close_range",
                           "membarrier",
                           "ptrace",
                           "chroot",
                           "fchmodat2",
                           "mseal"}) {
    EXPECT_EQ(Ask(name), kAllowed) << name;
  }
  for (const char* name : {"read", "_llseek", "stat64", "waitpid", "clock_gettime64", "ipc",
                           "setuid32", "mmap2", "socketpair"}) {
    EXPECT_EQ(Ask(name, 0, FilterArch::kX86), kAllowed) << name;
  }
}

// Row 9.
TEST_F(DefaultProfileTest, WhatOpensTheKernelIsDenied) {
  Compile(kSmallSet);
  for (const char* name : {"unshare",
                           "setns",
                           "mount",
                           "umount2",
                           "fsopen",
                           "fsconfig",
                           "fsmount",
                           "fspick",
                           "move_mount",
                           "open_tree",
                           "mount_setattr",
                           "bpf",
                           "perf_event_open",
                           "io_uring_setup",
                           "io_uring_enter",
                           "userfaultfd",
                           "add_key",
                           "keyctl",
                           "request_key",
                           "kexec_load",
                           "init_module",
                           "finit_module",
                           "open_by_handle_at",
                           "process_vm_readv",
                           "pidfd_getfd",
                           "reboot",
                           "swapon",
                           "pivot_root",
                           "syslog",
                           "iopl",
                           "settimeofday",
                           "mbind",
                           "quotactl",
                           "fanotify_init"}) {
    EXPECT_EQ(Ask(name), kEperm) << name;
  }
  EXPECT_EQ(Ask("socketcall", 1, FilterArch::kX86), kEperm) << "row 10: it hides the family";
  EXPECT_EQ(Ask("bpf", 0, FilterArch::kX86), kEperm);
}

TEST_F(DefaultProfileTest, WhatNobodyHasHeardOfIsNotThere) {
  Compile(kSmallSet);
  EXPECT_EQ(AskNumber(600), kEnosys);
  EXPECT_EQ(AskNumber(0xffffffff), kEnosys);
  EXPECT_EQ(AskNumber(0x40000000), kEnosys) << "row 30: x32's read";
  EXPECT_EQ(AskNumber(0x40000000 + 520), kEnosys) << "row 30: x32's execve";
}

TEST_F(DefaultProfileTest, ThreadsAndProcessesYesNamespacesNo) {
  Compile(kSmallSet);
  EXPECT_EQ(Ask("clone3"), kEnosys) << "so that C libraries use clone";
  EXPECT_EQ(Ask("clone", 0x003d0f00), kAllowed) << "what a thread starts with";
  EXPECT_EQ(Ask("clone", 17), kAllowed);
  for (const uint64_t flag :
       {0x20000u, 0x2000000u, 0x4000000u, 0x8000000u, 0x10000000u, 0x20000000u, 0x40000000u}) {
    EXPECT_EQ(Ask("clone", flag | 17), kEperm) << std::hex << flag;
  }
}

// Row 10.
TEST_F(DefaultProfileTest, SocketsOfAllFamiliesButTwo) {
  Compile(kSmallSet);
  for (uint64_t family = 0; family < 46; ++family) {
    EXPECT_EQ(Ask("socket", family), family == 38 || family == 40 ? kEperm : kAllowed) << family;
    EXPECT_EQ(Ask("socket", family, FilterArch::kX86),
              family == 38 || family == 40 ? kEperm : kAllowed)
        << family;
  }
}

TEST_F(DefaultProfileTest, OnlyHarmlessPersonalities) {
  Compile(kSmallSet);
  for (const uint64_t persona : {0ull, 8ull, 0x20000ull, 0x20008ull, 0xffffffffull}) {
    EXPECT_EQ(Ask("personality", persona), kAllowed) << persona;
  }
  EXPECT_EQ(Ask("personality", 0x0400000), kEperm) << "READ_IMPLIES_EXEC";
  EXPECT_EQ(Ask("personality", 0x100000000), kEperm);
}

TEST_F(DefaultProfileTest, CapabilitiesBringTheCallsThatTheyAreFor) {
  Compile(kSmallSet | uint64_t{1} << CAP_SYS_ADMIN);
  for (const char* name : {"mount", "unshare", "setns", "bpf", "clone3", "fsopen"}) {
    EXPECT_EQ(Ask(name), kAllowed) << name;
  }
  EXPECT_EQ(Ask("clone", 0x10000000), kAllowed);
  EXPECT_EQ(Ask("io_uring_setup"), kEperm) << "that comes with no capability";
  EXPECT_EQ(Ask("init_module"), kEperm);
  Compile(uint64_t{1} << CAP_SYS_PTRACE | uint64_t{1} << CAP_SYS_TIME);
  EXPECT_EQ(Ask("process_vm_readv"), kAllowed);
  EXPECT_EQ(Ask("settimeofday"), kAllowed);
  EXPECT_EQ(Ask("chroot"), kEperm) << "dropped from the small set";
}

TEST_F(DefaultProfileTest, JudgesAsItsRulesDo) {
  for (const uint64_t capabilities : {uint64_t{0}, kSmallSet, ~uint64_t{0}}) {
    EXPECT_EQ(FindCompilerFlaw(DefaultProfile(), {capabilities, {6, 1}}), "") << capabilities;
  }
}

// What a start and each call pay.
TEST_F(DefaultProfileTest, IsSmallAndEachCallMeetsFewInstructions) {
  Compile(kSmallSet);
  EXPECT_LT(program_.size(), 420u);
  for (uint32_t number = 0; number < 470; ++number) {
    seccomp_data call{};
    call.nr = static_cast<int>(number);
    call.arch = AuditArch(FilterArch::kX86_64);
    EXPECT_LT(RunFilter(program_, call).steps, 22) << number;
  }
}

}  // namespace
}  // namespace cluster::node
