// docker with this runtime as the daemon's only one: an image made here, no bridge, no packet
// filter.
#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "base/file.h"
#include "tests/root/node/oci/strangers/machine.h"

namespace cluster::oci {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr char kImage[] = "busybox:test";

class Docker : public ::testing::Test {
 protected:
  static bool Installed() {
    return IsInstalled("dockerd") && IsInstalled("docker") && IsInstalled("containerd");
  }
  static void SetUpTestSuite() {
    if (!Installed()) return;
    machine_ = std::make_unique<StrangersMachine>();
    const std::string base = machine_->base() + "/docker";
    node::WriteTestFile(base + "/daemon.json", "{}");
    daemon_ = std::make_unique<Daemon>(std::vector<std::string>{"dockerd",
                                                                "--config-file",
                                                                base + "/daemon.json",
                                                                "--data-root",
                                                                base + "/data",
                                                                "--exec-root",
                                                                base + "/exec",
                                                                "--pidfile",
                                                                base + "/pid",
                                                                "--host",
                                                                Host(),
                                                                "--storage-driver",
                                                                "vfs",
                                                                "--bridge",
                                                                "none",
                                                                "--iptables=false",
                                                                "--ip6tables=false",
                                                                "--ip-forward=false",
                                                                "--ip-masq=false",
                                                                "--userland-proxy=false",
                                                                "--exec-opt",
                                                                "native.cgroupdriver=cgroupfs",
                                                                "--cgroup-parent",
                                                                "/" + machine_->group(),
                                                                "--add-runtime",
                                                                "cluster=" + machine_->Runtime(),
                                                                "--default-runtime",
                                                                "cluster"},
                                       base + "/log");
    ASSERT_TRUE(daemon_->ready());
    const Outcome imported = Call({"import", machine_->image_tar(), kImage});
    ASSERT_EQ(imported.code, 0) << imported.err;
  }
  static void TearDownTestSuite() {
    daemon_.reset();
    machine_.reset();
  }
  void SetUp() override {
    if (!Installed()) GTEST_SKIP() << "docker is not installed: apt-get install docker.io";
  }
  void TearDown() override {
    if (!Installed()) return;
    EXPECT_EQ(Call({"ps", "--all", "--quiet"}).out, "");
  }

  static std::string Host() { return absl::StrCat("unix://", machine_->base(), "/docker/sock"); }
  static std::vector<std::string> Words(std::vector<std::string> words) {
    words.insert(words.begin(), {"docker", "--host", Host()});
    return words;
  }
  static Outcome Call(const std::vector<std::string>& words, const std::string& input = "") {
    return RunProgram(Words(words), input);
  }
  static std::vector<std::string> Container(std::vector<std::string> flags,
                                            std::vector<std::string> command) {
    flags.insert(flags.begin(), {"run", "--network", "none"});
    flags.push_back(kImage);
    flags.insert(flags.end(), command.begin(), command.end());
    return flags;
  }
  static Outcome Run(const std::string& script, std::vector<std::string> flags = {}) {
    flags.push_back("--rm");
    return Call(Container(flags, {"sh", "-c", script}));
  }
  static void StartSleeping(const std::string& name) {
    const Outcome started = Call(Container({"--detach", "--name", name}, {"sleep", "1000"}));
    ASSERT_EQ(started.code, 0) << started.err;
  }
  static void End(const std::string& name) { EXPECT_EQ(Call({"rm", "--force", name}).code, 0); }
  static std::string Inspect(const std::string& name, const std::string& format) {
    return Call({"inspect", "--format", format, name}).out;
  }

  static std::unique_ptr<StrangersMachine> machine_;
  static std::unique_ptr<Daemon> daemon_;
};

std::unique_ptr<StrangersMachine> Docker::machine_;
std::unique_ptr<Daemon> Docker::daemon_;

TEST_F(Docker, RunGivesOutputAndExitCodes) {
  const Outcome outcome = Run("echo out; echo err >&2; exit 7");
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
  EXPECT_EQ(Call(Container({"--rm"}, {"missing"})).code, 127);
  EXPECT_EQ(Call(Container({"--rm"}, {"/etc"})).code, 126);
  EXPECT_EQ(Call(Container({"--rm", "--interactive"}, {"cat"}), "through\n").out, "through\n");
}

TEST_F(Docker, TerminalsWork) {
  Outcome outcome = RunOnTerminal(Words(Container({"--rm", "-it"}, {"sh", "-c", "tty; exit 4"})));
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.out, HasSubstr("/dev/pts/0\r\n"));
  StartSleeping("terminal");
  outcome = RunOnTerminal(Words({"exec", "-it", "terminal", "sh", "-c", "tty; exit 9"}));
  EXPECT_EQ(outcome.code, 9);
  EXPECT_THAT(outcome.out, HasSubstr("/dev/pts/0\r\n"));
  End("terminal");
}

TEST_F(Docker, ExecRunsInside) {
  StartSleeping("inside");
  const Outcome outcome = Call({"exec", "inside", "sh", "-c", "echo in; exit 3"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.out, "in\n");
  EXPECT_EQ(Call({"exec", "-u", "5:6", "-w", "/tmp", "-e", "Q=1", "inside", "sh", "-c",
                  "id -u; id -g; pwd; echo $Q"})
                .out,
            "5\n6\n/tmp\n1\n");
  // Docker 20 makes no difference between this and the next.
  const Outcome missing = Call({"exec", "inside", "missing"});
  EXPECT_THAT(missing.code, AnyOf(126, 127));
  EXPECT_THAT(missing.out + missing.err, HasSubstr("executable file not found in $PATH"));
  EXPECT_EQ(Call({"exec", "inside", "/etc"}).code, 126);
  End("inside");
}

TEST_F(Docker, PausesUpdatesAndStops) {
  StartSleeping("life");
  EXPECT_EQ(Call({"pause", "life"}).code, 0);
  EXPECT_EQ(Inspect("life", "{{.State.Status}}"), "paused\n");
  EXPECT_EQ(Call({"unpause", "life"}).code, 0);
  const Outcome updated =
      Call({"update", "--memory", "64m", "--memory-swap", "64m", "--pids-limit", "44", "life"});
  EXPECT_EQ(updated.code, 0) << updated.err;
  std::string id = Inspect("life", "{{.Id}}");
  id.pop_back();
  const std::string group = absl::StrCat(machine_->group(), "/", id);
  EXPECT_EQ(StrangersMachine::ReadGroup(group, "memory", "memory.limit_in_bytes", "memory.max"),
            "67108864\n");
  EXPECT_EQ(StrangersMachine::ReadGroup(group, "pids", "pids.max", "pids.max"), "44\n");
  EXPECT_THAT(Call({"top", "life"}).out, HasSubstr("sleep 1000"));
  EXPECT_EQ(Call({"stop", "--time", "0", "life"}).code, 0);
  EXPECT_EQ(Inspect("life", "{{.State.Status}} {{.State.ExitCode}}"), "exited 137\n");
  EXPECT_EQ(Call({"start", "life"}).code, 0);
  EXPECT_EQ(Call({"kill", "life"}).code, 0);
  EXPECT_EQ(Call({"wait", "life"}).out, "137\n");
  End("life");
}

TEST_F(Docker, LogsAndTheKernelsKillsAreKept) {
  EXPECT_EQ(Call(Container({"--name", "oom", "--memory", "16m", "--memory-swap", "16m"},
                           {"sh", "-c", "echo before; tail /dev/zero"}))
                .code,
            137);
  EXPECT_EQ(Call({"logs", "oom"}).out, "before\n");
  EXPECT_EQ(Inspect("oom", "{{.State.ExitCode}} {{.State.OOMKilled}}"), "137 true\n");
  End("oom");
}

TEST_F(Docker, LimitsAndMountsReachTheContainer) {
  node::WriteTestFile(machine_->base() + "/volume/f", "content\n");
  const Outcome outcome = Run(
      "cat /v/f; echo x 2>/dev/null > /v/f || echo volume; echo y 2>/dev/null > /y || echo root; "
      "grep -c ' /t tmpfs' /proc/mounts; cat /proc/sys/net/ipv4/ip_forward "
      "/proc/self/oom_score_adj; "
      "ls /dev/net; hostname; id -u; id -G",
      {"--volume",
       machine_->base() + "/volume:/v:ro",
       "--read-only",
       "--tmpfs",
       "/t",
       "--sysctl",
       "net.ipv4.ip_forward=1",
       "--oom-score-adj",
       "100",
       "--device",
       "/dev/null:/dev/net/null",
       "--hostname",
       "named",
       "--user",
       "1000:5",
       "--group-add",
       "30",
       "--memory",
       "40m",
       "--cpus",
       "0.5",
       "--pids-limit",
       "30",
       "--cpuset-cpus",
       "0"});
  EXPECT_EQ(outcome.out, "content\nvolume\nroot\n1\n1\n100\nnull\nnamed\n1000\n5 30\n")
      << outcome.err;
  const Outcome privileged = Run("mount -t tmpfs t /tmp && echo mounted", {"--privileged"});
  EXPECT_EQ(privileged.out, "mounted\n") << privileged.err;
}

}  // namespace
}  // namespace cluster::oci
