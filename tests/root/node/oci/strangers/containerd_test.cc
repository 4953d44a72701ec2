// containerd's ctr --runc-binary cluster-oci, with a root file system made here and no network.
#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "base/file.h"
#include "tests/root/node/oci/strangers/machine.h"

namespace cluster::oci {
namespace {

using ::testing::HasSubstr;

class Containerd : public ::testing::Test {
 protected:
  static bool Installed() {
    return IsInstalled("containerd") && IsInstalled("ctr") &&
           IsInstalled("containerd-shim-runc-v2");
  }
  static void SetUpTestSuite() {
    if (!Installed()) return;
    machine_ = std::make_unique<StrangersMachine>();
    const std::string base = machine_->base() + "/containerd";
    node::WriteTestFile(
        base + "/config.toml",
        absl::StrCat("version = 2\nroot = '", base, "/root'\nstate = '", base, "/state'\n",
                     "disabled_plugins = ['io.containerd.grpc.v1.cri']\n"
                     "[grpc]\naddress = '",
                     base, "/sock'\n[ttrpc]\naddress = '", base, "/ttrpc'\n"));
    daemon_ = std::make_unique<Daemon>(
        std::vector<std::string>{"containerd", "--config", base + "/config.toml"}, base + "/log");
    ASSERT_TRUE(daemon_->ready());
  }
  static void TearDownTestSuite() {
    daemon_.reset();
    machine_.reset();
  }
  void SetUp() override {
    if (!Installed()) GTEST_SKIP() << "containerd is not installed: apt-get install containerd";
  }
  void TearDown() override {
    if (!Installed()) return;
    EXPECT_EQ(Call({"tasks", "list", "--quiet"}).out, "");
    EXPECT_EQ(Call({"containers", "list", "--quiet"}).out, "");
  }

  // Its namespace is the parent of its cgroups.
  static std::vector<std::string> Words(std::vector<std::string> words) {
    words.insert(words.begin(), {"ctr", "--address", machine_->base() + "/containerd/sock",
                                 "--namespace", machine_->group()});
    return words;
  }
  static Outcome Call(const std::vector<std::string>& words) { return RunProgram(Words(words)); }
  static Outcome Run(const std::string& id, const std::string& script,
                     std::vector<std::string> flags = {"--rm"}) {
    flags.insert(flags.begin(), {"run", "--runc-binary", machine_->Runtime(), "--rootfs"});
    flags.insert(flags.end(), {machine_->rootfs(), id, "/bin/sh", "-c", script});
    return Call(flags);
  }
  static void StartSleeping(const std::string& id) {
    const Outcome started = Run(id, "exec sleep 1000", {"--detach"});
    ASSERT_EQ(started.code, 0) << started.err;
  }
  static void End(const std::string& id) {
    EXPECT_EQ(Call({"tasks", "kill", "--signal", "SIGKILL", id}).code, 0);
    EXPECT_THAT(Call({"tasks", "delete", id}).err, HasSubstr("137"));
    EXPECT_EQ(Call({"containers", "delete", id}).code, 0);
  }

  static std::unique_ptr<StrangersMachine> machine_;
  static std::unique_ptr<Daemon> daemon_;
};

std::unique_ptr<StrangersMachine> Containerd::machine_;
std::unique_ptr<Daemon> Containerd::daemon_;

TEST_F(Containerd, RunGivesOutputAndExitCodes) {
  const Outcome outcome = Run("run", "echo out; echo err >&2; exit 7");
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
  const Outcome missing = Call({"run", "--rm", "--runc-binary", machine_->Runtime(), "--rootfs",
                                machine_->rootfs(), "missing", "/bin/missing"});
  EXPECT_EQ(missing.code, 1);
  // The runtime's own words, out of its log.
  EXPECT_THAT(missing.err, HasSubstr("exec: \"/bin/missing\": no such file or directory"));
}

TEST_F(Containerd, LimitsReachTheContainer) {
  const Outcome outcome =
      Run("limits", "exec sleep 1000", {"--detach", "--memory-limit", "20480000", "--cpus", "0.5"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::string group = machine_->group() + "/limits";
  EXPECT_EQ(StrangersMachine::ReadGroup(group, "memory", "memory.limit_in_bytes", "memory.max"),
            "20480000\n");
  EXPECT_THAT(StrangersMachine::ReadGroup(group, "cpu", "cpu.cfs_quota_us", "cpu.max"),
              HasSubstr("50000"));
  End("limits");
  EXPECT_EQ(Run("limited", "grep Seccomp: /proc/self/status; echo x 2>/dev/null > /x || echo ro",
                {"--rm", "--seccomp", "--read-only"})
                .out,
            "Seccomp:\t2\nro\n");
}

TEST_F(Containerd, ExecRunsInside) {
  StartSleeping("inside");
  Outcome outcome =
      Call({"tasks", "exec", "--exec-id", "one", "inside", "/bin/sh", "-c", "echo in; exit 3"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.out, "in\n");
  outcome = Call({"tasks", "exec", "--exec-id", "two", "inside", "missing"});
  EXPECT_THAT(outcome.err, HasSubstr("executable file not found in $PATH"));
  // What is typed arrives once ctr has connected everything; of a process that ends before, it may
  // lose what that has written.
  outcome = RunOnTerminal(Words({"tasks", "exec", "--exec-id", "three", "--tty", "inside",
                                 "/bin/sh", "-c", "tty; read line; exit 9"}),
                          "go on\n");
  EXPECT_EQ(outcome.code, 9);
  EXPECT_THAT(outcome.out, HasSubstr("/dev/pts/0\r"));
  End("inside");
}

TEST_F(Containerd, PausesAndMeasures) {
  StartSleeping("still");
  EXPECT_EQ(Call({"tasks", "pause", "still"}).code, 0);
  EXPECT_THAT(Call({"tasks", "list"}).out, HasSubstr("PAUSED"));
  EXPECT_EQ(Call({"tasks", "resume", "still"}).code, 0);
  EXPECT_THAT(Call({"tasks", "list"}).out, HasSubstr("RUNNING"));
  EXPECT_THAT(Call({"tasks", "metrics", "still"}).out, HasSubstr("pids.current"));
  EXPECT_THAT(Call({"tasks", "ps", "still"}).out, HasSubstr("PID"));
  End("still");
}

}  // namespace
}  // namespace cluster::oci
