#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "base/file.h"
#include "base/unique_handle.h"
#include "tests/root/node/oci/oci_world.h"

namespace cluster::oci {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class OciLife : public OciWorld {
 protected:
  // A hook that appends "KIND STATUS" to base()/hooks.
  Json Hook(const std::string& kind) {
    const std::string script = absl::StrCat(
        "s=$(/bin/busybox tr -d ' \\n' | /bin/busybox sed "
        "'s/.*\"status\":\"\\([a-z]*\\)\".*/\\1/'); "
        "echo ",
        kind, " $s >> ", base(), "/hooks");
    return {{{"path", "/bin/busybox"}, {"args", {"sh", "-c", script}}}};
  }
};

TEST_F(OciLife, RunsInTheForegroundAndLeavesNothing) {
  SetCommand("echo out; echo err >&2; exit 3");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
  EXPECT_EQ(StatusOf(), "none");
  EXPECT_FALSE(fs::exists(GroupDirectory("memory")));
}

TEST_F(OciLife, PassesItsInputAndSignalsOn) {
  config["process"]["args"] = {"cat"};
  WriteConfig();
  EXPECT_EQ(Call({"run", "--bundle", bundle(), "c"}, "through\n").out, "through\n");
  SetCommand(
      "trap 'echo got it; exit 9' USR1; kill -USR1 $PPID 2>/dev/null; kill -USR1 $$; sleep 9");
  EXPECT_EQ(Run().code, 9);
}

TEST_F(OciLife, ASignalIsTheExitCodeAbove128) {
  SetCommand("kill -9 $$");
  config["linux"]["namespaces"] = {{{"type", "mount"}}, {{"type", "uts"}}};
  EXPECT_EQ(Run().code, 128 + SIGKILL);
}

TEST_F(OciLife, StatusGoesFromCreatedToStopped) {
  SetCommand("read line < /fifo");
  ASSERT_EQ(mkfifo((rootfs() + "/fifo").c_str(), 0666), 0);
  const Outcome created = Create({"--pid-file", base() + "/pid"});
  ASSERT_EQ(created.code, 0) << created.err;
  EXPECT_EQ(StatusOf(), "created");
  EXPECT_EQ(ReadFile(base() + "/pid").value(), absl::StrCat(PidOf()));
  EXPECT_EQ(Call({"start", "c"}).code, 0);
  EXPECT_EQ(StatusOf(), "running");
  const Outcome again = Call({"start", "c"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("it is running"));
  const Outcome refused = Call({"delete", "c"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("it is running"));
  node::WriteTestFile(rootfs() + "/fifo", "go\n", 0666);
  AwaitStatus("stopped");
  EXPECT_EQ(Call({"kill", "c"}).code, 1);
  EXPECT_EQ(Call({"delete", "c"}).code, 0);
  EXPECT_EQ(Call({"delete", "c"}).code, 1);
  EXPECT_THAT(Call({"state", "c"}).err, HasSubstr("container c does not exist"));
}

TEST_F(OciLife, CreatedContainersRunNothingOfTheImage) {
  SetCommand("echo ran > /ran");
  ASSERT_EQ(Create().code, 0);
  EXPECT_FALSE(fs::exists(rootfs() + "/ran"));
  EXPECT_EQ(Call({"delete", "c"}).code, 0);
  EXPECT_FALSE(fs::exists(rootfs() + "/ran"));
}

TEST_F(OciLife, ACreatedContainerHoldsNoDescriptorOfItsCaller) {
  SetCommand("true");
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(Create().code, 0);
  close(ends[1]);
  char byte;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  close(ends[0]);
}

TEST_F(OciLife, NamesAreTakenOnce) {
  SetCommand("true");
  ASSERT_EQ(Create().code, 0);
  const Outcome second = Create();
  EXPECT_EQ(second.code, 1);
  EXPECT_THAT(second.err, HasSubstr("container c exists already"));
  EXPECT_EQ(StatusOf(), "created");
}

TEST_F(OciLife, SignalsReachTheFirstProcess) {
  SetCommand(
      "trap 'echo hup > /tmp/got' HUP; echo ready > /tmp/ready; while :; do sleep 0.01; done");
  Start();
  AwaitFile(rootfs() + "/tmp/ready");
  EXPECT_EQ(Call({"kill", "c", "SIGHUP"}).code, 0);
  EXPECT_EQ(AwaitFile(rootfs() + "/tmp/got"), "hup\n");
  EXPECT_EQ(Call({"kill", "c", "FUN"}).code, 1);
  EXPECT_EQ(Call({"kill", "c", "9"}).code, 0);
  EXPECT_EQ(StatusOf(), "stopped");
}

TEST_F(OciLife, WithoutAPidNamespaceKillReachesAll) {
  config["linux"]["namespaces"] = {{{"type", "mount"}}, {{"type", "uts"}}};
  SetCommand("sleep 1000 & echo $! > /tmp/other; wait");
  Start();
  const int other = std::stoi(AwaitFile(rootfs() + "/tmp/other"));
  // Its pid stays taken until the machine's first process has reaped it; its end is told at once.
  pollfd ended{static_cast<int>(syscall(SYS_pidfd_open, other, 0)), POLLIN, 0};
  const UniqueFd handle(ended.fd);
  ASSERT_TRUE(handle.valid());
  EXPECT_EQ(poll(&ended, 1, 0), 0);
  EXPECT_EQ(Call({"kill", "c", "KILL"}).code, 0);
  EXPECT_EQ(Call({"delete", "c"}).code, 0);
  EXPECT_EQ(poll(&ended, 1, 60'000), 1);
}

TEST_F(OciLife, ForceDeletesWhatRunsAndForgivesWhatIsNotThere) {
  SetCommand("sleep 1000");
  Start();
  EXPECT_EQ(Call({"delete", "--force", "c"}).code, 0);
  EXPECT_EQ(StatusOf(), "none");
  EXPECT_EQ(Call({"delete", "--force", "c"}).code, 0);
}

TEST_F(OciLife, DeletesAllThatMatchARegularExpression) {
  SetCommand("sleep 1000");
  const std::string group = config["linux"]["cgroupsPath"];
  for (const char* id : {"job-1", "job-2", "web"}) {
    config["linux"]["cgroupsPath"] = absl::StrCat(group, "-", id);
    WriteConfig();
    ASSERT_EQ(CallToFiles({"run", "--detach", "--bundle", bundle(), id}).code, 0);
  }
  EXPECT_EQ(Call({"delete", "--force", "--regex", "^job-[0-9]+$"}).code, 0);
  EXPECT_EQ(Call({"list", "-q"}).out, "web\n");
  EXPECT_THAT(Call({"delete", "--regex", "("}).err, HasSubstr("--regex '('"));
  EXPECT_THAT(Call({"delete", "--regex", "w"}).err, HasSubstr("container web")) << "it runs";
  EXPECT_EQ(Call({"delete", "--force", "--regex", "w"}).code, 0);
}

// By somebody who froze it in a group of his own, on cgroup v1: it would not even die.
TEST_F(OciLife, ForceDeletesWhatIsFrozenElsewhere) {
  const std::string freezer = "/sys/fs/cgroup/freezer";
  if (access((freezer + "/tasks").c_str(), W_OK) != 0) GTEST_SKIP() << "no v1 freezer here";
  SetCommand("sleep 1000");
  Start();
  const int pid = PidOf();
  ASSERT_GT(pid, 0) << "0 would be this test itself";
  const std::string foreign = absl::StrCat(freezer, "/cluster-test-frozen-", getpid());
  ASSERT_EQ(mkdir(foreign.c_str(), 0755), 0);
  EXPECT_TRUE(WriteControlAt(AT_FDCWD, foreign + "/tasks", absl::StrCat(pid)).ok());
  EXPECT_TRUE(WriteControlAt(AT_FDCWD, foreign + "/freezer.state", "FROZEN").ok());
  const Outcome deleted = Call({"delete", "--force", "c"});
  EXPECT_TRUE(WriteControlAt(AT_FDCWD, foreign + "/freezer.state", "THAWED").ok());
  EXPECT_EQ(deleted.code, 0) << deleted.err;
  EXPECT_EQ(StatusOf(), "none");
  EXPECT_EQ(rmdir(foreign.c_str()), 0);
}

TEST_F(OciLife, HooksWithoutAnEnvironmentHaveTheRuntimes) {
  const std::string shell = "/bin/sh";
  const std::string print = absl::StrCat("echo \"[$CLUSTER_TEST_WORD]\" >> ", base(), "/words");
  const Json inherits = {{"path", shell}, {"args", {"sh", "-c", print}}};
  Json has_own = inherits;
  has_own["env"] = {"CLUSTER_TEST_WORD=own"};
  Json has_none = inherits;
  has_none["env"] = Json::array();
  config["hooks"]["createRuntime"] = {inherits, has_own, has_none};
  SetCommand("true");
  ASSERT_EQ(setenv("CLUSTER_TEST_WORD", "given", 1), 0);
  const Outcome outcome = Run();
  unsetenv("CLUSTER_TEST_WORD");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(ReadFile(base() + "/words").value_or(""), "[given]\n[own]\n[]\n");
}

TEST_F(OciLife, PauseHoldsEveryProcess) {
  SetCommand("i=0; while :; do i=$((i+1)); echo $i > /tmp/count; done");
  Start();
  AwaitFile(rootfs() + "/tmp/count");
  ASSERT_EQ(Call({"pause", "c"}).code, 0);
  EXPECT_EQ(StatusOf(), "paused");
  const std::string count = ReadFile(rootfs() + "/tmp/count").value();
  for (int i = 0; i < 1000; ++i) sched_yield();
  EXPECT_EQ(ReadFile(rootfs() + "/tmp/count").value(), count);
  EXPECT_EQ(Call({"pause", "c"}).code, 1);
  EXPECT_THAT(Exec("true").err, HasSubstr("cannot exec in a paused container"));
  ASSERT_EQ(Call({"resume", "c"}).code, 0);
  EXPECT_EQ(StatusOf(), "running");
  EXPECT_EQ(Call({"resume", "c"}).code, 1);
  ASSERT_EQ(Call({"pause", "c"}).code, 0);
  EXPECT_EQ(Call({"delete", "--force", "c"}).code, 0);
}

TEST_F(OciLife, ListAndPsShowWhatRuns) {
  SetCommand("sleep 1000");
  Start();
  EXPECT_EQ(Call({"list", "-q"}).out, "c\n");
  const Json list = Json::parse(Call({"list", "--format", "json"}).out);
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0]["status"], "running");
  EXPECT_EQ(list[0]["bundle"], fs::canonical(bundle()).string());
  EXPECT_THAT(Call({"list"}).out, StartsWith("ID  PID"));
  EXPECT_THAT(Json::parse(Call({"ps", "--format", "json", "c"}).out),
              ::testing::Contains(Json(PidOf())));
  EXPECT_THAT(Call({"ps", "c"}).out, HasSubstr("sleep 1000"));
}

TEST_F(OciLife, PsIsTheMachinesOwnWhereThatIsAsked) {
  // A shell that says so is through with its exec, and what ps shows of it stays.
  SetCommand("echo up > /tmp/up; sleep 1000; true");
  Start();
  AwaitFile(rootfs() + "/tmp/up");
  const std::string pid = absl::StrCat(PidOf());
  const Outcome all = Call({"ps", "c", "-e", "-o", "pid,args"});
  EXPECT_THAT(all.out,
              AllOf(::testing::ContainsRegex("PID +COMMAND\n"), HasSubstr(pid + " sh -c ")));
  EXPECT_THAT(all.out, Not(HasSubstr("oci_root_test")));
  EXPECT_THAT(Call({"ps", "c", "-e", "-o", "args"}).err, HasSubstr("no column PID"));
  EXPECT_THAT(Call({"ps", "c", "--no-such-option"}).err, HasSubstr("ps --no-such-option failed"));
}

TEST_F(OciLife, AllOfAStoppedContainerAreSignalled) {
  SetCommand("true");
  Start();
  AwaitStatus("stopped");
  EXPECT_EQ(Call({"kill", "--all", "c", "TERM"}).code, 0) << "none is all of them";
  EXPECT_EQ(Call({"kill", "c", "TERM"}).code, 1);
}

TEST_F(OciLife, HooksRunInTheirOrderWithTheState) {
  for (const char* kind :
       {"prestart", "createRuntime", "createContainer", "poststart", "poststop"}) {
    config["hooks"][kind] = Hook(kind);
  }
  // In the container: its root is the image.
  config["hooks"]["startContainer"] = {
      {{"path", "/bin/sh"}, {"args", {"sh", "-c", "echo startContainer > /started"}}}};
  SetCommand("cat /started");
  ASSERT_EQ(Create().code, 0);
  EXPECT_EQ(ReadFile(base() + "/hooks").value(),
            "prestart creating\ncreateRuntime creating\ncreateContainer creating\n");
  EXPECT_EQ(Call({"start", "c"}).code, 0);
  AwaitStatus("stopped");
  EXPECT_EQ(ReadFile(base() + "/out").value(), "startContainer\n");
  EXPECT_EQ(Call({"delete", "c"}).code, 0);
  EXPECT_EQ(ReadFile(base() + "/hooks").value(),
            "prestart creating\ncreateRuntime creating\ncreateContainer creating\n"
            "poststart running\npoststop stopped\n");
}

TEST_F(OciLife, HooksOfARunComeBeforeItsProgram) {
  for (const char* kind : {"prestart", "createRuntime", "createContainer", "poststop"}) {
    config["hooks"][kind] = Hook(kind);
  }
  // With nothing but its path, and a state that it does not read.
  config["hooks"]["startContainer"] = {{{"path", "/bin/true"}}};
  AddMount("/seen", "bind", base(), {"rbind"});
  SetCommand("cat /seen/hooks");
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "prestart creating\ncreateRuntime creating\ncreateContainer creating\n");
  EXPECT_THAT(ReadFile(base() + "/hooks").value(), EndsWith("poststop stopped\n"));
}

TEST_F(OciLife, AFailingHookEndsTheStartAndLeavesNothing) {
  config["hooks"]["createRuntime"] = {
      {{"path", "/bin/busybox"}, {"args", {"sh", "-c", "echo broken; exit 4"}}}};
  config["hooks"]["poststop"] = Hook("poststop");
  SetCommand("true");
  const Outcome outcome = Create();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("createRuntime hook: /bin/busybox failed with exit status 4: "
                                     "broken"));
  EXPECT_EQ(StatusOf(), "none");
  EXPECT_FALSE(fs::exists(GroupDirectory("memory")));
  EXPECT_EQ(ReadFile(base() + "/hooks").value(), "poststop stopped\n");
}

TEST_F(OciLife, AHookThatRunsOutOfTimeIsKilled) {
  config["hooks"]["createContainer"] = {
      {{"path", "/bin/busybox"}, {"args", {"sleep", "1000"}}, {"timeout", 1}}};
  SetCommand("true");
  EXPECT_THAT(Create().err, HasSubstr("did not end within 1 s and was killed"));
}

TEST_F(OciLife, WhatCannotStartSaysWhyAndLeavesNothing) {
  config["process"]["args"] = {"missing"};
  EXPECT_THAT(Create().err, HasSubstr("exec: \\\"missing\\\": executable file not found in $PATH"));
  config["process"]["args"] = {"/etc/passwd"};
  EXPECT_THAT(Create().err, HasSubstr("exec: \\\"/etc/passwd\\\": permission denied"));
  config["process"]["args"] = {"/etc"};
  EXPECT_THAT(Create().err, HasSubstr("exec: \\\"/etc\\\": is a directory: permission denied"));
  node::WriteTestFile(rootfs() + "/bin/script", "#!/bin/nothing\n", 0755);
  config["process"]["args"] = {"/bin/script"};
  EXPECT_THAT(Run().err, HasSubstr("its interpreter"));
  EXPECT_EQ(StatusOf(), "none");
  EXPECT_FALSE(fs::exists(GroupDirectory("memory")));
}

TEST_F(OciLife, ErrorsGoToTheLogInTheFormAskedFor) {
  config["process"]["args"] = {"missing"};
  WriteConfig();
  const std::string log = base() + "/log";
  EXPECT_EQ(Call({"--log", log, "--log-format", "json", "create", "--bundle", bundle(), "c"}).code,
            1);
  const Json line = Json::parse(ReadFile(log).value());
  EXPECT_EQ(line["level"], "error");
  EXPECT_THAT(line["msg"].get<std::string>(), HasSubstr("executable file not found"));
  EXPECT_TRUE(line.contains("time"));
}

TEST_F(OciLife, WrongUseHasItsOwnExitCode) {
  EXPECT_EQ(Call({"fly"}).code, 2);
  EXPECT_EQ(Call({"state"}).code, 2);
  EXPECT_EQ(Call({"state", "--color", "c"}).code, 2);
  EXPECT_EQ(Call({"state", "../c"}).code, 1);
  const Outcome systemd = Call({"--systemd-cgroup", "list"});
  EXPECT_EQ(systemd.code, 1);
  EXPECT_THAT(systemd.err, HasSubstr("--systemd-cgroup is not supported"));
}

// Recorded before made: a start that was killed half-way can be taken back.
TEST_F(OciLife, AKilledStartIsDeletedLikeAnyOther) {
  config["hooks"]["createRuntime"] = {
      {{"path", "/bin/busybox"}, {"args", {"sh", "-c", "kill -9 $PPID"}}}};
  SetCommand("true");
  EXPECT_EQ(Create().code, 128 + SIGKILL);
  EXPECT_TRUE(fs::exists(GroupDirectory("memory")));
  EXPECT_EQ(Call({"delete", "--force", "c"}).code, 0);
  EXPECT_FALSE(fs::exists(GroupDirectory("memory")));
  EXPECT_EQ(StatusOf(), "none");
}

// Row 25 of the security profile.
TEST_F(OciLife, Row25_AGroupInUseOrFrozenIsRefused) {
  SetCommand("true");
  const std::string taken = GroupDirectory("freezer");
  fs::create_directories(taken);
  const auto write = [&taken](const std::string& file, const std::string& value) {
    EXPECT_TRUE(WriteControlAt(AT_FDCWD, taken + file, value).ok()) << file;
  };
  const std::string state = IsPureV2() ? "/cgroup.freeze" : "/freezer.state";
  write(state, IsPureV2() ? "1" : "FROZEN");
  EXPECT_THAT(Create().err, HasSubstr("cgroup unexpectedly frozen"));
  EXPECT_EQ(ReadFile(taken + state).value_or(""), IsPureV2() ? "1\n" : "FROZEN\n")
      << "it is not ours";
  EXPECT_THAT(Create().err, HasSubstr("cgroup unexpectedly frozen"));
  write(state, IsPureV2() ? "0" : "THAWED");
  write("/cgroup.procs", absl::StrCat(getpid()));
  EXPECT_THAT(Create().err, HasSubstr("exists and holds processes"));
  write("/../../cgroup.procs", absl::StrCat(getpid()));
  EXPECT_EQ(rmdir(taken.c_str()), 0);
}

}  // namespace
}  // namespace cluster::oci
