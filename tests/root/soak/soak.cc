#include "tests/root/soak/soak.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/unique_handle.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kDeadline = absl::Seconds(60);
constexpr size_t kMostPods = 24;
constexpr int64_t kHogLimit = 16 << 20;

bool IsAny(const SoakPod&) { return true; }
bool Runs(const SoakPod& pod) { return pod.runs && pod.sandbox && pod.script != Script::kCounter; }
bool RunsTrapper(const SoakPod& pod) { return Runs(pod) && pod.script == Script::kTrapper; }
bool HasEnded(const SoakPod& pod) { return !pod.runs && pod.sandbox; }
bool HasInit(const SoakPod& pod) { return pod.sandbox; }

std::string CommandOf(const SoakPod& pod) {
  switch (pod.script) {
    case Script::kCounter:
      return absl::StrCat("seq 1 ", pod.lines, "; exit ", pod.code);
    case Script::kSleeper:
      return "exec sleep 100000";
    case Script::kTrapper:
      return "trap 'exit 7' TERM; echo armed; while :; do sleep 0.05; done";
    case Script::kHog:
      return "head -c 200000000 /dev/zero | tail -c 200000000 >/dev/null & wait $!; exit $?";
  }
  return "";
}

}  // namespace

Soak::Soak(unsigned seed, int64_t disk_bytes) : seed_(seed), random_(seed), world_(disk_bytes) {
  signal(SIGPIPE, SIG_IGN);
  before_ = world_.TakeCensus();
  world_.StopAgent();
  StartAgentProcess();
}

Soak::~Soak() { agent_.reset(); }

std::string Soak::Where() const { return absl::StrCat("seed ", seed_, ", step ", steps_); }

void Soak::StartAgentProcess() {
  agent_ = std::make_unique<TestAgent>(world_.base(), world_.parent());
  const std::string recovered = agent_->Answer();
  EXPECT_TRUE(absl::StartsWith(recovered, "recovered ")) << recovered << ", " << Where();
}

void Soak::KillAgent() {
  ++counts_["agent killed"];
  if (getenv("CLUSTER_SOAK_TRACE") != nullptr) std::cout << steps_ << ": kill agent" << std::endl;
  agent_->Kill();
  StartAgentProcess();
}

std::string Soak::DoDespiteDeath(const std::string& verb) {
  if (getenv("CLUSTER_SOAK_TRACE") != nullptr) std::cout << steps_ << ": " << verb << std::endl;
  if (Random(6) != 0) return agent_->Do(verb);
  agent_->Tell(verb);
  const timespec delay{0, Random(20'000'000)};
  nanosleep(&delay, nullptr);
  KillAgent();
  return agent_->Do(verb);
}

std::string Soak::Do(const std::string& verb) {
  const absl::Time deadline = absl::Now() + kDeadline;
  std::string answer = DoDespiteDeath(verb);
  while (absl::StartsWith(answer, "UNAVAILABLE") && absl::Now() < deadline) {
    sched_yield();
    answer = agent_->Do(verb);
  }
  return answer;
}

void Soak::Step() {
  ++steps_;
  struct Action {
    int weight;
    void (Soak::*act)();
  };
  static constexpr Action kActions[] = {
      {30, &Soak::Create},        {15, &Soak::RemovePod},          {12, &Soak::Restart},
      {15, &Soak::ExecSomething}, {8, &Soak::StopByTerm},          {6, &Soak::KillContainer},
      {3, &Soak::KillInit},       {5, &Soak::KillProcess},         {5, &Soak::FreezeAndThaw},
      {3, &Soak::KillAgent},      {2, &Soak::RunOutOfDescriptors}, {1, &Soak::FillTheDisk}};
  int total = 0;
  for (const Action& action : kActions) total += action.weight;
  int at = Random(total);
  for (const Action& action : kActions) {
    at -= action.weight;
    if (at < 0) return (this->*action.act)();
  }
}

std::string Soak::Pick(bool (*wanted)(const SoakPod&)) {
  std::vector<std::string> fitting;
  for (const auto& [uid, pod] : pods_) {
    if (wanted(pod)) fitting.push_back(uid);
  }
  return fitting.empty() ? ""
                         : fitting[static_cast<size_t>(Random(static_cast<int>(fitting.size())))];
}

void Soak::StartInstance(const std::string& uid, SoakPod& pod) {
  const bool hog = pod.script == Script::kHog;
  const std::string started = Do(
      absl::StrCat(hog ? "start-limited " : "start ", uid, " main ", pod.attempt, " ",
                   hog ? absl::StrCat(kHogLimit, " ") : "", world_.layer(), " ", CommandOf(pod)));
  EXPECT_TRUE(absl::StartsWith(started, "OK ")) << started << ", " << uid << ", " << Where();
  pod.runs = true;
  pod.unknown = pod.may_be_cut = false;
}

void Soak::Create() {
  if (pods_.size() >= kMostPods) return RemovePod();
  ++counts_["created"];
  const std::string uid = absl::StrCat("pod-", ++made_);
  SoakPod pod;
  pod.script = static_cast<Script>(Random(10) == 0 ? 3 : Random(3));
  pod.lines = 1 + Random(3000);
  pod.code = Random(120);
  const std::string prepared = Do("prepare " + uid);
  EXPECT_EQ(prepared, "OK") << uid << ", " << Where();
  StartInstance(uid, pod);
  pods_[uid] = pod;
}

void Soak::Restart() {
  const std::string uid = Pick(HasEnded);
  if (uid.empty()) return;
  ++counts_["restarted"];
  SoakPod& pod = pods_[uid];
  ++pod.attempt;
  StartInstance(uid, pod);
}

void Soak::ExecSomething() {
  const std::string uid = Pick(Runs);
  if (uid.empty() || pods_[uid].script == Script::kHog) return;
  ++counts_["exec"];
  const int code = Random(100);
  const std::string answer =
      agent_->Do(absl::StrCat("exec ", uid, " main echo in ", uid, "; exit ", code));
  EXPECT_EQ(answer, absl::StrCat("OK ", code, " in ", uid)) << Where();
}

void Soak::AwaitEnd(const std::string& uid, const SoakPod& pod) {
  const absl::Time deadline = absl::Now() + kDeadline;
  const std::string running = absl::StrCat("main ", pod.attempt, " running");
  std::string answer = agent_->Do("poll " + uid);
  while (absl::StrContains(answer, running) && absl::Now() < deadline) {
    sched_yield();
    answer = agent_->Do("poll " + uid);
  }
  EXPECT_FALSE(absl::StrContains(answer, running)) << answer << ", " << uid << ", " << Where();
}

void Soak::StopByTerm() {
  const std::string uid = Pick(RunsTrapper);
  if (uid.empty()) return;
  ++counts_["stopped"];
  SoakPod& pod = pods_[uid];
  // Before its trap is set the signal is lost on a first process.
  const absl::Time deadline = absl::Now() + kDeadline;
  while (!absl::StrContains(world_.RawLog(uid, "main", pod.attempt), "armed") &&
         absl::Now() < deadline) {
    sched_yield();
  }
  EXPECT_EQ(Do(absl::StrCat("signal ", uid, " main ", pod.attempt, " 15")), "OK") << Where();
  AwaitEnd(uid, pod);
  pod.runs = false;
  pod.expected = 7;
}

void Soak::KillContainer() {
  const std::string uid = Pick(Runs);
  if (uid.empty() || pods_[uid].script == Script::kHog) return;
  ++counts_["killed"];
  SoakPod& pod = pods_[uid];
  EXPECT_EQ(Do(absl::StrCat("kill ", uid, " main ", pod.attempt)), "OK") << Where();
  AwaitEnd(uid, pod);
  pod.runs = false;
  pod.expected = 137;
}

// The pid of a pod's cluster-init, or of its container's first process: read from the pod's groups.
int Soak::HostPid(const std::string& uid, bool init) {
  const std::string group = absl::StrCat("/sys/fs/cgroup/unified", world_.parent(), "/pod", uid);
  const std::string leaf = init ? "cluster-init" : absl::StrCat("main-", pods_[uid].attempt);
  const std::string pids =
      ReadFile(absl::StrCat(group, "/", leaf, "/cgroup.procs"))
          .value_or(ReadFile(absl::StrCat("/sys/fs/cgroup", world_.parent(), "/pod", uid, "/", leaf,
                                          "/cgroup.procs"))
                        .value_or(""));
  int pid = 0;
  const std::vector<std::string> lines = absl::StrSplit(pids, '\n', absl::SkipEmpty());
  return !lines.empty() && absl::SimpleAtoi(lines.front(), &pid) ? pid : 0;
}

void Soak::KillInit() {
  const std::string uid = Pick(HasInit);
  if (uid.empty()) return;
  SoakPod& pod = pods_[uid];
  // What ends by itself has ended before, so that its end is known.
  if (pod.runs && (pod.script == Script::kCounter || pod.script == Script::kHog)) return;
  ++counts_["cluster-init killed"];
  const int pid = HostPid(uid, true);
  ASSERT_GT(pid, 0) << uid << ", " << Where();
  kill(pid, SIGKILL);
  AwaitEnd(uid, pod);
  pod.sandbox = false;
  if (pod.runs) pod.unknown = true;
  pod.runs = false;
  // As the worker would: the pod is made again, what ended stays ended.
  if (Random(2) == 0) {
    EXPECT_EQ(Do("prepare " + uid), "OK") << uid << ", " << Where();
    pod.sandbox = true;
  }
}

void Soak::KillProcess() {
  const std::string uid = Pick(Runs);
  if (uid.empty() || pods_[uid].script != Script::kSleeper) return;
  ++counts_["process killed"];
  SoakPod& pod = pods_[uid];
  const int pid = HostPid(uid, false);
  ASSERT_GT(pid, 0) << uid << ", " << Where();
  kill(pid, SIGKILL);
  AwaitEnd(uid, pod);
  pod.runs = false;
  pod.expected = 137;
}

void Soak::FreezeAndThaw() {
  const std::string uid = Pick(Runs);
  if (uid.empty() || pods_[uid].script != Script::kSleeper) return;
  ++counts_["stopped and continued"];
  const int pid = HostPid(uid, false);
  ASSERT_GT(pid, 0) << uid << ", " << Where();
  kill(pid, SIGSTOP);
  if (Random(3) == 0) return KillContainer();  // maybe just this one
  kill(pid, SIGCONT);
}

void Soak::RemovePod() {
  const std::string uid = Pick(IsAny);
  if (uid.empty()) return;
  ++counts_["removed"];
  EXPECT_EQ(Do("remove " + uid), "OK") << uid << ", " << Where();
  pods_.erase(uid);
}

size_t Soak::AgentDescriptors() const {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(absl::StrCat("/proc/", agent_->pid(), "/fd"))) {
    count += entry.path().empty() ? 0 : 1;
  }
  return count;
}

// Verbs may fail then, but nothing half done may stay, and afterwards all is as before.
void Soak::RunOutOfDescriptors() {
  ++counts_["out of descriptors"];
  rlimit old{};
  ASSERT_EQ(prlimit(agent_->pid(), RLIMIT_NOFILE, nullptr, &old), 0);
  const rlimit few{AgentDescriptors() + static_cast<size_t>(Random(8)), old.rlim_max};
  ASSERT_EQ(prlimit(agent_->pid(), RLIMIT_NOFILE, &few, nullptr), 0);
  const std::string uid = absl::StrCat("pod-", ++made_);
  const std::string prepared = agent_->Do("prepare " + uid);
  if (prepared == "OK") {
    agent_->Do(absl::StrCat("start ", uid, " main 0 ", world_.layer(), " exec sleep 1000"));
  }
  ASSERT_EQ(prlimit(agent_->pid(), RLIMIT_NOFILE, &old, nullptr), 0);
  EXPECT_EQ(Do("remove " + uid), "OK") << prepared << ", " << Where();
}

void Soak::FillTheDisk() {
  ++counts_["disk full"];
  // Those that write end first: a full disk under a log is another test's.
  for (auto& [uid, pod] : pods_) {
    if (pod.runs && pod.sandbox && pod.script == Script::kCounter) {
      AwaitEnd(uid, pod);
      pod.runs = false;
      pod.expected = pod.code;
    }
  }
  const std::string ballast = world_.base() + "/state/ballast";
  {
    const UniqueFd fd(open(ballast.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_TRUE(fd.valid());
    const std::string block(1 << 20, 'x');
    while (write(fd.get(), block.data(), block.size()) > 0) {
    }
  }
  const std::string uid = absl::StrCat("pod-", ++made_);
  const std::string prepared = agent_->Do("prepare " + uid);
  agent_->Do(absl::StrCat("start ", uid, " main 0 ", world_.layer(), " exec sleep 1000"));
  const std::string victim = Pick(IsAny);
  if (!victim.empty()) {
    EXPECT_EQ(Do("remove " + victim), "OK") << "on a full disk, " << Where();
    pods_.erase(victim);
  }
  ASSERT_EQ(unlink(ballast.c_str()), 0);
  EXPECT_EQ(Do("remove " + uid), "OK") << prepared << ", " << Where();
}

void Soak::CheckLog(const std::string& uid, const SoakPod& pod) {
  if (pod.script != Script::kCounter || pod.unknown) return;
  std::istringstream lines(world_.RawLog(uid, "main", pod.attempt));
  int expected = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    ASSERT_EQ(words.size(), 4u) << "a torn record: " << line << ", " << Where();
    ASSERT_EQ(words[3], absl::StrCat(++expected))
        << "a line of " << uid << " is lost or doubled, " << Where();
  }
  EXPECT_EQ(expected, pod.lines) << uid << ", " << Where();
}

void Soak::CheckPod(const std::string& uid, const SoakPod& pod) {
  const std::string answer = agent_->Do("poll " + uid);
  std::string expected = absl::StrCat("OK main ", pod.attempt);
  if (pod.runs) {
    absl::StrAppend(&expected, " running 0 -");
  } else if (pod.unknown) {
    absl::StrAppend(&expected, " unknown 0 -");
  } else {
    absl::StrAppend(&expected, " exited ", pod.expected,
                    pod.script == Script::kHog ? " oom" : " -");
  }
  EXPECT_EQ(answer, expected) << uid << ", " << Where();
  CheckLog(uid, pod);
}

// Every group, process and lease belongs to a pod of the model, and every living pod has its own.
void Soak::CheckOwners() {
  const Census census = world_.TakeCensus();
  size_t alive = 0;
  for (const auto& [uid, pod] : pods_) alive += pod.sandbox ? 1 : 0;
  EXPECT_EQ(census.processes.size(), alive) << Where();
  for (const std::string& group : census.cgroups) {
    const size_t at = group.find("/pod");
    ASSERT_NE(at, std::string::npos) << group;
    const std::string uid = group.substr(at + 4, group.find('/', at + 4) - at - 4);
    EXPECT_TRUE(pods_.contains(uid)) << group << " has no owner, " << Where();
  }
}

void Soak::Check() {
  for (auto& [uid, pod] : pods_) {
    const bool ends_alone = pod.script == Script::kCounter || pod.script == Script::kHog;
    if (!pod.runs || !ends_alone) continue;
    AwaitEnd(uid, pod);
    pod.runs = false;
    pod.expected = pod.script == Script::kHog ? 137 : pod.code;
  }
  for (const auto& [uid, pod] : pods_) CheckPod(uid, pod);
  CheckOwners();
}

void Soak::Finish() {
  while (!pods_.empty()) RemovePod();
  agent_.reset();
  world_.StartAgent();
  EXPECT_TRUE(world_.agent().recovered.empty());
  world_.AwaitQuiet();
  EXPECT_EQ(Describe(world_.TakeCensus()), Describe(before_)) << Where();
}

}  // namespace cluster::node
