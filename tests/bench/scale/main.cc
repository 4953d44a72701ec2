// The real controller binary, real gRPC over the loopback and a real SQLite file, with many nodes
// in one load program: what placing very many pods takes, what changes cost while they run, and
// what becomes of it all when the controller is killed. See README.md beside tests/bench.
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/create_channel.h"

#include "tests/bench/scale/api_load.h"
#include "tests/bench/scale/controller_process.h"
#include "tests/bench/scale/fleet.h"

namespace cluster::bench {
namespace {

struct Options {
  int nodes = 50;
  int pods = 2000;
  int deployments = 0;  // 0: one for each thousand pods
  int rate = 1000;
  double churn_seconds = 5;
  int limit_seconds = 120;
  bool restart = true;
};

class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        disk_("cluster-bench-scale", int64_t{64} << 30),
        controller_(disk_.path(), options.nodes) {}

  void All() {
    controller_.Start();
    api_.emplace(grpc::CreateChannel(controller_.address(), grpc::InsecureChannelCredentials()),
                 &fleet());
    Attach();
    Place();
    Rest();
    if (options_.churn_seconds > 0) Churn();
    if (options_.restart) Restart();
  }

 private:
  Fleet& fleet() {
    if (!fleet_.has_value()) {
      NodeSize size;
      // Room for a quarter more than an even share, and for what the churn makes.
      size.pods = options_.pods / options_.nodes * 5 / 4 + ApiLoad::kMostPods / options_.nodes + 20;
      fleet_.emplace(controller_.address(), options_.nodes, size);
    }
    return *fleet_;
  }

  double Seconds() const { return static_cast<double>(Now() - began_) / 1e9; }
  void Begin() {
    began_ = Now();
    cpu_ = controller_.cpu_seconds();
    own_cpu_ = CpuSeconds(getpid());
  }
  void PrintCost() {
    std::printf("  processor: controller %.1f s, load program %.1f s\n",
                controller_.cpu_seconds() - cpu_, CpuSeconds(getpid()) - own_cpu_);
  }
  static void Print(const char* name, const Series& series) {
    if (series.nanoseconds.empty()) return;
    std::printf("  %s: p50 %.2f ms, p99 %.2f ms, most %.2f ms (%zu)\n", name,
                series.Percentile(0.5), series.Percentile(0.99), series.Percentile(1),
                series.nanoseconds.size());
  }
  static void Print(const char* name, const ApiLoad::Answers& answers) {
    Print(name, answers.latency);
    if (answers.failed == 0) return;
    std::printf("  %lld failed: %s\n", static_cast<long long>(answers.failed), answers.why.c_str());
  }

  void Attach() {
    Begin();
    api_->AwaitReadyNodes(options_.nodes);
    std::printf("%d nodes attached and ready: %.2f s\n", options_.nodes, Seconds());
    PrintCost();
    Settle();
    empty_ = controller_.own_memory();
    std::printf("  controller: %.1f MiB\n", empty_);
  }

  // Until the controller has nothing to do any more.
  void Settle() {
    for (int i = 0; i < 60; ++i) {
      const double before = controller_.cpu_seconds();
      poll(nullptr, 0, 1000);
      if (controller_.cpu_seconds() - before < 0.15) return;
    }
  }

  void Place() {
    Begin();
    int deployments = options_.deployments;
    if (deployments == 0) deployments = std::max(1, options_.pods / 1000);
    api_->ApplyDeployments(deployments, options_.pods);
    std::printf("%d pods in %d deployments: answered after %.2f s\n", options_.pods, deployments,
                Seconds());
    int64_t shown = 0;
    const auto over = [&] {
      const auto second = static_cast<int64_t>(Seconds()) / 5;
      if (second > shown) {
        std::printf("  %4.0f s: %8lld told, %8lld running, controller %.0f MiB\n", Seconds(),
                    static_cast<long long>(fleet().counts().told),
                    static_cast<long long>(fleet().counts().running), controller_.own_memory());
        std::fflush(stdout);
        shown = second;
      }
      return fleet().counts().running >= options_.pods || Seconds() > options_.limit_seconds;
    };
    const ApiLoad::Answers answers = api_->WriteUntil(20, over);
    const auto running = static_cast<double>(fleet().counts().running);
    std::printf("%.0f of %d pods acknowledged running: %.2f s, %.0f placements/s\n", running,
                options_.pods, Seconds(), running / Seconds());
    Print("changes meanwhile (20/s)", answers);
    Print("beats meanwhile", fleet().Beats());
    PrintCost();
    std::printf("  controller at its most: %.0f MiB\n", Mebibytes(controller_.pid(), "VmHWM"));
  }

  void Rest() {
    Settle();
    // Changes are kept for a minute, for watches that were away.
    poll(nullptr, 0, 65'000);
    Begin();
    poll(nullptr, 0, 5000);
    const double cpu = (controller_.cpu_seconds() - cpu_) / Seconds();
    const double full = controller_.own_memory();
    std::printf("at rest: controller %.1f MiB, %.0f bytes for each pod, %.1f %% of a core\n", full,
                (full - empty_) * (1 << 20) / static_cast<double>(fleet().counts().running),
                100 * cpu);
    std::printf("  store: %.0f MiB\n", controller_.store_mebibytes());
    fleet().Beats();
  }

  void Churn() {
    Begin();
    const ApiLoad::Answers answers = api_->Churn(options_.rate, options_.churn_seconds);
    std::printf("churn, %d changes/s for %.0f s: the last answered after %.2f s\n", options_.rate,
                options_.churn_seconds, Seconds());
    Print("changes", answers);
    const int64_t until = Now() + 10'000'000'000;
    while (fleet().Outstanding() > 0 && Now() < until) poll(nullptr, 0, 10);
    Print("pod created to node told", fleet().Told());
    if (fleet().Outstanding() > 0) std::printf("  %zu never told\n", fleet().Outstanding());
    Print("beats", fleet().Beats());
    PrintCost();
  }

  void Restart() {
    Settle();
    const int64_t welcomes = fleet().counts().welcomes;
    const int64_t told = fleet().counts().told;
    controller_.Kill();
    Begin();
    controller_.Start();
    cpu_ = 0;
    std::printf("controller killed: serves again after %.2f s\n", Seconds());
    const double until = Seconds() + options_.limit_seconds;
    while (fleet().counts().welcomes - welcomes < options_.nodes && Seconds() < until) {
      poll(nullptr, 0, 5);
    }
    std::printf("%lld nodes back after %.2f s\n",
                static_cast<long long>(fleet().counts().welcomes - welcomes), Seconds());
    Settle();
    api_.emplace(grpc::CreateChannel(controller_.address(), grpc::InsecureChannelCredentials()),
                 &fleet());
    std::printf("  ready: %d; pods told anew: %lld; sessions since: %lld\n",
                api_->CountReadyNodes(), static_cast<long long>(fleet().counts().told - told),
                static_cast<long long>(fleet().counts().welcomes - welcomes));
    Print("beats", fleet().Beats());
    PrintCost();
    std::printf("  controller: %.1f MiB\n", controller_.own_memory());
  }

  const Options options_;
  BenchDisk disk_;
  ControllerProcess controller_;
  std::optional<Fleet> fleet_;
  std::optional<ApiLoad> api_;
  int64_t began_ = 0;
  double cpu_ = 0;
  double own_cpu_ = 0;
  double empty_ = 0;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("What a cluster of many nodes takes of its controller.", "scale");
  app.add_option("--nodes", options.nodes)->capture_default_str();
  app.add_option("--pods", options.pods)->capture_default_str();
  app.add_option("--deployments", options.deployments, "0: one for each thousand pods");
  app.add_option("--rate", options.rate, "Changes per second of the churn")->capture_default_str();
  app.add_option("--churn", options.churn_seconds, "Seconds; 0: none")->capture_default_str();
  app.add_option("--limit", options.limit_seconds, "Seconds that placing may take at most")
      ->capture_default_str();
  app.add_flag("!--no-restart", options.restart, "Does not kill the controller at the end");
  CLI11_PARSE(app, argc, argv);
  signal(SIGPIPE, SIG_IGN);
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Run(options).All();
  return 0;
}

}  // namespace
}  // namespace cluster::bench

int main(int argc, char** argv) { return cluster::bench::Main(argc, argv); }
