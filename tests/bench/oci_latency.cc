// How long create, start, exec (/bin/true) and delete of one and the same bundle (/bin/sleep) take
// with cluster-oci, crun and runc. What is timed is each command from its spawn to its end.
//
//   oci_latency [ROUNDS [RUNTIME...]]      100 rounds of all three by default; root
//
// In turn, each round beginning with another one, so that all see the same machine. crun refuses
// hybrid cgroups: everybody gets the v1 hierarchies alone where there are any. Everything happens
// in a network namespace and cgroups of its own, and is removed at the end.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
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

extern char** environ;

namespace cluster {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 4> kColumns = {"create", "start", "exec", "delete"};

[[noreturn]] void Die(const std::string& what) {
  std::cerr << "oci_latency: " << what << "\n";
  std::exit(1);
}

double Milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// To its end; its time.
double Time(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, 0, 1);
  const double start = Milliseconds();
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (error != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
    Die(absl::StrCat(words[0], " ", words[3], " failed"));
  }
  return Milliseconds() - start;
}

class Runtime {
 public:
  Runtime(std::string program, const std::string& run)
      : program_(std::move(program)), run_(run), name_(fs::path(program_).filename()) {}

  void Round(const std::string& bundle) {
    const std::string pid_file = absl::StrCat(run_, "/", name_, ".pid");
    const std::vector<std::string> words = {program_, "--root", absl::StrCat(run_, "/", name_)};
    const auto timed = [&](std::vector<std::string> rest) {
      rest.insert(rest.begin(), words.begin(), words.end());
      return Time(rest);
    };
    const double create = timed({"create", "--bundle", bundle, "--pid-file", pid_file, "bench"});
    const double start = timed({"start", "bench"});
    const double exec = timed({"exec", "bench", "/bin/true"});
    // An orphan, and so ours: it has ended before it is deleted.
    int pid = 0;
    const std::string text = ReadFile(pid_file).value_or("");
    if (!absl::SimpleAtoi(text, &pid) || kill(pid, SIGKILL) != 0 ||
        waitpid(pid, nullptr, 0) != pid) {
      Die(name_ + ": its pid");
    }
    const double removal = timed({"delete", "bench"});
    const double row[] = {create, start, exec, removal};
    for (size_t i = 0; i < times_.size(); ++i) times_[i].push_back(row[i]);
  }

  const std::string& name() const { return name_; }
  double Percentile(size_t column, double p) const {
    std::vector<double> sorted = times_[column];
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<size_t>(p * static_cast<double>(sorted.size() - 1) + 0.5)];
  }

 private:
  const std::string program_;
  const std::string run_;
  const std::string name_;
  std::array<std::vector<double>, kColumns.size()> times_;
};

void MakeBundle(const std::string& ours, const std::string& bundle, const std::string& group) {
  fs::create_directories(bundle + "/rootfs/bin");
  for (const char* applet : {"sleep", "true"}) {
    fs::copy_file("/bin/busybox", absl::StrCat(bundle, "/rootfs/bin/", applet));
  }
  Time({ours, "--root", bundle, "spec", "--bundle", bundle});
  auto config = nlohmann::json::parse(std::ifstream(bundle + "/config.json"));
  config["ociVersion"] = "1.0.2";
  config["process"]["terminal"] = false;
  config["process"]["args"] = {"/bin/sleep", "1000"};
  // Not every root may raise them.
  config["process"].erase("rlimits");
  config["linux"]["cgroupsPath"] = group + "/bench";
  std::ofstream(bundle + "/config.json") << config;
}

void EnterNamespaces() {
  if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    Die("run it as root");
  }
  umount2("/sys/fs/cgroup/unified", MNT_DETACH);
}

void Print(const std::vector<Runtime>& runtimes) {
  const Runtime& last = runtimes.back();
  absl::PrintF("%-12s", "p50 (p99) ms");
  for (const char* column : kColumns) absl::PrintF("  %-14s", column);
  absl::PrintF("\n");
  for (const Runtime& runtime : runtimes) {
    absl::PrintF("%-12s", runtime.name());
    for (size_t i = 0; i < kColumns.size(); ++i) {
      absl::PrintF("  %5.2f (%6.2f)", runtime.Percentile(i, 0.5), runtime.Percentile(i, 0.99));
    }
    absl::PrintF("\n");
    if (&runtime == &last) continue;
    absl::PrintF("%-12s", absl::StrCat("  x ", last.name()));
    for (size_t i = 0; i < kColumns.size(); ++i) {
      absl::PrintF("  %5.2f         ", runtime.Percentile(i, 0.5) / last.Percentile(i, 0.5));
    }
    absl::PrintF("\n");
  }
}

int Main(int argc, char** argv) {
  int rounds = 100;
  if (argc > 1 && !absl::SimpleAtoi(argv[1], &rounds)) Die("ROUNDS is a number");
  EnterNamespaces();
  std::string base = "/tmp/oci-latency-XXXXXX";
  if (mkdtemp(base.data()) == nullptr) Die("mkdtemp");
  const std::string ours =
      fs::canonical(fs::read_symlink("/proc/self/exe").parent_path() / "../bin/cluster-oci");
  const std::string group = absl::StrCat("/cluster-bench-oci-", getpid());
  MakeBundle(ours, base + "/bundle", group);
  // As /run is.
  const std::string run = base + "/run";
  fs::create_directories(run);
  if (mount("run", run.c_str(), "tmpfs", 0, nullptr) != 0) Die("tmpfs");
  std::vector<std::string> programs(argv + std::min(argc, 2), argv + argc);
  if (programs.empty()) programs = {ours, "runc", "crun"};
  std::vector<Runtime> runtimes;
  for (const std::string& program : programs) runtimes.emplace_back(program, run);
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < runtimes.size(); ++i) {
      runtimes[(i + static_cast<size_t>(round)) % runtimes.size()].Round(base + "/bundle");
    }
  }
  Print(runtimes);
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup")) {
    rmdir((hierarchy.path().string() + group).c_str());
  }
  umount2(run.c_str(), MNT_DETACH);
  fs::remove_all(base);
  return 0;
}

}  // namespace
}  // namespace cluster

int main(int argc, char** argv) { return cluster::Main(argc, argv); }
