// What a container finds, and what becomes of it: KernelRuntime with everything real.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RuntimeTest : public ::testing::Test {
 protected:
  RuntimeWorld world_;
};

TEST_F(RuntimeTest, RunsACommandToItsExitCode) {
  const auto outcome =
      world_.Run("pod-a", {"sh", "-c", "echo to stdout; echo to stderr >&2; exit 42"});
  EXPECT_EQ(outcome.state.phase, ContainerPhase::kExited);
  EXPECT_EQ(outcome.state.exit_code, 42);
  EXPECT_EQ(outcome.state.signal, 0);
  EXPECT_GE(outcome.state.finished_at, outcome.state.started_at);
  EXPECT_THAT(outcome.log, HasSubstr("to stdout\n"));
  EXPECT_THAT(outcome.log, HasSubstr("to stderr\n"));
}

TEST_F(RuntimeTest, ReportsASignalAs128PlusItsNumber) {
  world_.Prepare("pod-a");
  // Pid 1 of a namespace ignores what it has no handler for, so a shell that sets one.
  world_.StartIn("pod-a",
                 {"sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"});
  world_.AwaitLog("pod-a", "ready");
  ASSERT_TRUE(world_.runtime().Signal({"pod-a", "main", 0}, SIGTERM).ok());
  EXPECT_EQ(world_.Await("pod-a").exit_code, 7);
  EXPECT_TRUE(world_.runtime().Signal({"pod-a", "main", 0}, SIGTERM).ok()) << "ended already";

  world_.Prepare("pod-b");
  world_.StartIn("pod-b", {"sleep", "1000"});
  ASSERT_TRUE(world_.runtime().Kill({"pod-b", "main", 0}).ok());
  const ContainerState killed = world_.Await("pod-b");
  EXPECT_EQ(killed.exit_code, 137);
  EXPECT_EQ(killed.signal, SIGKILL);
  EXPECT_FALSE(killed.oom_killed);
}

TEST_F(RuntimeTest, GivesHostnameHostsAndResolver) {
  const SandboxState sandbox = world_.Prepare("pod-a");
  const auto outcome = world_.Run(
      "pod-a", {"sh", "-c", "hostname; cat /etc/hostname /etc/resolv.conf /etc/hosts; ip addr"});
  EXPECT_EQ(outcome.state.exit_code, 0);
  EXPECT_THAT(outcome.log, HasSubstr("host-of-pod-a\nhost-of-pod-a\nnameserver 10.96.0.10\n"));
  EXPECT_THAT(outcome.log, HasSubstr(absl::StrCat(sandbox.ip, "\thost-of-pod-a\n")));
  EXPECT_THAT(outcome.log, HasSubstr("10.1.2.3\tdatabase\n"));
  EXPECT_THAT(outcome.log, HasSubstr(absl::StrCat("inet ", sandbox.ip, "/")));
}

TEST_F(RuntimeTest, ReachesAnotherPodByItsAddress) {
  const SandboxState server = world_.Prepare("pod-a");
  world_.StartIn("pod-a", {"sh", "-c", "echo over the bridge | nc -l -p 7000"});
  const auto client =
      world_.Run("pod-b", {"sh", "-c",
                           absl::StrCat("until nc -w 5 ", server.ip,
                                        " 7000 </dev/null 2>/dev/null; do sleep 0.02; done")});
  EXPECT_EQ(client.log, "over the bridge\n");
}

TEST_F(RuntimeTest, PassesEnvironmentAndAddsWhatIsMissing) {
  ContainerSpec spec = world_.Spec("pod-a", {"/bin/env"});
  spec.env = {"GREETING=hello world", "EMPTY="};
  const auto outcome = world_.RunSpec(spec);
  EXPECT_THAT(outcome.log, HasSubstr("GREETING=hello world\n"));
  EXPECT_THAT(outcome.log, HasSubstr("EMPTY=\n"));
  EXPECT_THAT(outcome.log, HasSubstr("PATH=/usr/local/sbin:"));
  EXPECT_THAT(outcome.log, HasSubstr("HOSTNAME=host-of-pod-a\n"));
  EXPECT_THAT(outcome.log, HasSubstr("HOME=/root\n"));
}

TEST_F(RuntimeTest, BecomesTheUserOfTheImage) {
  ContainerSpec spec =
      world_.Spec("pod-a", {"sh", "-c", "id; echo $HOME; echo again > /dev/stdout"});
  spec.user = "app";
  const auto outcome = world_.RunSpec(spec);
  EXPECT_THAT(outcome.log, HasSubstr("uid=1000(app) gid=1000(app) groups=10(wheel),29(audio)"));
  EXPECT_THAT(outcome.log, HasSubstr("/home/app\nagain\n"));

  spec = world_.Spec("pod-b", {"id"});
  spec.user = "nobody-here";
  const auto refused = world_.RunSpec(spec);
  EXPECT_EQ(refused.state.exit_code, 128);
  EXPECT_EQ(refused.state.message, "USER is not in the image's /etc/passwd nobody-here");
}

TEST_F(RuntimeTest, MakesTheWorkingDirectory) {
  ContainerSpec spec = world_.Spec("pod-a", {"pwd"});
  spec.working_dir = "/srv/app/data";
  EXPECT_EQ(world_.RunSpec(spec).log, "/srv/app/data\n");
}

TEST_F(RuntimeTest, HasTheDevicesOfAContainer) {
  const auto outcome = world_.Run(
      "pod-a",
      {"sh", "-c",
       "ls -1 /dev /dev/pts | tr '\\n' ' '; echo; head -c 4 /dev/zero | wc -c; echo x > /dev/null;"
       "head -c 8 /dev/urandom | wc -c; (echo y > /dev/full) 2>/dev/null || echo full; readlink "
       "/dev/fd;"
       "touch /dev/shm/a && echo shm; ls -d /dev/mqueue"});
  EXPECT_THAT(outcome.log,
              HasSubstr("core fd full mqueue null ptmx pts random shm stderr stdin stdout "
                        "tty urandom zero"));
  EXPECT_THAT(outcome.log, HasSubstr("4\n8\nfull\n/proc/self/fd\nshm\n/dev/mqueue\n"));
}

TEST_F(RuntimeTest, IsPidOneInItsOwnTree) {
  const auto outcome = world_.Run("pod-a", {"sh", "-c", "echo pid $$; ls -d /proc/[0-9]* | wc -l"});
  EXPECT_THAT(outcome.log, HasSubstr("pid 1\n"));
  EXPECT_THAT(outcome.log, Not(HasSubstr("cluster-init")));
}

TEST_F(RuntimeTest, SharesNetworkIpcAndHostnameInsideAPodOnly) {
  const std::vector<std::string> look = {
      "sh", "-c",
      "for n in net ipc uts pid mnt cgroup; do readlink /proc/self/ns/$n; done; sleep 1000"};
  world_.Prepare("pod-a");
  std::vector<std::string> texts;
  for (const char* name : {"one", "two"}) {
    ContainerSpec spec = world_.Spec("pod-a", look);
    spec.name = name;
    world_.Start(spec);
    world_.AwaitLog("pod-a", "cgroup:[", name);
    texts.push_back(world_.Log("pod-a", name));
  }
  world_.Prepare("pod-b");
  world_.StartIn("pod-b", look);
  world_.AwaitLog("pod-b", "cgroup:[");
  const auto shared = [](const std::string& a, const std::string& b) {
    std::string same;
    for (const char* kind : {"net", "ipc", "uts", "pid", "mnt", "cgroup"}) {
      const auto value = [kind](const std::string& text) {
        const size_t at = text.find(absl::StrCat(kind, ":["));
        return text.substr(at, text.find(']', at) - at);
      };
      if (value(a) == value(b)) absl::StrAppend(&same, kind, " ");
    }
    return same;
  };
  EXPECT_EQ(shared(texts[0], texts[1]), "net ipc uts ");
  EXPECT_EQ(shared(texts[0], world_.Log("pod-b")), "");
}

TEST_F(RuntimeTest, SharesMemoryInsideAPod) {
  world_.Prepare("pod-a");
  ContainerSpec spec = world_.Spec("pod-a", {"sh", "-c", "echo shared > /dev/shm/note"});
  world_.Start(spec);
  world_.Await("pod-a");
  spec.name = "reader";
  spec.argv = {"cat", "/dev/shm/note"};
  world_.Start(spec);
  world_.Await("pod-a", "reader");
  EXPECT_EQ(world_.Log("pod-a", "reader"), "shared\n");
}

TEST_F(RuntimeTest, SaysWhyItCouldNotStart) {
  auto missing = world_.Run("pod-a", {"no-such-program"});
  EXPECT_EQ(missing.state.exit_code, 127);
  EXPECT_THAT(missing.state.message,
              HasSubstr("not found in the container's PATH: no-such-program"));

  WriteTestFile(world_.layer() + "/bin/script", "#!/no/interpreter\n", 0755);
  missing = world_.Run("pod-b", {"script"});
  EXPECT_EQ(missing.state.exit_code, 127);
  EXPECT_THAT(missing.state.message, HasSubstr("interpreter"));

  const auto denied = world_.Run("pod-c", {"/etc/passwd"});
  EXPECT_EQ(denied.state.exit_code, 126);
  EXPECT_THAT(denied.state.message, HasSubstr("EACCES"));
}

TEST_F(RuntimeTest, StartsAnInstanceOnlyOnce) {
  const auto first = world_.Run("pod-a", {"sh", "-c", "echo once"});
  const ContainerState again = world_.StartIn("pod-a", {"sh", "-c", "echo once"});
  EXPECT_EQ(again.phase, ContainerPhase::kExited);
  EXPECT_EQ(again.pid, first.state.pid);
  EXPECT_EQ(world_.Log("pod-a"), "once\n");

  ContainerSpec next = world_.Spec("pod-a", {"sh", "-c", "echo twice"});
  next.attempt = 1;
  world_.Start(next);
  const auto ended = world_.Await("pod-a");
  EXPECT_EQ(ended.attempt, 1);
  EXPECT_EQ(world_.Log("pod-a", "main", 1), "twice\n");
  EXPECT_EQ(world_.Log("pod-a", "main", 0), "once\n");
}

TEST_F(RuntimeTest, NamesTheOomKiller) {
  ContainerSpec spec = world_.Spec("pod-a", {"sh", "-c", "exec tail /dev/zero"});
  spec.resources.memory_limit = 16 << 20;
  const auto outcome = world_.RunSpec(spec);
  EXPECT_EQ(outcome.state.exit_code, 137);
  EXPECT_TRUE(outcome.state.oom_killed);
}

TEST_F(RuntimeTest, LimitsProcesses) {
  ContainerSpec spec = world_.Spec(
      "pod-a", {"sh", "-c", "i=0; while [ $i -lt 40 ]; do sleep 100 & i=$((i+1)); done; echo all"});
  spec.resources.pids_limit = 20;
  const auto outcome = world_.RunSpec(spec);
  EXPECT_THAT(outcome.log, HasSubstr("can't fork"));
  EXPECT_THAT(outcome.log, Not(HasSubstr("all\n")));
}

TEST_F(RuntimeTest, RefusesNamesThatAreNoNames) {
  for (const std::string& uid :
       {std::string("../../x"), std::string(4096, 'a'), std::string("a\nb"), std::string(""),
        std::string(".hidden"), std::string("a/b")}) {
    SandboxSpec sandbox;
    sandbox.uid = uid;
    sandbox.hostname = "h";
    EXPECT_EQ(world_.runtime().PrepareSandbox(sandbox).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(world_.runtime().Remove(uid).code(), absl::StatusCode::kInvalidArgument);
    ContainerSpec spec = world_.Spec("pod-a", {"true"});
    spec.name = uid;
    EXPECT_EQ(world_.runtime().StartContainer(spec).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(RuntimeTest, LeavesNothingBehind) {
  const Census before = world_.TakeCensus();
  world_.Run("pod-a", {"sh", "-c", "mkdir -p /a/b/c; touch /a/b/c/d"});
  world_.Prepare("pod-b");
  world_.StartIn("pod-b", {"sleep", "1000"});
  EXPECT_NE(world_.TakeCensus(), before) << "the census sees nothing";
  EXPECT_TRUE(world_.runtime().Remove("pod-a").ok());
  EXPECT_TRUE(world_.runtime().Remove("pod-b").ok());
  EXPECT_TRUE(world_.runtime().Remove("pod-b").ok()) << "a second time";
  world_.AwaitQuiet();
  EXPECT_EQ(Describe(world_.TakeCensus()), Describe(before));
  EXPECT_EQ(world_.runtime().Poll("pod-a").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RuntimeTest, Behaviour84_AThousandPodsMadeAndRemovedLeaveNothing) {
  const Census before = world_.TakeCensus();
  std::atomic<int> next{0};
  std::vector<std::thread> several;
  for (int i = 0; i < 4; ++i) {
    several.emplace_back([this, &next] {
      for (int round = next++; round < 1000; round = next++) {
        const std::string uid = absl::StrCat("pod-", round);
        SandboxSpec sandbox = world_.Sandbox(uid);
        // Each has a port of the node, and so an element of the rules.
        sandbox.host_ports = {{"", static_cast<uint16_t>(20000 + round), 80, "tcp"}};
        world_.Prepare(sandbox);
        world_.StartIn(uid, {"sleep", "1000"});
        EXPECT_TRUE(world_.runtime().Remove(uid).ok()) << uid;
      }
    });
  }
  for (std::thread& each : several) each.join();
  world_.AwaitQuiet();
  EXPECT_EQ(Describe(world_.TakeCensus()), Describe(before));
}

}  // namespace
}  // namespace cluster::node
