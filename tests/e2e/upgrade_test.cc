// Agents are replaced by programs of another version while pods run (behaviour 82): files are put
// in the place of others by rename, as a package does, and agents end by SIGTERM, as systemd ends
// them to start them anew.
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/local/layout.h"
#include "cli/local/process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"

namespace cluster::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* kNodes[] = {"node1", "node2"};
constexpr const char* kPrograms[] = {"clusterctl", "cluster-controller", "cluster-node",
                                     "cluster-init"};
// Numbered lines without end; ends with `code` when it is asked to.
std::string CountUntilAsked(int code) {
  return absl::StrCat("trap \"echo bye; exit ", code,
                      "\" TERM; i=0; while true; do echo line $i; i=$((i+1)); sleep 0.01; done");
}

// A directory of programs that the cluster is started from.
class Installation : public testing::Environment {
 public:
  void SetUp() override {
    const char* built = getenv("CLUSTER_BIN_DIR");
    const std::string from = built == nullptr ? "build/bin" : built;
    char path[] = "/tmp/cluster-upgrade-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    for (const char* program : kPrograms) {
      fs::copy_file(absl::StrCat(from, "/", program), absl::StrCat(path, "/", program));
    }
    setenv("CLUSTER_BIN_DIR", path, 1);
  }
  void TearDown() override { fs::remove_all(getenv("CLUSTER_BIN_DIR")); }
};

std::string PathOf(const std::string& program) {
  return absl::StrCat(getenv("CLUSTER_BIN_DIR"), "/", program);
}

// Puts another file in the program's place; whoever runs the old one keeps it.
void Install(const std::string& program) {
  const std::string path = PathOf(program);
  fs::copy_file(path, path + ".new");
  std::ofstream(path + ".new", std::ios::app) << "another version";
  fs::rename(path + ".new", path);
}

// Which file it is, whatever its name is by now. Also of "/proc/PID/exe".
using FileId = std::pair<dev_t, ino_t>;
FileId FileAt(const std::string& path) {
  struct stat file {};
  EXPECT_EQ(stat(path.c_str(), &file), 0) << path;
  return {file.st_dev, file.st_ino};
}
FileId ProgramOf(int64_t pid) { return FileAt(absl::StrCat("/proc/", pid, "/exe")); }

// The fields of /proc/PID/stat behind the name; none when it has ended.
std::vector<std::string> StatOf(int64_t pid) {
  const std::string stat = ReadFile(absl::StrCat("/proc/", pid, "/stat")).value_or("");
  const size_t end_of_name = stat.rfind(')');
  if (end_of_name == std::string::npos) return {};
  return absl::StrSplit(stat.substr(end_of_name + 2), ' ');
}
bool HasEnded(int64_t pid) {
  const std::vector<std::string> fields = StatOf(pid);
  return fields.empty() || fields[0] == "Z";
}

// A pod's first container as the kernel knows it: no other process is ever equal to it.
struct Instance {
  int64_t pid = 0;
  std::string started;  // in clock ticks
  int64_t init = 0;     // its cluster-init
  FileId init_program;
  friend bool operator==(const Instance&, const Instance&) = default;
  friend void PrintTo(const Instance& instance, std::ostream* out) {
    *out << "pid " << instance.pid << " since " << instance.started << ", cluster-init "
         << instance.init << " of inode " << instance.init_program.second;
  }
};
Instance InstanceOf(const nlohmann::json& pod) {
  Instance instance;
  instance.pid = PidOf(pod);
  const std::vector<std::string> fields = StatOf(instance.pid);
  EXPECT_GT(fields.size(), 19u) << pod["metadata"]["name"] << " does not run";
  if (fields.size() <= 19) return instance;
  instance.started = fields[19];
  EXPECT_TRUE(absl::SimpleAtoi(fields[1], &instance.init));
  instance.init_program = ProgramOf(instance.init);
  return instance;
}
std::map<std::string, Instance> InstancesOf(const std::string& app) {
  std::map<std::string, Instance> instances;
  for (const auto& pod : PodsOf(app)) instances[pod["metadata"]["name"]] = InstanceOf(pod);
  return instances;
}

// What is on the node's disk, while no agent tells of it.
std::string LogFileOf(const nlohmann::json& pod) {
  const std::string uid = pod["metadata"]["uid"];
  const std::string node = pod["spec"]["nodeName"];
  return absl::StrCat(cli::Layout{ClusterName()}.State(), "/", node, "/pods/", uid,
                      "/containers/main/0.log");
}

// The numbers of these lines are 0, 1, 2, ... without gap or repetition; returns how many.
int64_t CheckLines(absl::string_view text, const std::string& pod) {
  int64_t expected = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (line == "bye") continue;
    int64_t number = -1;
    EXPECT_TRUE(absl::ConsumePrefix(&line, "line ") && absl::SimpleAtoi(line, &number)) << line;
    EXPECT_EQ(number, expected) << pod;
    if (number != expected) break;
    ++expected;
  }
  return expected;
}

class UpgradeE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override {
    // Also after a test that broke off.
    for (const char* node : kNodes) CtlOut({"local", "start", node});
    CtlOut({"delete", "deployments,pods", "--all", "--timeout", "60s"});
  }

  static int AgentOf(const std::string& node) {
    const auto running = cli::FindRunning(cli::Layout{ClusterName()}.PidFile(node));
    return running.ok() ? running->pid : 0;
  }
  static void EndAgents() {
    for (const char* node : kNodes) {
      ASSERT_NE(AgentOf(node), 0) << node;
      const absl::Status ended =
          cli::End(cli::Layout{ClusterName()}.PidFile(node), SIGTERM, absl::Seconds(30));
      ASSERT_TRUE(ended.ok()) << ended;
    }
  }
  // Returns once each of them runs pods: a node counts as ready all the time.
  static void StartAgents(const std::string& first_pod) {
    for (const char* node : kNodes) {
      CtlOut({"local", "start", node});
      EXPECT_EQ(ProgramOf(AgentOf(node)), FileAt(PathOf("cluster-node"))) << node;
    }
    for (const char* node : kNodes) {
      PodText pod{.name = absl::StrCat(first_pod, "-", node)};
      pod.extra_spec = absl::StrCat("  nodeSelector: {kubernetes.io/hostname: ", node, "}\n");
      Apply(pod.Yaml());
    }
    for (const char* node : kNodes) {
      ASSERT_TRUE(WaitPhase(absl::StrCat(first_pod, "-", node), "Running"));
    }
  }
};

TEST_F(UpgradeE2e, Behaviour82_UpgradedAgentsLeavePodsRunning) {
  Apply(DeploymentText{.name = "count", .script = CountUntilAsked(0)}.Yaml());
  ASSERT_TRUE(WaitReady("count", 3));
  const std::map<std::string, Instance> before = InstancesOf("count");
  const std::vector<nlohmann::json> pods = PodsOf("count");
  const FileId old_init = FileAt(PathOf("cluster-init"));
  for (const auto& [name, instance] : before) EXPECT_EQ(instance.init_program, old_init) << name;
  Install("cluster-init");
  Install("cluster-node");
  ASSERT_NE(FileAt(PathOf("cluster-init")), old_init);
  // Two versions never meet in the start of a pod: an agent keeps the cluster-init it came with.
  Apply(PodText{.name = "between"}.Yaml());
  ASSERT_TRUE(WaitPhase("between", "Running"));
  EXPECT_EQ(InstanceOf(PodNamed("between")).init_program, old_init);

  // Some of these are on their way as the agents end.
  Apply(DeploymentText{.name = "wave", .replicas = 6}.Yaml());
  EndAgents();
  for (const auto& pod : pods) {
    const auto written = fs::file_size(LogFileOf(pod));
    EXPECT_TRUE(Eventually([&] { return fs::file_size(LogFileOf(pod)) > written; }))
        << pod["metadata"]["name"];
  }
  StartAgents("first");
  ASSERT_TRUE(WaitReady("wave", 6));
  for (const auto& pod : PodsOf("wave")) EXPECT_EQ(RestartCount(pod), 0) << pod["metadata"]["name"];
  ASSERT_TRUE(WaitReady("count", 3));
  EXPECT_EQ(InstancesOf("count"), before);
  for (const auto& pod : PodsOf("count")) {
    const std::string name = pod["metadata"]["name"];
    EXPECT_EQ(RestartCount(pod), 0) << name;
    const int64_t lines = CheckLines(CtlOut({"logs", name}), name);
    EXPECT_TRUE(Eventually([&] { return CheckLines(CtlOut({"logs", name}), name) > lines; }));
  }
  for (const char* node : kNodes) {
    const nlohmann::json pod = PodNamed(absl::StrCat("first-", node));
    EXPECT_EQ(InstanceOf(pod).init_program, FileAt(PathOf("cluster-init")));
  }
}

TEST_F(UpgradeE2e, Behaviour82_EndsBetweenTwoVersionsAreKnown) {
  Apply(PodText{.name = "ends", .script = CountUntilAsked(7), .restart_policy = "Never"}.Yaml());
  Apply(PodText{.name = "dies", .script = CountUntilAsked(7), .restart_policy = "Never"}.Yaml());
  Apply(PodText{.name = "again", .script = CountUntilAsked(3)}.Yaml());
  std::map<std::string, Instance> before;
  for (const char* name : {"ends", "dies", "again"}) {
    ASSERT_TRUE(WaitPhase(name, "Running"));
    // The trap is set before the first line.
    ASSERT_TRUE(Eventually([&] { return !Ctl({"logs", name}).out.empty(); }));
    before[name] = InstanceOf(PodNamed(name));
  }
  Install("cluster-node");
  Install("cluster-init");
  EndAgents();
  for (const auto& [name, instance] : before) {
    ASSERT_FALSE(HasEnded(instance.pid)) << name << " ended with its agent";
    kill(static_cast<pid_t>(instance.pid), name == "dies" ? SIGKILL : SIGTERM);
    ASSERT_TRUE(Eventually([&, pid = instance.pid] { return HasEnded(pid); })) << name;
  }
  StartAgents("second");
  for (const auto& [name, code] : std::map<std::string, int>{{"ends", 7}, {"dies", 137}}) {
    ASSERT_TRUE(WaitPhase(name, "Failed"));
    const nlohmann::json status = PodNamed(name)["status"]["containerStatuses"][0];
    EXPECT_EQ(status["state"]["terminated"]["exitCode"], code) << name;
    EXPECT_EQ(status["restartCount"], 0) << name;
    const std::string text = CtlOut({"logs", name});
    EXPECT_GT(CheckLines(text, name), 0);
    EXPECT_EQ(absl::StrContains(text, "bye"), name == "ends");
  }
  const auto runs_again = [] { return RestartCount(PodNamed("again")) == 1; };
  ASSERT_TRUE(Eventually(runs_again));
  ASSERT_TRUE(Eventually([] { return IsReady(PodNamed("again")); }));
  const nlohmann::json pod = PodNamed("again");
  EXPECT_EQ(pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 3);
  // The next instance is born by the new agent and the pod's own, older cluster-init.
  EXPECT_EQ(InstanceOf(pod).init, before["again"].init);
  EXPECT_EQ(InstanceOf(pod).init_program, before["again"].init_program);
  EXPECT_NE(InstanceOf(pod).init_program, FileAt(PathOf("cluster-init")));
  const std::string previous = CtlOut({"logs", "again", "--previous"});
  EXPECT_GT(CheckLines(previous, "again"), 0);
  EXPECT_THAT(previous, HasSubstr("bye"));
}

TEST_F(UpgradeE2e, Behaviour82_OldPodsAreServedByTheNewAgent) {
  PodText echo{.name = "echo"};
  echo.script = "trap \"echo asked; exit 0\" TERM; while true; do sleep 0.05; done";
  Apply(echo.Yaml());
  Apply(PodText{.name = "count", .script = CountUntilAsked(0)}.Yaml());
  for (const char* name : {"echo", "count"}) ASSERT_TRUE(WaitPhase(name, "Running"));
  const Instance before = InstanceOf(PodNamed("echo"));
  Install("cluster-node");
  Install("cluster-init");
  EndAgents();
  StartAgents("third");
  EXPECT_NE(before.init_program, FileAt(PathOf("cluster-init")));
  EXPECT_EQ(InstanceOf(PodNamed("echo")), before);

  EXPECT_EQ(CtlOut({"exec", "echo", "--", "hostname"}), "echo");
  EXPECT_EQ(Ctl({"exec", "echo", "--", "sh", "-c", "exit 9"}).exit_code, 9);
  const std::string text = "through the old cluster-init";
  EXPECT_EQ(Ctl({"exec", "-i", "echo", "--", "cat"}, text).out, text);
  RunningCtl follow({"logs", "-f", "--tail", "1", "echo"});
  RunningCtl attached({"attach", "count"});
  // What it says from now on.
  attached.AwaitOut("line ");
  CtlOut({"delete", "pod", "echo", "--timeout", "60s"});
  follow.AwaitOut("asked");
  EXPECT_TRUE(HasEnded(before.pid));
  EXPECT_TRUE(Eventually([&] { return HasEnded(before.init); }));
}

}  // namespace
}  // namespace cluster::e2e

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::AddGlobalTestEnvironment(new cluster::e2e::Installation);
  testing::AddGlobalTestEnvironment(new cluster::e2e::LocalCluster("e2e-upgrade", 2));
  return RUN_ALL_TESTS();
}
