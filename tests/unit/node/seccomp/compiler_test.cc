#include "node/seccomp/compiler.h"

#include <cerrno>
#include <cstring>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "node/seccomp/syscall_names.h"
#include "tests/fuzz/seccomp/profile_check.h"
#include "tests/unit/node/seccomp/bpf_machine.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;

constexpr FilterVerdict kAllow{FilterAction::kAllow, 0};
constexpr FilterVerdict kDeny{FilterAction::kErrno, 1};

SyscallRule Rule(std::vector<std::string> names, FilterVerdict verdict,
                 std::vector<ArgumentRule> arguments = {}) {
  SyscallRule rule;
  rule.names = std::move(names);
  rule.verdict = verdict;
  rule.arguments = std::move(arguments);
  return rule;
}

// The kernel offers no way to ask it for a verdict, so the program runs here; that the kernel takes
// it too is shown with real containers.
TEST(CompileProfile, JudgesAsTheRulesDoWhateverTheyAre) {
  const std::vector<std::string> names = {"read",   "write", "open",  "socket", "clone", "mmap",
                                          "openat", "futex", "lseek", "kill",   "dup",   "waitpid"};
  const FilterVerdict verdicts[] = {
      kAllow, kDeny, {FilterAction::kTrap, 0}, {FilterAction::kErrno, 38}};
  const uint64_t values[] = {0, 1, 40, 0xffffffff, uint64_t{1} << 32, 0x1234567890, ~uint64_t{0}};
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    SeccompProfile profile;
    profile.otherwise = verdicts[random() % 4];
    profile.arches = {FilterArch::kX86_64, FilterArch::kX86};
    if (random() % 2 == 0) profile.arches.push_back(FilterArch::kX32);
    for (size_t i = random() % 12; i > 0; --i) {
      std::vector<ArgumentRule> arguments;
      for (size_t k = random() % 4; k > 0; --k) {
        arguments.push_back({static_cast<unsigned>(random() % 6),
                             static_cast<ArgumentTest>(random() % 7), values[random() % 7],
                             values[random() % 7]});
      }
      profile.rules.push_back(Rule({names[random() % names.size()], names[random() % names.size()]},
                                   verdicts[random() % 4], std::move(arguments)));
    }
    ASSERT_EQ(FindCompilerFlaw(profile, {0, {6, 1}}), "") << "round " << round;
  }
}

// Jumps reach 255 instructions; far more lie between the parts of this one.
TEST(CompileProfile, FindsItsWayThroughLargeFilters) {
  SeccompProfile profile;
  profile.otherwise = kDeny;
  profile.arches = {FilterArch::kX86_64, FilterArch::kX86};
  for (const char* name : {"read", "write", "lseek", "mmap", "socket", "kill", "futex"}) {
    for (uint64_t i = 0; i < 30; ++i) {
      profile.rules.push_back(
          Rule({name}, {FilterAction::kErrno, static_cast<uint16_t>(100 + i)},
               {{static_cast<unsigned>(i % 6), ArgumentTest::kEqual, i * 0x100000001, 0}}));
    }
  }
  const auto program = CompileProfile(profile, {});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_GT(program->size(), 1500u);
  EXPECT_EQ(FindCompilerFlaw(profile, {}), "");
}

// As libseccomp has it: profiles that list other architectures alone are about the machine's, too.
TEST(CompileProfile, TheMachinesOwnArchitectureNeedsNoMention) {
  SeccompProfile profile;
  profile.otherwise = {FilterAction::kAllow, 0};
  profile.arches = {FilterArch::kX86, FilterArch::kX32};
  profile.rules.push_back(Rule({"mkdir"}, kDeny, {}));
  const auto program = CompileProfile(profile, {});
  ASSERT_TRUE(program.ok()) << program.status();
  SeccompProfile mentions = profile;
  mentions.arches.push_back(NativeArch());
  const auto with = CompileProfile(mentions, {});
  ASSERT_TRUE(with.ok()) << with.status();
  ASSERT_EQ(program->size(), with->size());
  EXPECT_EQ(memcmp(program->data(), with->data(), with->size() * sizeof(sock_filter)), 0);
}

TEST(CompileProfile, RefusesWhatTheKernelCannotHold) {
  SeccompProfile profile;
  profile.arches = {FilterArch::kX86_64};
  for (uint64_t i = 0; i < 1100; ++i) {
    profile.rules.push_back(Rule({"read"}, kAllow, {{0, ArgumentTest::kEqual, i, 0}}));
  }
  EXPECT_THAT(std::string(CompileProfile(profile, {}).status().message()),
              HasSubstr("at most 4096"));
}

TEST(CompileProfile, MisspeltDenialsAreErrorsMisspeltPermissionsAreNot) {
  SeccompProfile profile;
  profile.otherwise = kAllow;
  profile.rules = {Rule({"mouunt"}, kDeny)};
  EXPECT_EQ(CompileProfile(profile, {}).status().code(), absl::StatusCode::kInvalidArgument);
  profile.otherwise = kDeny;
  EXPECT_TRUE(CompileProfile(profile, {}).ok());
  profile.rules = {Rule({"a_call_of_2035"}, kAllow)};
  EXPECT_TRUE(CompileProfile(profile, {}).ok());
}

// A profile of years ago: C libraries try what is new and look for another way on ENOSYS alone.
TEST(CompileProfile, CallsNewerThanTheProfileAreNotThere) {
  SeccompProfile profile;
  profile.arches = {FilterArch::kX86_64, FilterArch::kX86};
  profile.rules = {Rule({"read", "statx"}, kAllow), Rule({"bpf"}, kDeny)};
  const auto verdict_of = [&profile](const std::string& name, FilterArch arch) {
    seccomp_data call{};
    call.nr = static_cast<int>(FindSyscall(name, arch).number.value());
    call.arch = AuditArch(arch);
    return RunFilter(CompileProfile(profile, {}).value(), call).verdict;
  };
  for (const FilterArch arch : {FilterArch::kX86_64, FilterArch::kX86}) {
    EXPECT_EQ(verdict_of("statx", arch), SECCOMP_RET_ALLOW);
    EXPECT_EQ(verdict_of("openat2", arch), SECCOMP_RET_ERRNO | ENOSYS);
    EXPECT_EQ(verdict_of("mount", arch), SECCOMP_RET_ERRNO | EPERM) << "older: left out by intent";
  }
  profile.otherwise = {FilterAction::kKillProcess, 0};
  EXPECT_EQ(verdict_of("openat2", FilterArch::kX86_64), SECCOMP_RET_KILL_PROCESS)
      << "who wants an end gets it";
}

TEST(CompileProfile, EndsWhoComesWithAnotherMachinesCalls) {
  SeccompProfile profile;
  profile.otherwise = kAllow;
  const auto program = CompileProfile(profile, {}).value();
  seccomp_data call{};
  call.arch = AuditArch(FilterArch::kX86);
  EXPECT_EQ(RunFilter(program, call).verdict, SECCOMP_RET_KILL_PROCESS);
  call.arch = AuditArch(FilterArch::kX86_64);
  EXPECT_EQ(RunFilter(program, call).verdict, SECCOMP_RET_ALLOW);
  call.nr = 0x40000000;
  EXPECT_EQ(RunFilter(program, call).verdict, SECCOMP_RET_ERRNO | 38u) << "x32";
}

}  // namespace
}  // namespace cluster::node
