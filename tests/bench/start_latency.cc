// How long from "here is a pod's spec" to the first instruction of its container's process:
// KernelRuntime with network, cgroups, journal and all, against `crun run` and `runc run` of the
// same root file system as they come (no network is set up for them), and against the kernel's own
// share (start_floor).
//
//   start_latency [ROUNDS]      200 by default; root
//
// One alternating run, so that all see the same machine. Everything happens in a network namespace
// and cgroups of its own, and is removed at the end.
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

#include "base/file.h"
#include "base/status.h"
#include "node/runtime/kernel_runtime.h"

extern char** environ;

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void Die(const std::string& what) {
  std::cerr << "start_latency: " << what << "\n";
  std::exit(1);
}

template <typename T>
T Must(absl::StatusOr<T> value, const std::string& what) {
  if (!value.ok()) Die(absl::StrCat(what, ": ", value.status().ToString()));
  return *std::move(value);
}

void Must(const absl::Status& status, const std::string& what) {
  if (!status.ok()) Die(absl::StrCat(what, ": ", status.ToString()));
}

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

struct Spawned {
  pid_t pid = 0;
  UniqueFd in;
  UniqueFd out;
};

Spawned Spawn(const std::vector<std::string>& argv) {
  int in[2];
  int out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) Die("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  Spawned child;
  const int error =
      posix_spawnp(&child.pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) Die(absl::StrCat(argv[0], ": ", ErrnoName(error)));
  close(in[0]);
  close(out[1]);
  child.in.reset(in[1]);
  child.out.reset(out[0]);
  return child;
}

std::string ReadLine(int fd) {
  std::string line;
  for (char c; read(fd, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

int64_t NumberOf(const std::string& text, const std::string& who) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(text, &number)) Die(absl::StrCat(who, ": the probe said '", text, "'"));
  return number;
}

// What is measured: a name and nanoseconds per round.
struct Series {
  std::string name;
  std::vector<int64_t> nanoseconds;
  double Percentile(double p) const {
    std::vector<int64_t> sorted = nanoseconds;
    std::sort(sorted.begin(), sorted.end());
    const size_t at = static_cast<size_t>(p * static_cast<double>(sorted.size() - 1) + 0.5);
    return static_cast<double>(sorted[at]) / 1e6;
  }
};

// `PROGRAM run` of a bundle made by its own `spec`, from a helper process: crun refuses hybrid
// cgroups, so the helper lives in a mount namespace without the v2 tree. What is timed is the spawn
// in there.
class OciRuntime {
 public:
  OciRuntime(std::string program, const std::string& base, const std::string& rootfs)
      : program_(std::move(program)), bundle_(absl::StrCat(base, "/", program_)) {
    int commands[2];
    int answers[2];
    if (pipe2(commands, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) Die("pipe");
    helper_.pid = fork();
    if (helper_.pid == 0) {
      close(commands[1]);
      MakeBundle(rootfs);
      Serve(commands[0], answers[1]);
    }
    close(commands[0]);
    close(answers[1]);
    helper_.in.reset(commands[1]);
    helper_.out.reset(answers[0]);
  }

  ~OciRuntime() {
    helper_.in.reset();
    waitpid(helper_.pid, nullptr, 0);
  }

  int64_t Round() const {
    if (write(helper_.in.get(), "g", 1) != 1) Die(absl::StrCat(program_, ": its helper ended"));
    return NumberOf(ReadLine(helper_.out.get()), program_);
  }

 private:
  void MakeBundle(const std::string& rootfs) {
    fs::create_directories(bundle_);
    Spawned spec = Spawn({program_, "spec", "--bundle", bundle_});
    waitpid(spec.pid, nullptr, 0);
    auto config = nlohmann::json::parse(std::ifstream(bundle_ + "/config.json"));
    config["process"]["terminal"] = false;
    config["process"]["args"] = {"/probe"};
    // Not every root may raise them.
    config["process"].erase("rlimits");
    config["root"]["path"] = rootfs;
    cgroup_ = absl::StrCat("/cluster-bench-oci-", getpid());
    config["linux"]["cgroupsPath"] = cgroup_ + "/pod";
    std::ofstream(bundle_ + "/config.json") << config;
  }

  [[noreturn]] void Serve(int commands, int answers) {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      Die("unshare");
    }
    umount2("/sys/fs/cgroup/unified", MNT_DETACH);
    char byte;
    for (int number = 0; read(commands, &byte, 1) == 1; ++number) {
      const int64_t start = Now();
      Spawned run = Spawn(
          {program_, "run", "--bundle", bundle_, absl::StrCat("bench-", getpid(), "-", number)});
      const int64_t first = NumberOf(ReadLine(run.out.get()), program_);
      waitpid(run.pid, nullptr, 0);
      const absl::Status told = WriteAll(answers, absl::StrCat(first - start, "\n"));
      if (!told.ok()) break;
    }
    for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup")) {
      rmdir((hierarchy.path().string() + cgroup_).c_str());
    }
    _exit(0);
  }

  const std::string program_;
  const std::string bundle_;
  std::string cgroup_;
  Spawned helper_;
};

class Ours {
 public:
  Ours(const std::string& base, const std::string& run, const std::string& layer) : layer_(layer) {
    fs::create_directories(base + "/state");
    parent_ = absl::StrCat("/cluster-bench-", getpid());
    cgroups_ = Must(CgroupTree::Open(Must(DiscoverCgroups(), "cgroups"), parent_), parent_);
    journal_ = Must(Journal::Open(run + "/journal", Survives::kAgentCrash), "journal");
    PodNetwork::Config config;
    config.bridge = "cbr0";
    config.node = "bench";
    config.journal = journal_.get();
    config.hold_down = absl::ZeroDuration();
    network_ = Must(PodNetwork::Open(config), "network");
    Must(network_->SetRange(Must(ParseCidr("10.64.0.0/22"), "range"),
                            Must(ParseCidr("10.64.0.0/10"), "range")),
         "range");
    KernelRuntimeOptions options;
    options.state_dir = base + "/state";
    options.run_dir = run;
    options.init_program = absl::StrCat(fs::read_symlink("/proc/self/exe").parent_path().string(),
                                        "/../bin/cluster-init");
    options.cgroups = cgroups_.get();
    options.network = network_.get();
    runtime_ = Must(KernelRuntime::Open(options), "runtime");
    Must(runtime_->Recover(), "recover");
  }

  ~Ours() {
    runtime_.reset();
    if (!network_->AwaitReleased(absl::Seconds(20))) std::cerr << "links are left\n";
    const absl::Status network = network_->RemoveAll();
    if (!network.ok()) std::cerr << network << "\n";
    const absl::Status cgroups = cgroups_->RemoveParent();
    if (!cgroups.ok()) std::cerr << cgroups << "\n";
  }

  // Milliseconds spent in the two verbs are kept apart from what the probe saw.
  int64_t Round(int number) {
    SandboxSpec sandbox;
    sandbox.uid = absl::StrCat("bench-", number);
    sandbox.hostname = "bench";
    sandbox.resolv_conf = "nameserver 10.96.0.10\n";
    sandbox.resources.cpu_request_milli = 100;
    sandbox.resources.memory_limit = 64 << 20;
    ContainerSpec container;
    container.pod_uid = sandbox.uid;
    container.name = "main";
    container.rootfs.layers = {layer_};
    container.argv = {"/probe"};
    container.resources = sandbox.resources;

    const int64_t start = Now();
    Must(runtime_->PrepareSandbox(sandbox), "prepare");
    const int64_t prepared = Now();
    const ContainerState state = Must(runtime_->StartContainer(container), "start");
    if (!state.message.empty()) Die(state.message);
    prepare_.nanoseconds.push_back(prepared - start);
    return AwaitProbe(sandbox.uid) - start;
  }

  void Remove(int number) { Must(runtime_->Remove(absl::StrCat("bench-", number)), "remove"); }
  const Series& prepare() const { return prepare_; }
  uint32_t bridge() const { return if_nametoindex("cbr0"); }

 private:
  int64_t AwaitProbe(const std::string& uid) {
    for (;;) {
      const auto states = Must(runtime_->Poll(uid), "poll");
      if (!states.empty() && states[0].phase == ContainerPhase::kExited) break;
    }
    const std::string log = Must(ReadFile(runtime_->LogDirectory(uid, "main") + "/0.log"), "log");
    const size_t text = log.find(" F ");
    if (text == std::string::npos) Die("the probe's log is empty");
    return NumberOf(log.substr(text + 3, log.find('\n') - text - 3), "ours");
  }

  const std::string layer_;
  std::string parent_;
  std::unique_ptr<CgroupTree> cgroups_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<PodNetwork> network_;
  std::unique_ptr<KernelRuntime> runtime_;
  Series prepare_{"  of it PrepareSandbox", {}};
};

void Print(const std::vector<const Series*>& table, const Series& floor, const Series& crun) {
  absl::PrintF("%-34s %9s %9s %9s %9s\n", "spec to first instruction", "p50 ms", "p99 ms",
               "x kernel", "x crun");
  for (const Series* series : table) {
    if (series->nanoseconds.empty()) continue;
    absl::PrintF("%-34s %9.2f %9.2f %9.2f %9.2f\n", series->name, series->Percentile(0.5),
                 series->Percentile(0.99), series->Percentile(0.5) / floor.Percentile(0.5),
                 crun.nanoseconds.empty() ? 0 : series->Percentile(0.5) / crun.Percentile(0.5));
  }
}

int Main(int rounds) {
  if (unshare(CLONE_NEWNET) != 0)
    Die(absl::StrCat("unshare: ", ErrnoName(errno), " (run it as root)"));
  std::string base = "/var/tmp/start-latency-XXXXXX";
  if (mkdtemp(base.data()) == nullptr) Die("mkdtemp");
  // A tmpfs, as /run is.
  std::string run = "/dev/shm/start-latency-XXXXXX";
  if (mkdtemp(run.data()) == nullptr) Die("mkdtemp");
  const std::string layer = base + "/layer";
  for (const char* part : {"/proc", "/dev", "/sys", "/etc", "/tmp"})
    fs::create_directories(layer + part);
  fs::create_directories(base + "/floor");
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  fs::copy_file(here / "start_probe", layer + "/probe");

  Series floor{"kernel alone, with veth", {}};
  Series ours{"cluster, with network", {}};
  Series crun{"crun run, no network", {}};
  Series runc{"runc run, no network", {}};
  {
    // These fork, so they come before anything that has threads.
    const OciRuntime crun_runtime("crun", base, layer);
    const OciRuntime runc_runtime("runc", base, layer);
    Ours runtime(base, run, layer);
    Spawned helper = Spawn(
        {(here / "start_floor").string(), layer, base + "/floor", absl::StrCat(runtime.bridge())});
    constexpr int kWarmUp = 5;
    for (int round = -kWarmUp; round < rounds; ++round) {
      const int number = round + kWarmUp;
      if (write(helper.in.get(), "go\n", 3) != 3) Die("start_floor ended");
      const int64_t a = NumberOf(ReadLine(helper.out.get()), "start_floor");
      const int64_t b = runtime.Round(number);
      runtime.Remove(number);
      const int64_t c = crun_runtime.Round();
      const int64_t d = runc_runtime.Round();
      if (round < 0) continue;
      floor.nanoseconds.push_back(a);
      ours.nanoseconds.push_back(b);
      crun.nanoseconds.push_back(c);
      runc.nanoseconds.push_back(d);
    }
    helper.in.reset();
    waitpid(helper.pid, nullptr, 0);
    std::cout << rounds << " alternating rounds\n";
    Print({&floor, &ours, &runtime.prepare(), &crun, &runc}, floor, crun);
  }
  for (const std::string& path : {base, run}) {
    const absl::Status removed = RemoveTree(path);
    if (!removed.ok()) std::cerr << removed << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace cluster::node

int main(int argc, char** argv) {
  int rounds = 200;
  if (argc > 2 || (argc == 2 && (!absl::SimpleAtoi(argv[1], &rounds) || rounds < 1))) {
    std::cerr << "usage: start_latency [ROUNDS]\n";
    return 2;
  }
  return cluster::node::Main(rounds);
}
