#include "tests/root/node/runtime/runtime_world.h"

#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"
#include "node/network/firewall.h"

namespace cluster::node {

namespace fs = std::filesystem;

namespace {

constexpr absl::Duration kDeadline = absl::Seconds(30);

std::set<std::string> Below(const std::string& directory, bool directories_only) {
  std::set<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if (!directories_only || at->is_directory(error)) names.insert(at->path().string());
  }
  return names;
}

std::set<std::string> HostMounts() {
  std::set<std::string> mounts;
  std::ifstream lines("/proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) mounts.insert(line);
  return mounts;
}

}  // namespace

void EnterTestNamespaces() {
  // Mounts too: what others mount on this machine meanwhile is not for the census.
  static const bool entered = [] {
    return unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
           mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }();
  ASSERT_TRUE(entered) << "unshare: run as root";
}

Agent::~Agent() {
  runtime.reset();
  network.reset();
}

absl::StatusOr<std::unique_ptr<Agent>> StartAgent(const std::string& base,
                                                  const std::string& parent,
                                                  const AdjustOptions& adjust) {
  auto agent = std::make_unique<Agent>();
  RETURN_IF_ERROR(MakeDirectories(base + "/state"));
  RETURN_IF_ERROR(MakeDirectories(base + "/run"));
  // A copy of its own: the file that other tests run is busy in the kernel's eyes (ETXTBSY).
  fs::copy_file(fs::read_symlink("/proc/self/exe").parent_path() / "../bin/cluster-init",
                base + "/cluster-init", fs::copy_options::skip_existing);
  ASSIGN_OR_RETURN(CgroupLayout layout, DiscoverCgroups());
  ASSIGN_OR_RETURN(agent->cgroups, CgroupTree::Open(std::move(layout), parent));
  ASSIGN_OR_RETURN(agent->journal, Journal::Open(base + "/run/journal", Survives::kAgentCrash));
  PodNetwork::Config config;
  config.bridge = "cbr0";
  config.node = "test";
  config.journal = agent->journal.get();
  config.hold_down = absl::ZeroDuration();
  ASSIGN_OR_RETURN(agent->network, PodNetwork::Open(config));
  ASSIGN_OR_RETURN(const Cidr range, ParseCidr("10.64.0.0/22"));
  ASSIGN_OR_RETURN(const Cidr all, ParseCidr("10.64.0.0/10"));
  RETURN_IF_ERROR(agent->network->SetRange(range, all));
  KernelRuntimeOptions options;
  options.state_dir = base + "/state";
  options.run_dir = base + "/run";
  options.init_program = base + "/cluster-init";
  // Small files, so that whoever writes much writes several; enough of them to lose nothing.
  options.log_max_bytes = 256 << 10;
  options.log_max_files = 1000;
  options.cgroups = agent->cgroups.get();
  options.network = agent->network.get();
  if (adjust) adjust(&options);
  ASSIGN_OR_RETURN(agent->runtime, KernelRuntime::Open(options));
  ASSIGN_OR_RETURN(agent->recovered, agent->runtime->Recover());
  return agent;
}

std::string Describe(const Census& census) {
  std::string text;
  const auto add = [&text](const char* what, const std::set<std::string>& names) {
    for (const std::string& name : names) absl::StrAppend(&text, what, " ", name, "\n");
  };
  add("mount", census.mounts);
  add("link", census.links);
  add("cgroup", census.cgroups);
  add("file", census.files);
  add("lease", census.leases);
  add("process", census.processes);
  add("rule", census.rules);
  return text;
}

RuntimeWorld::RuntimeWorld(int64_t disk_bytes)
    : parent_(absl::StrCat("/cluster-test-", getpid())),
      layer_(directory_.path() + "/layer"),
      own_disk_(disk_bytes > 0) {
  EnterTestNamespaces();
  if (own_disk_) {
    fs::create_directories(base() + "/state");
    EXPECT_EQ(mount("disk", (base() + "/state").c_str(), "tmpfs", 0,
                    absl::StrCat("size=", disk_bytes).c_str()),
              0);
  }
  first_mounts_ = HostMounts();
  MakeBusyboxLayer(layer_);
  StartAgent();
}

RuntimeWorld::~RuntimeWorld() {
  if (agent_ == nullptr) StartAgent();
  for (const auto& entry : fs::directory_iterator(base() + "/state/pods")) {
    EXPECT_TRUE(runtime().Remove(entry.path().filename()).ok());
  }
  AwaitQuiet();
  agent_->runtime.reset();
  EXPECT_TRUE(agent_->network->RemoveAll().ok());
  const absl::Status removed = agent_->cgroups->RemoveParent();
  EXPECT_TRUE(removed.ok()) << removed;
  agent_.reset();
  if (own_disk_) {
    EXPECT_EQ(umount2((base() + "/state").c_str(), MNT_DETACH), 0);
  }
}

void RuntimeWorld::StartAgent(const AdjustOptions& adjust) {
  agent_.reset();
  auto agent = node::StartAgent(base(), parent_, adjust);
  ASSERT_TRUE(agent.ok()) << agent.status();
  agent_ = *std::move(agent);
  agent_->runtime->SetListener([this](const std::string&) {
    MutexLock lock(&mutex_);
    ++changes_;
    changed_.SignalAll();
  });
}

SandboxSpec RuntimeWorld::Sandbox(const std::string& uid) const {
  SandboxSpec spec;
  spec.uid = uid;
  spec.name_space = "default";
  spec.name = uid;
  spec.hostname = "host-of-" + uid;
  spec.extra_hosts_lines = {"10.1.2.3\tdatabase"};
  spec.resolv_conf = "nameserver 10.96.0.10\n";
  return spec;
}

SandboxState RuntimeWorld::Prepare(const SandboxSpec& spec) {
  auto state = runtime().PrepareSandbox(spec);
  EXPECT_TRUE(state.ok()) << state.status();
  return state.value_or(SandboxState{});
}

ContainerSpec RuntimeWorld::Spec(const std::string& uid, std::vector<std::string> argv) const {
  ContainerSpec spec;
  spec.pod_uid = uid;
  spec.name = "main";
  spec.rootfs.layers = {layer_};
  spec.argv = std::move(argv);
  spec.env = {"PATH=/bin"};
  return spec;
}

ContainerState RuntimeWorld::Start(const ContainerSpec& spec) {
  auto state = runtime().StartContainer(spec);
  EXPECT_TRUE(state.ok()) << state.status();
  return state.value_or(ContainerState{});
}

ContainerState RuntimeWorld::Await(const std::string& uid, const std::string& name) {
  const absl::Time deadline = absl::Now() + kDeadline;
  for (;;) {
    int seen;
    {
      MutexLock lock(&mutex_);
      seen = changes_;
    }
    auto states = runtime().Poll(uid);
    EXPECT_TRUE(states.ok()) << states.status();
    if (!states.ok()) return {};
    for (const ContainerState& state : *states) {
      if (state.name == name && state.phase != ContainerPhase::kRunning) return state;
    }
    MutexLock lock(&mutex_);
    while (changes_ == seen) {
      if (changed_.WaitFor(&mutex_, deadline - absl::Now())) continue;
      ADD_FAILURE() << uid << "/" << name << " did not end; its log:\n" << Log(uid, name);
      return {};
    }
  }
}

void RuntimeWorld::AwaitLog(const std::string& uid, const std::string& text,
                            const std::string& name) {
  const absl::Time deadline = absl::Now() + kDeadline;
  // Whoever reads while a record is written may see its beginning only.
  const auto so_far = [&] {
    const std::string raw = RawLog(uid, name, 0);
    return TextOf(raw.substr(0, raw.rfind('\n') + 1));
  };
  while (!absl::StrContains(so_far(), text)) {
    if (absl::Now() > deadline) {
      FAIL() << "'" << text << "' is not in the log of " << uid << ":\n" << so_far();
    }
    sched_yield();
  }
}

RuntimeWorld::Outcome RuntimeWorld::RunIn(const SandboxSpec& sandbox, const ContainerSpec& spec) {
  Prepare(sandbox);
  Start(spec);
  Outcome outcome;
  outcome.state = Await(spec.pod_uid, spec.name);
  outcome.log = Log(spec.pod_uid, spec.name, spec.attempt);
  return outcome;
}

RuntimeWorld::Outcome RuntimeWorld::Run(const std::string& uid, std::vector<std::string> argv) {
  return RunSpec(Spec(uid, std::move(argv)));
}

std::string RuntimeWorld::RawLog(const std::string& uid, const std::string& name, int attempt) {
  const std::string path =
      absl::StrCat(base(), "/state/pods/", uid, "/containers/", name, "/", attempt, ".log");
  std::string text;
  for (int part = 1; fs::exists(absl::StrCat(path, ".", part)); ++part) {
    text += ReadFile(absl::StrCat(path, ".", part)).value_or("");
  }
  return text + ReadFile(path).value_or("");
}

std::string RuntimeWorld::TextOf(const std::string& raw) {
  std::istringstream lines(raw);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 40) {
      ADD_FAILURE() << "torn record: " << line;
      continue;
    }
    text += line.substr(40);
    if (line[38] == 'F') text += "\n";
  }
  return text;
}

std::string RuntimeWorld::Log(const std::string& uid, const std::string& name, int attempt) {
  return TextOf(RawLog(uid, name, attempt));
}

pid_t RuntimeWorld::InitOf(const std::string& uid) {
  const std::string needle = absl::StrCat("pod", uid, "/");
  for (const std::string& process : TakeCensus().processes) {
    const std::string groups = ReadFile("/proc/" + process + "/cgroup").value_or("");
    if (absl::StrContains(groups, needle)) return std::stoi(process);
  }
  ADD_FAILURE() << "no cluster-init of " << uid;
  return -1;
}

Census RuntimeWorld::TakeCensus() {
  if (agent_ != nullptr) {
    // Pods to be are nobody's yet.
    agent_->runtime->DropSpares();
    (void)agent_->network->AwaitReleased(kDeadline);
  }
  Census census;
  // Those that were there before the test may go (others unmount), but none may come.
  for (const std::string& mount : HostMounts()) {
    if (!first_mounts_.contains(mount)) census.mounts.insert(mount);
  }
  struct if_nameindex* links = if_nameindex();
  for (struct if_nameindex* at = links; at != nullptr && at->if_index != 0; ++at) {
    census.links.insert(at->if_name);
  }
  if_freenameindex(links);
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup")) {
    census.cgroups.merge(Below(hierarchy.path().string() + parent_, true));
  }
  census.cgroups.merge(Below("/sys/fs/cgroup" + parent_, true));
  census.files = Below(base() + "/state/pods", false);
  census.files.merge(Below(base() + "/run/pods", false));
  if (agent_ != nullptr) {
    for (const Record& record : agent_->journal->All(RecordKind::kAddressLease)) {
      census.leases.insert(record.key);
    }
  }
  for (const auto& process : fs::directory_iterator("/proc")) {
    const std::string command = ReadFile(process.path().string() + "/cmdline").value_or("");
    std::error_code error;
    if (absl::StartsWith(command, absl::string_view("cluster-init\0", 13)) &&
        absl::StrContains(ReadFile(process.path().string() + "/cgroup").value_or(""), parent_)) {
      census.processes.insert(process.path().filename());
    }
  }
  const auto firewall = Firewall::Open();
  const auto rules = firewall.ok() ? (*firewall)->Query("list ruleset") : firewall.status();
  EXPECT_TRUE(rules.ok()) << rules.status();
  if (rules.ok()) census.rules = absl::StrSplit(*rules, '\n', absl::SkipWhitespace());
  return census;
}

void RuntimeWorld::AwaitQuiet() {
  agent_->runtime->DropSpares();
  EXPECT_TRUE(agent_->network->AwaitReleased(kDeadline)) << "links of removed pods are left";
}

}  // namespace cluster::node
