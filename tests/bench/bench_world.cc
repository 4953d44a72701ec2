#include "tests/bench/bench_world.h"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {

namespace fs = std::filesystem;

constexpr int64_t kDiskBytes = int64_t{8} << 30;

int64_t NumberOf(const std::string& text, const std::string& who) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(text, &number)) Die(absl::StrCat(who, ": the probe said '", text, "'"));
  return number;
}

BenchPlace::BenchPlace(const std::string& name)
    : disk_(name, kDiskBytes), run_("/dev/shm/" + name + "-XXXXXX") {
  if (unshare(CLONE_NEWNET) != 0) Die(absl::StrCat("unshare: ", ErrnoName(errno)));
  if (mkdtemp(run_.data()) == nullptr) Die("mkdtemp");
  layer_ = base() + "/layer";
  for (const char* part : {"/proc", "/dev", "/sys", "/etc", "/tmp", "/bin"}) {
    fs::create_directories(layer_ + part);
  }
  fs::copy_file(ProgramDirectory() + "/start_probe", layer_ + "/probe");
  fs::copy_file("/bin/busybox", layer_ + "/bin/busybox");
  fs::create_directories(base() + "/state");
}

BenchPlace::~BenchPlace() {
  const absl::Status removed = RemoveTree(run_);
  if (!removed.ok()) std::cerr << removed << "\n";
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
