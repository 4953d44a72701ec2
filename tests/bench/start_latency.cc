// How long from "here is a pod's spec" to the first instruction of its container's process:
// KernelRuntime with network, cgroups, journal and all, against `crun run` and `runc run` of the
// same root file system as they come (no network is set up for them), and against the kernel's own
// share (start_floor), without and with a user namespace and a filter.
//
//   start_latency [ROUNDS]      200 by default; root
//
// One alternating run, so that all see the same machine. Everything happens in a network namespace
// and cgroups of its own, and is removed at the end.
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

#include "base/file.h"
#include "node/seccomp/filters.h"
#include "tests/bench/bench_world.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

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

// start_floor as a helper process.
class Floor {
 public:
  Floor(const BenchPlace& place, const std::string& bridge, const std::string& name,
        const std::string& filter) {
    const std::string scratch = absl::StrCat(place.base(), "/", name);
    fs::create_directories(scratch);
    std::vector<std::string> argv = {ProgramDirectory() + "/start_floor", place.layer(), scratch,
                                     bridge};
    if (!filter.empty()) argv.push_back(filter);
    helper_ = Spawn(argv);
  }
  ~Floor() {
    helper_.in.reset();
    waitpid(helper_.pid, nullptr, 0);
  }

  int64_t Round() const {
    if (write(helper_.in.get(), "go\n", 3) != 3) Die("start_floor ended");
    return NumberOf(ReadLine(helper_.out.get()), "start_floor");
  }

 private:
  Spawned helper_;
};

void Print(const std::vector<const Series*>& table, const Series& floor, const Series& users,
           const Series& crun) {
  absl::PrintF("%-38s %9s %9s %9s %9s %9s\n", "spec to first instruction", "p50 ms", "p99 ms",
               "x kernel", "x users", "x crun");
  for (const Series* series : table) {
    if (series->nanoseconds.empty()) continue;
    absl::PrintF("%-38s %9.2f %9.2f %9.2f %9.2f %9.2f\n", series->name, series->Percentile(0.5),
                 series->Percentile(0.99), series->Percentile(0.5) / floor.Percentile(0.5),
                 series->Percentile(0.5) / users.Percentile(0.5),
                 crun.nanoseconds.empty() ? 0 : series->Percentile(0.5) / crun.Percentile(0.5));
  }
}

// The kernel takes namespaces and links apart for a while after they are let go: what the one
// before left is not the next one's business.
void Settle() { poll(nullptr, 0, 30); }

int Main(int rounds) {
  const BenchPlace place("start-latency");
  Series floor{"kernel alone, with veth", {}};
  Series floor_users{"  with users of its own and filter", {}};
  Series prepare{"  of it PrepareSandbox", {}};
  Series ours{"cluster, with network", {}};
  Series ours_plain{"  without users of its own and filter", {}};
  Series crun{"crun run, no network", {}};
  Series runc{"runc run, no network", {}};
  // These fork, so they come before anything that has threads.
  const OciRuntime crun_runtime("crun", place.base(), place.layer());
  const OciRuntime runc_runtime("runc", place.base(), place.layer());
  BenchRuntime bench(place);
  const std::string bridge = absl::StrCat(if_nametoindex("cbr0"));
  const Floor floor_program(place, bridge, "floor", "");
  const std::string filter = place.base() + "/filter";
  SyscallFilters filters(place.base() + "/profiles");
  Must(WriteNewFile(filter, Must(filters.For("", kDefaultCapabilities), "filter"), 0600), "filter");
  const Floor users_program(place, bridge, "floor-users", filter);
  constexpr int kWarmUp = 5;
  for (int round = -kWarmUp; round < rounds; ++round) {
    const int number = round + kWarmUp;
    Settle();
    const int64_t alone = floor_program.Round();
    Settle();
    const int64_t alone_users = users_program.Round();
    Settle();
    const int64_t start = Now();
    Must(bench.runtime().PrepareSandbox(bench.Sandbox(number)).status(), "prepare");
    const int64_t prepared = Now();
    const ContainerState state =
        Must(bench.runtime().StartContainer(bench.Container(number, {"/probe"})), "start");
    if (!state.message.empty()) Die(state.message);
    const int64_t first = bench.AwaitProbe(number);
    bench.Remove(number);
    // With the namespaces that start_floor has, and no more.
    const int other = number + 1'000'000;
    Settle();
    const int64_t plain_start = Now();
    SandboxSpec sandbox = bench.Sandbox(other);
    sandbox.host_users = true;
    Must(bench.runtime().PrepareSandbox(sandbox).status(), "prepare");
    ContainerSpec container = bench.Container(other, {"/probe"});
    container.security.seccomp = "unconfined";
    Must(bench.runtime().StartContainer(container).status(), "start");
    const int64_t plain = bench.AwaitProbe(other) - plain_start;
    bench.Remove(other);
    Settle();
    const int64_t by_crun = crun_runtime.Round();
    Settle();
    const int64_t by_runc = runc_runtime.Round();
    if (round < 0) continue;
    floor.nanoseconds.push_back(alone);
    floor_users.nanoseconds.push_back(alone_users);
    prepare.nanoseconds.push_back(prepared - start);
    ours.nanoseconds.push_back(first - start);
    ours_plain.nanoseconds.push_back(plain);
    crun.nanoseconds.push_back(by_crun);
    runc.nanoseconds.push_back(by_runc);
  }
  std::cout << rounds << " alternating rounds\n";
  Print({&floor, &floor_users, &ours, &prepare, &ours_plain, &crun, &runc}, floor, floor_users,
        crun);
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
