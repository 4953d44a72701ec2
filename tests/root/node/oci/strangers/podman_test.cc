// podman --runtime cluster-oci, with an image made here and no network.
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "base/file.h"
#include "tests/root/node/oci/strangers/machine.h"

namespace cluster::oci {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPodmanImage[] = "localhost/busybox:test";

class Podman : public ::testing::Test {
 protected:
  static bool Installed() { return IsInstalled("podman") && IsInstalled("conmon"); }
  static void SetUpTestSuite() {
    if (!Installed()) return;
    machine_ = std::make_unique<StrangersMachine>();
    node::WriteTestFile(machine_->base() + "/containers.conf", "");
    setenv("CONTAINERS_CONF", (machine_->base() + "/containers.conf").c_str(), 1);
    const Outcome imported = Call({"import", machine_->image_tar(), kPodmanImage});
    ASSERT_EQ(imported.code, 0) << imported.err;
  }
  static void TearDownTestSuite() { machine_.reset(); }
  void SetUp() override {
    if (!Installed()) GTEST_SKIP() << "podman is not installed: apt-get install podman";
  }
  void TearDown() override {
    if (!Installed()) return;
    EXPECT_EQ(Call({"rm", "--all", "--force", "--time", "0"}).code, 0);
    EXPECT_EQ(Call({"ps", "--all", "--quiet"}).out, "");
  }

  static std::vector<std::string> Words(const std::vector<std::string>& words) {
    const std::string base = machine_->base() + "/podman";
    std::vector<std::string> all = {
        "podman",      "--root",           base + "/root",     "--runroot",
        base + "/run", "--tmpdir",         base + "/tmp",      "--storage-driver",
        "vfs",         "--cgroup-manager", "cgroupfs",         "--events-backend",
        "file",        "--runtime",        machine_->Runtime()};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
  static Outcome Call(const std::vector<std::string>& words, const std::string& input = "") {
    return RunProgram(Words(words), input);
  }
  // `podman VERB`, run or create, with what every container gets.
  static std::vector<std::string> Container(const std::string& verb, std::vector<std::string> flags,
                                            std::vector<std::string> command) {
    // podman's own default may be more than the machine lets us give.
    flags.insert(flags.begin(),
                 {verb, "--network", "none", "--ulimit", "nofile=1024:2048", "--ulimit",
                  "nproc=2048:4096", "--cgroup-parent", "/" + machine_->group()});
    flags.push_back(kPodmanImage);
    flags.insert(flags.end(), command.begin(), command.end());
    return flags;
  }
  static Outcome Run(const std::string& script, std::vector<std::string> flags = {}) {
    flags.push_back("--rm");
    return Call(Container("run", flags, {"sh", "-c", script}));
  }
  static void StartSleeping(const std::string& name) {
    const Outcome started = Call(Container("run", {"--detach", "--name", name}, {"sleep", "1000"}));
    ASSERT_EQ(started.code, 0) << started.err;
  }
  static std::string Inspect(const std::string& name, const std::string& format) {
    return Call({"inspect", "--format", format, name}).out;
  }

  static std::unique_ptr<StrangersMachine> machine_;
};

std::unique_ptr<StrangersMachine> Podman::machine_;

TEST_F(Podman, RunGivesOutputAndExitCodes) {
  const Outcome outcome = Run("echo out; echo err >&2; exit 7");
  EXPECT_EQ(outcome.code, 7);
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
  EXPECT_EQ(Run("kill -9 $$ ; sleep 9", {"--pid", "host"}).code, 137);
  // 127 and 126 are told apart by what the runtime says.
  EXPECT_EQ(Call(Container("run", {"--rm"}, {"missing"})).code, 127);
  EXPECT_EQ(Call(Container("run", {"--rm"}, {"/etc"})).code, 126);
  EXPECT_EQ(Call(Container("run", {"--rm", "--interactive"}, {"cat"}), "through\n").out,
            "through\n");
}

TEST_F(Podman, ExecRunsInside) {
  StartSleeping("e");
  const Outcome outcome = Call({"exec", "e", "sh", "-c", "echo in; exit 3"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.out, "in\n");
  EXPECT_EQ(Call({"exec", "--interactive", "e", "cat"}, "through\n").out, "through\n");
  EXPECT_EQ(Call({"exec", "--user", "5:6", "--workdir", "/tmp", "--env", "Q=1", "e", "sh", "-c",
                  "id -u; id -g; pwd; echo $Q"})
                .out,
            "5\n6\n/tmp\n1\n");
  EXPECT_EQ(Call({"exec", "e", "missing"}).code, 127);
  EXPECT_EQ(Call({"exec", "e", "/etc"}).code, 126);
  EXPECT_EQ(Call({"exec", "--detach", "e", "sh", "-c", "echo d > /detached"}).code, 0);
}

TEST_F(Podman, LogsAndExitCodesAreKept) {
  const std::string script =
      "trap 'echo term; exit 5' TERM; echo up; read go < /fifo; while :; do sleep 0.01; done";
  ASSERT_EQ(Call(Container("run", {"--detach", "--name", "l"}, {"sh", "-c", script})).code, 0);
  // Waits for who reads, which is there once the trap is set.
  EXPECT_EQ(Call({"exec", "l", "sh", "-c", "echo go > /fifo"}).code, 0);
  EXPECT_EQ(Call({"kill", "--signal", "TERM", "l"}).code, 0);
  EXPECT_EQ(Call({"wait", "l"}).out, "5\n");
  EXPECT_EQ(Call({"logs", "l"}).out, "up\nterm\n");
  EXPECT_EQ(Inspect("l", "{{.State.Status}} {{.State.ExitCode}}"), "exited 5\n");
}

TEST_F(Podman, KillStopAndRestart) {
  StartSleeping("k");
  EXPECT_EQ(Call({"kill", "k"}).code, 0);
  EXPECT_EQ(Call({"wait", "k"}).out, "137\n");
  EXPECT_EQ(Call({"start", "k"}).code, 0);
  EXPECT_EQ(Call({"restart", "--time", "0", "k"}).code, 0);
  EXPECT_EQ(Inspect("k", "{{.State.Status}}"), "running\n");
  EXPECT_EQ(Call({"stop", "--time", "0", "k"}).code, 0);
  EXPECT_EQ(Inspect("k", "{{.State.Status}} {{.State.ExitCode}}"), "exited 137\n");
}

TEST_F(Podman, CreatesBeforeItStarts) {
  ASSERT_EQ(Call(Container("create", {"--name", "i"}, {"echo", "started"})).code, 0);
  EXPECT_EQ(Call({"init", "i"}).code, 0);
  EXPECT_EQ(Inspect("i", "{{.State.Status}}"), "initialized\n");
  EXPECT_EQ(Call({"start", "--attach", "i"}).out, "started\n");
}

TEST_F(Podman, PausesAndUpdates) {
  StartSleeping("p");
  EXPECT_EQ(Call({"pause", "p"}).code, 0);
  EXPECT_EQ(Inspect("p", "{{.State.Status}}"), "paused\n");
  EXPECT_EQ(Call({"unpause", "p"}).code, 0);
  EXPECT_EQ(Inspect("p", "{{.State.Status}}"), "running\n");
  EXPECT_EQ(Call({"update", "--memory", "64m", "p"}).code, 0);
  std::string id = Inspect("p", "{{.Id}}");
  id.pop_back();
  EXPECT_EQ(StrangersMachine::ReadGroup(absl::StrCat(machine_->group(), "/libpod-", id), "memory",
                                        "memory.limit_in_bytes", "memory.max"),
            "67108864\n");
  EXPECT_THAT(Call({"top", "p"}).out, HasSubstr("sleep 1000"));
  EXPECT_EQ(Call({"stats", "--no-stream", "--format", "{{.PIDs}}", "p"}).out, "1\n");
}

TEST_F(Podman, TerminalsWork) {
  std::vector<std::string> words =
      Container("run", {"--rm", "-it"}, {"sh", "-c", "tty; stty size; exit 4"});
  Outcome outcome = RunOnTerminal(Words(words));
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.out, HasSubstr("/dev/pts/0\r\n"));
  StartSleeping("t");
  outcome = RunOnTerminal(Words({"exec", "-it", "t", "sh", "-c", "tty; exit 9"}));
  EXPECT_EQ(outcome.code, 9);
  EXPECT_THAT(outcome.out, HasSubstr("/dev/pts/0\r\n"));
}

TEST_F(Podman, LimitsAndMountsReachTheContainer) {
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
}

TEST_F(Podman, PrivilegesAreWhatWasAskedFor) {
  EXPECT_THAT(Run("grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status").out,
              AllOf(HasSubstr("NoNewPrivs:\t0"), HasSubstr("Seccomp:\t2")));
  EXPECT_THAT(Run("grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status",
                  {"--security-opt", "no-new-privileges", "--security-opt", "seccomp=unconfined"})
                  .out,
              AllOf(HasSubstr("NoNewPrivs:\t1"), HasSubstr("Seccomp:\t0")));
  const Outcome privileged = Run("mount -t tmpfs t /tmp && echo mounted", {"--privileged"});
  EXPECT_EQ(privileged.out, "mounted\n") << privileged.err;
  EXPECT_NE(Run("mount -t tmpfs t /tmp").code, 0);
}

TEST_F(Podman, UserNamespacesMapIds) {
  fs::permissions(machine_->base(), fs::perms(0755));
  const Outcome outcome =
      Run("id -u; cat /proc/self/uid_map | tr -s ' '; touch /made && stat -c %u /made",
          {"--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"});
  EXPECT_EQ(outcome.out, "0\n 0 100000 65536\n0\n") << outcome.err;
}

// Asks for mounts that systemd wants, among them one into the container's cgroups.
TEST_F(Podman, ContainersCanBeMadeForSystemd) {
  const Outcome outcome = Run("grep -c ' /run tmpfs' /proc/mounts", {"--systemd", "always"});
  EXPECT_EQ(outcome.out, "1\n") << outcome.err;
}

TEST_F(Podman, RestartsWhatFails) {
  ASSERT_EQ(Call(Container("run", {"--detach", "--name", "r", "--restart", "on-failure:2"},
                           {"sh", "-c", "echo once; exit 3"}))
                .code,
            0);
  EXPECT_EQ(Call({"logs", "--follow", "r"}).out.substr(0, 5), "once\n");
}

// Whether podman calls it OOMKilled depends on conmon: with cgroup v1 it misses it, with any
// runtime.
TEST_F(Podman, TheKernelsKillsAreExitCodes) {
  EXPECT_EQ(Call(Container("run", {"--rm", "--memory", "16m", "--memory-swap", "16m"},
                           {"tail", "/dev/zero"}))
                .code,
            137);
}

}  // namespace
}  // namespace cluster::oci
