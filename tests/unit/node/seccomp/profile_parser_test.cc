#include "node/seccomp/profile_parser.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;

std::string Problem(const std::string& text) {
  const auto profile = ParseSeccompProfile(text);
  EXPECT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(profile.status().message());
}

TEST(ParseSeccompProfile, ReadsWhatDockerAndPodmanShip) {
  const auto profile = ParseSeccompProfile(R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "defaultErrno": "ENOSYS",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
                {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
                {"architecture": "SCMP_ARCH_S390X", "subArchitectures": ["SCMP_ARCH_S390"]}],
    "syscalls": [
      {"names": ["bdflush"], "action": "SCMP_ACT_ERRNO", "args": [], "comment": "", "includes": {},
       "excludes": {}, "errnoRet": 1, "errno": "EPERM"},
      {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
       "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
       "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390", "s390x"]}},
      {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "args": null, "includes": {"minKernel": "4.8"}}]})");
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->otherwise, (FilterVerdict{FilterAction::kErrno, 38}));
  ASSERT_EQ(profile->rules.size(), 3u);
  EXPECT_EQ(profile->rules[0].verdict, (FilterVerdict{FilterAction::kErrno, 1}));
  EXPECT_EQ(profile->rules[1].excludes.capabilities, uint64_t{1} << 21);
  EXPECT_EQ(profile->rules[1].arguments[0].test, ArgumentTest::kMaskedEqual);
  EXPECT_EQ(profile->rules[2].includes.min_kernel, (KernelVersion{4, 8}));
#if defined(__x86_64__)
  EXPECT_EQ(profile->arches, (std::vector<FilterArch>{FilterArch::kX86_64, FilterArch::kX86}));
#endif
}

TEST(ParseSeccompProfile, SaysWhereWhatIsWrong) {
  const std::string head = R"({"defaultAction": "SCMP_ACT_ALLOW", )";
  EXPECT_EQ(Problem("{}"), "defaultAction: an action is missing");
  EXPECT_EQ(Problem(head + R"("syscall": []})"),
            "syscall: this field is not known or not supported");
  EXPECT_EQ(Problem(head + R"("syscalls": [{"names": ["a"], "action": "ALLOW"}]})").substr(0, 35),
            "syscalls[0].action: 'ALLOW' is no a");
  EXPECT_EQ(Problem(head + R"("syscalls": [{"names": [], "action": "SCMP_ACT_ALLOW"}]})"),
            "syscalls[0].names: a rule needs at least one name");
  EXPECT_EQ(Problem(head + R"("syscalls": [{"names": ["a", 7], "action": "SCMP_ACT_ALLOW"}]})"),
            "syscalls[0].names[1]: must be a string");
  EXPECT_EQ(Problem(head + R"("syscalls": [{"name": "a", "action": "SCMP_ACT_ALLOW",
                              "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}]})"),
            "syscalls[0].args[0].index: a call has arguments 0 to 5");
  EXPECT_THAT(Problem(head + R"("syscalls": [{"name": "a", "action": "SCMP_ACT_ALLOW",
                               "args": [{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}]}]})"),
              HasSubstr("syscalls[0].args[0].value: must be a number from 0"));
  EXPECT_THAT(Problem(head + R"("syscalls": [{"name": "a", "action": "SCMP_ACT_ALLOW",
                               "args": [{"index": 0, "op": "=="}]}]})"),
              HasSubstr("syscalls[0].args[0].op: '==' is no comparison"));
  EXPECT_EQ(Problem(head + R"("syscalls": [{"name": "a", "action": "SCMP_ACT_ALLOW",
                              "includes": {"caps": ["CAP_ROOT"]}}]})"),
            "syscalls[0].includes.caps[0]: 'CAP_ROOT' is no capability");
  EXPECT_EQ(Problem(head + R"("architectures": ["X86"]})"),
            "architectures[0]: 'X86' is no architecture");
  EXPECT_THAT(Problem(R"({"defaultAction": "SCMP_ACT_NOTIFY"})"), HasSubstr("not supported"));
  EXPECT_THAT(Problem(head + R"("flags": ["SECCOMP_FILTER_FLAG_LOG"]})"),
              HasSubstr("flags[0]: 'SECCOMP_FILTER_FLAG_LOG' is not supported"));
  EXPECT_THAT(Problem("{\n\"defaultAction\": }"), HasSubstr("line 2"));
  EXPECT_THAT(Problem("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(Problem(std::string(kMaxProfileSize + 1, ' ')), HasSubstr("at most"));
  EXPECT_THAT(Problem(std::string(200000, '[')), HasSubstr("parse error"));
}

}  // namespace
}  // namespace cluster::node
