// How a node of many pods does: starts per second, what an idle pod costs in memory, how long a
// start takes while others are torn down, and how long exec and stop take in a full house.
//
//   density [PODS] [THREADS]      1000 pods, as many threads as there are cores; root
//
// KernelRuntime with network, cgroups, user namespaces and system call filters, in a network
// namespace and cgroups of its own, which are removed at the end.
#include <poll.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/file.h"
#include "tests/bench/bench_world.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kIdle = {"/bin/busybox", "sleep", "100000"};
const std::vector<std::string> kObedient = {
    "/bin/busybox", "sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 1 & wait; done"};

// "Pss:   1234 kB" and the like.
int64_t KibibytesOf(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    int64_t amount = 0;
    if (word == name && file >> amount) return amount;
  }
  return 0;
}

// Of all processes of this name.
int64_t PssOf(const std::string& name, int* count) {
  int64_t sum = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto comm = ReadFile(entry.path().string() + "/comm");
    if (!comm.ok() || !absl::StartsWith(*comm, name)) continue;
    sum += KibibytesOf(entry.path().string() + "/smaps_rollup", "Pss:");
    ++*count;
  }
  return sum;
}

// Runs work(number) for each number of [begin, end) by so many threads; seconds.
double InParallel(int begin, int end, int threads, const std::function<void(int)>& work) {
  std::atomic<int> next{begin};
  std::vector<std::thread> workers;
  const int64_t start = Now();
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (int number; (number = next++) < end;) work(number);
    });
  }
  for (std::thread& worker : workers) worker.join();
  return static_cast<double>(Now() - start) / 1e9;
}

class Density {
 public:
  Density(BenchRuntime* bench, int pods, int threads)
      : bench_(*bench), pods_(pods), threads_(threads) {}

  void Run() {
    StartBesideRemovals();
    Fill();
    ExecInto();
    Stop();
    const double seconds = InParallel(0, pods_, threads_, [&](int i) { bench_.Remove(i); });
    absl::PrintF("%-46s %9.0f /s\n", "removals, sustained", pods_ / seconds);
  }

 private:
  int64_t Start() {
    const int number = next_++;
    const int64_t start = Now();
    bench_.Start(number, {"/probe"});
    const int64_t took = bench_.AwaitProbe(number) - start;
    bench_.Remove(number);
    // What the kernel still does for it is not the next one's business.
    poll(nullptr, 0, 30);
    return took;
  }

  void StartBesideRemovals() {
    constexpr int kOthers = 250;
    Series quiet{"start, quiet node", {}};
    Series busy{"start, 250 other pods torn down meanwhile", {}};
    for (int i = 0; i < 20; ++i) Start();
    for (int i = 0; i < 200; ++i) quiet.nanoseconds.push_back(Start());
    // No pod comes back: what is left of one may linger in the kernel.
    for (int first = 2'000'000; busy.nanoseconds.size() < 200; first += kOthers) {
      InParallel(first, first + kOthers, threads_, [&](int i) { bench_.Start(i, kIdle); });
      std::atomic<bool> over{false};
      std::thread remover([&] {
        InParallel(first, first + kOthers, threads_, [&](int i) { bench_.Remove(i); });
        over = true;
      });
      while (!over) busy.nanoseconds.push_back(Start());
      remover.join();
    }
    Print(quiet);
    Print(busy);
    absl::PrintF("%-46s %9.2f x\n", "  its p99 against the quiet one's",
                 busy.Percentile(0.99) / quiet.Percentile(0.99));
  }

  void Fill() {
    const int64_t before = KibibytesOf("/proc/meminfo", "MemAvailable:");
    const double seconds = InParallel(0, pods_, threads_, [&](int i) { bench_.Start(i, kIdle); });
    absl::PrintF("%-46s %9.0f /s\n", absl::StrCat("starts with network, ", pods_, " pods"),
                 pods_ / seconds);
    const int64_t taken = before - KibibytesOf("/proc/meminfo", "MemAvailable:");
    int inits = 0;
    int sleepers = 0;
    const int64_t init_pss = PssOf("cluster-init", &inits);
    const int64_t own_pss = PssOf("busybox", &sleepers);
    absl::PrintF("%-46s %9.0f KiB\n", "cluster-init of an idle pod, PSS",
                 static_cast<double>(init_pss) / std::max(inits, 1));
    absl::PrintF("%-46s %9.0f KiB\n", "the kernel's part of an idle pod",
                 static_cast<double>(taken - init_pss - own_pss) / pods_);
  }

  void ExecInto() {
    Series first{absl::StrCat("exec among ", pods_, " pods, first instruction"), {}};
    Series ended{"  and its exit code is there", {}};
    for (int i = 0; i < 200; ++i) {
      ExecSpec spec;
      spec.pod_uid = BenchRuntime::UidOf(i % pods_);
      spec.container = "main";
      spec.argv = {"/probe"};
      const int64_t start = Now();
      const auto process = Must(bench_.runtime().Exec(spec), "exec");
      pollfd ready{process->stdout_fd.get(), POLLIN, 0};
      poll(&ready, 1, -1);
      first.nanoseconds.push_back(NumberOf(ReadLine(ready.fd), "exec") - start);
      Must(process->Wait().status(), "exec");
      ended.nanoseconds.push_back(Now() - start);
    }
    Print(first);
    Print(ended);
  }

  void Stop() {
    Series exited{"SIGTERM to the end of its process", {}};
    Series removed{"SIGTERM to all that a caller waits for", {}};
    for (int i = 0; i < 200; ++i) {
      const int number = next_++;
      bench_.Start(number, kObedient);
      const std::string log =
          bench_.runtime().LogDirectory(BenchRuntime::UidOf(number), "main") + "/0.log";
      while (!absl::StrContains(ReadFile(log).value_or(""), "up")) std::this_thread::yield();
      const int64_t start = Now();
      Must(bench_.runtime().Signal({BenchRuntime::UidOf(number), "main", 0}, SIGTERM), "signal");
      while (Must(bench_.runtime().Poll(BenchRuntime::UidOf(number)), "poll")[0].phase !=
             ContainerPhase::kExited) {
        std::this_thread::yield();
      }
      exited.nanoseconds.push_back(Now() - start);
      bench_.Remove(number);
      removed.nanoseconds.push_back(Now() - start);
    }
    Print(exited);
    Print(removed);
  }

  static void Print(const Series& series) {
    absl::PrintF("%-46s %9.2f ms p50 %9.2f ms p99\n", series.name, series.Percentile(0.5),
                 series.Percentile(0.99));
    std::cout << std::flush;
  }

  BenchRuntime& bench_;
  const int pods_;
  const int threads_;
  int next_ = 1'000'000;
};

int Main(int pods, int threads) {
  const BenchPlace place("density");
  BenchRuntime bench(place);
  Density(&bench, pods, threads).Run();
  return 0;
}

}  // namespace
}  // namespace cluster::node

int main(int argc, char** argv) {
  int pods = 1000;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
  if (argc > 3 || (argc > 1 && (!absl::SimpleAtoi(argv[1], &pods) || pods < 1)) ||
      (argc > 2 && (!absl::SimpleAtoi(argv[2], &threads) || threads < 1))) {
    std::cerr << "usage: density [PODS] [THREADS]\n";
    return 2;
  }
  return cluster::node::Main(pods, threads);
}
