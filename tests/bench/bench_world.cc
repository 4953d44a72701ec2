#include "tests/bench/bench_world.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

extern char** environ;

namespace cluster::node {

namespace fs = std::filesystem;

constexpr off_t kDiskBytes = off_t{8} << 30;  // most of them holes

void Die(const std::string& what) {
  std::cerr << "bench: " << what << "\n";
  std::exit(1);
}

void Must(const absl::Status& status, const std::string& what) {
  if (!status.ok()) Die(absl::StrCat(what, ": ", status.ToString()));
}

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

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

std::string ProgramDirectory() { return fs::read_symlink("/proc/self/exe").parent_path().string(); }

double Series::Percentile(double p) const {
  std::vector<int64_t> sorted = nanoseconds;
  std::sort(sorted.begin(), sorted.end());
  const size_t at = static_cast<size_t>(p * static_cast<double>(sorted.size() - 1) + 0.5);
  return static_cast<double>(sorted[at]) / 1e6;
}

namespace {

void Run(const std::vector<std::string>& argv) {
  const Spawned child = Spawn(argv);
  int status = 0;
  if (waitpid(child.pid, &status, 0) != child.pid || status != 0) Die(argv[0] + " failed");
}

}  // namespace

BenchPlace::BenchPlace(const std::string& name)
    : image_("/var/tmp/" + name + "-XXXXXX"),
      base_("/var/tmp/" + name + "-XXXXXX"),
      run_("/dev/shm/" + name + "-XXXXXX") {
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    Die(absl::StrCat("unshare: ", ErrnoName(errno), " (run it as root)"));
  }
  const UniqueFd image(mkstemp(image_.data()));
  if (!image || ftruncate(image.get(), kDiskBytes) != 0) Die("make a disk image");
  if (mkdtemp(base_.data()) == nullptr || mkdtemp(run_.data()) == nullptr) Die("mkdtemp");
  Run({"mkfs.ext4", "-q", "-F", image_});
  Run({"mount", "-o", "loop", image_, base_});
  layer_ = base_ + "/layer";
  for (const char* part : {"/proc", "/dev", "/sys", "/etc", "/tmp", "/bin"}) {
    fs::create_directories(layer_ + part);
  }
  fs::copy_file(ProgramDirectory() + "/start_probe", layer_ + "/probe");
  fs::copy_file("/bin/busybox", layer_ + "/bin/busybox");
  fs::create_directories(base_ + "/state");
}

BenchPlace::~BenchPlace() {
  if (umount2(base_.c_str(), MNT_DETACH) != 0) std::cerr << "umount: " << ErrnoName(errno) << "\n";
  for (const std::string& path : {base_, run_}) {
    const absl::Status removed = RemoveTree(path);
    if (!removed.ok()) std::cerr << removed << "\n";
  }
  unlink(image_.c_str());
}

BenchRuntime::BenchRuntime(const BenchPlace& place)
    : layer_(place.layer()), parent_(absl::StrCat("/cluster-bench-", getpid())) {
  cgroups_ = Must(CgroupTree::Open(Must(DiscoverCgroups(), "cgroups"), parent_), parent_);
  journal_ = Must(Journal::Open(place.run() + "/journal", Survives::kAgentCrash), "journal");
  PodNetwork::Config config;
  config.bridge = "cbr0";
  config.node = "bench";
  config.journal = journal_.get();
  config.hold_down = absl::ZeroDuration();
  network_ = Must(PodNetwork::Open(config), "network");
  Must(network_->SetRange(Must(ParseCidr("10.64.0.0/20"), "range"),
                          Must(ParseCidr("10.64.0.0/10"), "range")),
       "range");
  KernelRuntimeOptions options;
  options.state_dir = place.base() + "/state";
  options.run_dir = place.run();
  options.init_program = ProgramDirectory() + "/../bin/cluster-init";
  options.cgroups = cgroups_.get();
  options.network = network_.get();
  runtime_ = Must(KernelRuntime::Open(options), "runtime");
  Must(runtime_->Recover(), "recover");
}

BenchRuntime::~BenchRuntime() {
  runtime_.reset();
  if (!network_->AwaitReleased(absl::Seconds(60))) std::cerr << "links are left\n";
  const absl::Status network = network_->RemoveAll();
  if (!network.ok()) std::cerr << network << "\n";
  const absl::Status cgroups = cgroups_->RemoveParent();
  if (!cgroups.ok()) std::cerr << cgroups << "\n";
}

std::string BenchRuntime::UidOf(int number) { return absl::StrCat("bench-", number); }

SandboxSpec BenchRuntime::Sandbox(int number) const {
  SandboxSpec sandbox;
  sandbox.uid = UidOf(number);
  sandbox.hostname = "bench";
  sandbox.resolv_conf = "nameserver 10.96.0.10\n";
  sandbox.resources.cpu_request_milli = 100;
  sandbox.resources.memory_limit = 64 << 20;
  return sandbox;
}

ContainerSpec BenchRuntime::Container(int number, std::vector<std::string> argv) const {
  ContainerSpec container;
  container.pod_uid = UidOf(number);
  container.name = "main";
  container.rootfs.layers = {layer_};
  container.argv = std::move(argv);
  container.resources.cpu_request_milli = 100;
  container.resources.memory_limit = 64 << 20;
  return container;
}

void BenchRuntime::Start(int number, std::vector<std::string> argv) {
  Must(runtime_->PrepareSandbox(Sandbox(number)).status(), "prepare");
  const ContainerState state =
      Must(runtime_->StartContainer(Container(number, std::move(argv))), "start");
  if (!state.message.empty()) Die(state.message);
}

void BenchRuntime::Remove(int number) { Must(runtime_->Remove(UidOf(number)), "remove"); }

int64_t BenchRuntime::AwaitProbe(int number) {
  for (;;) {
    const auto states = Must(runtime_->Poll(UidOf(number)), "poll");
    if (!states.empty() && states[0].phase == ContainerPhase::kExited) break;
  }
  const std::string log =
      Must(ReadFile(runtime_->LogDirectory(UidOf(number), "main") + "/0.log"), "log");
  const size_t text = log.find(" F ");
  if (text == std::string::npos) Die("the probe's log is empty");
  return NumberOf(log.substr(text + 3, log.find('\n') - text - 3), "ours");
}

}  // namespace cluster::node
