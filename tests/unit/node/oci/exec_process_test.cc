#include "node/oci/exec_process.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Process Base() {
  Process process;
  process.args = {"server"};
  process.cwd = "/srv";
  process.env = {"PATH=/bin", "A=1"};
  process.user.uid = 7;
  process.user.gid = 8;
  process.capabilities = Capabilities{1, 1, 0, 1, 0};
  return process;
}

absl::StatusOr<Process> Make(std::vector<std::string> words,
                             std::vector<std::string> command = {"ls"}) {
  const auto flags = ParseArguments(ExecFlags(), words, false);
  if (!flags.ok()) return flags.status();
  return ExecProcessOf(*flags, command, Base());
}

TEST(OciExecProcess, IsTheContainersOwnWhereNothingElseIsSaid) {
  const auto process = Make({});
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_THAT(process->args, ElementsAre("ls"));
  EXPECT_EQ(process->cwd, "/srv");
  EXPECT_EQ(process->user.uid, 7u);
  EXPECT_FALSE(process->terminal);
  EXPECT_EQ(process->capabilities->effective, 1u);
}

TEST(OciExecProcess, FlagsChangeIt) {
  const auto process = Make({"-t", "--cwd", "/", "-e", "A=2", "-e", "B=", "-u", "1000:100", "-g",
                             "5", "--cap", "CAP_KILL", "--no-new-privs"});
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_TRUE(process->terminal);
  EXPECT_EQ(process->cwd, "/");
  EXPECT_THAT(process->env, ElementsAre("PATH=/bin", "A=2", "B="));
  EXPECT_EQ(process->user.uid, 1000u);
  EXPECT_EQ(process->user.gid, 100u);
  EXPECT_THAT(process->user.additional_gids, ElementsAre(5));
  EXPECT_EQ(process->capabilities->effective, 0x21u);
  EXPECT_TRUE(process->no_new_privileges);
}

// CVE-2022-29162: what is added must not be inherited by programs with file capabilities.
TEST(OciExecProcess, Row16_AddedCapabilitiesAreNotInheritable) {
  EXPECT_EQ(Make({"--cap", "CAP_SYS_ADMIN"})->capabilities->inheritable, 0u);
  EXPECT_EQ(Make({"--cap", "CAP_SYS_ADMIN"})->capabilities->ambient, 0u);
}

// CVE-2026-30892: a user that is read as another one than it says.
TEST(OciExecProcess, Row16_UsersAreDecimalNumbersAndNothingElse) {
  for (const char* good :
       {"0", "1000", "1000:0", "0:1000", "4294967294", "4294967294:4294967294"}) {
    EXPECT_TRUE(ParseExecUser(good, User()).ok()) << good;
  }
  for (const char* bad : {"",
                          ":",
                          "0x0",
                          "0x",
                          "1000:",
                          ":1000",
                          "-1",
                          "-0",
                          "+5",
                          " 0",
                          "0 ",
                          "1 000",
                          "1e3",
                          "1.0",
                          "root",
                          "root:root",
                          "0:root",
                          "1000:1000:1000",
                          "1000::",
                          "4294967295",
                          "0:4294967295",
                          "4294967296",
                          "99999999999999999999",
                          "0,0",
                          "0;0",
                          "0\n",
                          "0x3e8:0",
                          "٣",
                          "0:0 "}) {
    EXPECT_FALSE(ParseExecUser(bad, User()).ok()) << "'" << bad << "'";
  }
}

TEST(OciExecProcess, MistakesAreNamed) {
  EXPECT_THAT(Make({}, {}).status().message(), HasSubstr("which program to run"));
  EXPECT_THAT(Make({"--cwd", "tmp"}).status().message(), HasSubstr("must be absolute"));
  EXPECT_THAT(Make({"-e", "=x"}).status().message(), HasSubstr("must be NAME=VALUE"));
  EXPECT_THAT(Make({"-e", "x"}).status().message(), HasSubstr("must be NAME=VALUE"));
}

// A newer kernel's, say: it goes without, as with those of config.json.
TEST(ExecProcess, UnknownCapabilitiesArePassedOver) {
  const auto process = Make({"--cap", "CAP_FUN", "--cap", "CAP_KILL"});
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(process->capabilities->effective & (uint64_t{1} << 5), uint64_t{1} << 5);
}

}  // namespace
}  // namespace cluster::oci
