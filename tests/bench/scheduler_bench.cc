// Placements per second of one plan, by what the pods ask for, and what a placement costs as the
// cluster grows.
//
// "fed": the scheduler knows the cluster, as it does in the controller, and the plan alone is
// timed. "anew": everything is computed from the view.
#include <memory>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"

#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/placing.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1000);
constexpr int kZones = 10;

std::string NodeName(int i) { return absl::StrCat("node", i); }

// Some of the room is taken; each node has the labels of a host and of a zone.
void PutNodes(int nodes, int there, domain::World* world) {
  for (int i = 0; i < nodes; ++i) {
    world->Put(domain::Node(NodeName(i))
                   .Allocatable("16", "64Gi", 110)
                   .Label("host", NodeName(i))
                   .Label("zone", absl::StrCat("z", i % kZones)));
    for (int j = 0; j < there; ++j) {
      world->Put(domain::Pod(absl::StrCat("there-", i, "-", j))
                     .Cpu(absl::StrCat(100 + (i * 7 + j * 31) % 900, "m"))
                     .Memory("1Gi")
                     .On(NodeName(i))
                     .Ready());
    }
  }
}

using Ask = void (*)(const std::string& app, domain::Pod* pod);

void Nothing(const std::string& /*app*/, domain::Pod* /*pod*/) {}
void ApartByHost(const std::string& app, domain::Pod* pod) {
  pod->With(domain::Away("app", app, "host"));
}
void SpreadByZone(const std::string& app, domain::Pod* pod) {
  pod->With(domain::SpreadOver("zone", 1, "app", app));
}

void PutPending(int pods, int workloads, Ask ask, domain::World* world) {
  for (int i = 0; i < pods; ++i) {
    const std::string app = absl::StrCat("set", i % workloads);
    domain::Pod pod(absl::StrCat(app, "-", i));
    pod.Cpu(absl::StrCat(50 + 10 * (i % workloads % 10), "m")).Memory("256Mi").Label("app", app);
    pod.OwnedBy(domain::ReplicaSet(app));
    ask(app, &pod);
    world->Put(pod);
  }
}

void Count(size_t placed, benchmark::State& state) {
  state.counters["placements/s"] = benchmark::Counter(
      static_cast<double>(placed), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["each"] = benchmark::Counter(
      static_cast<double>(placed),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// The plan of a scheduler that knows the cluster.
void RunFed(const domain::World& world, size_t pods, benchmark::State& state) {
  size_t placed = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto scheduler = std::make_unique<Scheduler>(SchedulerOptions{});
    scheduler->Prepare(world.view());
    state.ResumeTiming();
    const Plan plan = scheduler->Compute(world.view(), kNow);
    state.PauseTiming();
    placed = plan.bindings.size() + plan.preemptions.size();
    scheduler = nullptr;
    state.ResumeTiming();
  }
  if (placed != pods) state.SkipWithError("not every pod was placed");
  Count(placed, state);
}

void BM_Fed(benchmark::State& state, Ask ask) {
  const auto pods = static_cast<int>(state.range(1));
  domain::World world;
  PutNodes(static_cast<int>(state.range(0)), 5, &world);
  PutPending(pods, static_cast<int>(state.range(2)), ask, &world);
  RunFed(world, static_cast<size_t>(pods), state);
}
BENCHMARK_CAPTURE(BM_Fed, plain, Nothing)
    ->ArgNames({"nodes", "pods", "workloads"})
    ->Args({5000, 50'000, 1})
    ->Args({5000, 50'000, 100})
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Fed, required_anti_affinity, ApartByHost)
    ->ArgNames({"nodes", "pods", "workloads"})
    ->Args({5000, 50'000, 50})
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Fed, topology_spread, SpreadByZone)
    ->ArgNames({"nodes", "pods", "workloads"})
    ->Args({5000, 50'000, 50})
    ->Unit(benchmark::kMillisecond);

// Every node is full of pods of less priority, and each pod that comes needs the room of one.
void BM_Preemption(benchmark::State& state) {
  const auto nodes = static_cast<int>(state.range(0));
  const auto pods = static_cast<int>(state.range(1));
  domain::World world;
  PutNodes(nodes, 0, &world);
  for (int i = 0; i < nodes * 10; ++i) {
    world.Put(domain::Pod(absl::StrCat("low-", i))
                  .Cpu("1600m")
                  .Priority(i % 3)
                  .On(NodeName(i / 10))
                  .Ready());
  }
  for (int i = 0; i < pods; ++i) {
    world.Put(domain::Pod(absl::StrCat("high-", i)).Cpu("1600m").Priority(1000));
  }
  RunFed(world, static_cast<size_t>(pods), state);
}
BENCHMARK(BM_Preemption)
    ->ArgNames({"nodes", "pods"})
    ->Args({5000, 20'000})
    ->Unit(benchmark::kMillisecond);

// What a placement costs as the cluster grows: twice as many pods as nodes, ten workloads.
void BM_CostPerPlacement(benchmark::State& state, Ask ask) {
  const auto nodes = static_cast<int>(state.range(0));
  domain::World world;
  PutNodes(nodes, 5, &world);
  PutPending(2 * nodes, 10, ask, &world);
  RunFed(world, static_cast<size_t>(2 * nodes), state);
}
BENCHMARK_CAPTURE(BM_CostPerPlacement, plain, Nothing)
    ->ArgName("nodes")
    ->Arg(100)
    ->Arg(1000)
    ->Arg(5000)
    ->Arg(10'000)
    ->Arg(20'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_CostPerPlacement, topology_spread, SpreadByZone)
    ->ArgName("nodes")
    ->Arg(100)
    ->Arg(1000)
    ->Arg(5000)
    ->Arg(10'000)
    ->Arg(20'000)
    ->Unit(benchmark::kMillisecond);

void BM_Anew(benchmark::State& state) {
  const auto pods = static_cast<int>(state.range(1));
  domain::World world;
  PutNodes(static_cast<int>(state.range(0)), 5, &world);
  PutPending(pods, static_cast<int>(state.range(2)), Nothing, &world);
  size_t placed = 0;
  for (auto _ : state) placed = ComputePlan(world.view(), {}, kNow).bindings.size();
  if (placed != static_cast<size_t>(pods)) state.SkipWithError("not every pod was placed");
  Count(placed, state);
}
BENCHMARK(BM_Anew)
    ->ArgNames({"nodes", "pods", "workloads"})
    ->Args({3, 100, 1})
    ->Args({1000, 10'000, 100})
    ->Args({5000, 50'000, 100})
    ->Unit(benchmark::kMillisecond);

// A pass in which one more pod of a workload has come to a cluster at rest: what a change costs.
void BM_OneMorePod(benchmark::State& state) {
  domain::World world;
  const auto nodes = static_cast<int>(state.range(0));
  PutNodes(nodes, 10, &world);
  const auto pod = [](int64_t i) {
    return domain::Pod(absl::StrCat("new-", i)).Cpu("100m").OwnedBy(domain::ReplicaSet("s"));
  };
  world.Put(pod(-1).On(NodeName(0)).Ready());
  Scheduler scheduler{SchedulerOptions{}};
  scheduler.Compute(world.view(), kNow);
  int64_t i = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const std::string key = absl::StrCat("pods/default/new-", i);
    world.Put(pod(i++));
    state.ResumeTiming();
    scheduler.Note(nullptr, world.Find(key));
    benchmark::DoNotOptimize(scheduler.Compute(world.view(), kNow));
    state.PauseTiming();
    scheduler.Note(world.Find(key), nullptr);
    world.Remove(key);
    state.ResumeTiming();
  }
}
BENCHMARK(BM_OneMorePod)
    ->ArgName("nodes")
    ->Arg(100)
    ->Arg(1000)
    ->Arg(5000)
    ->Arg(20'000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace cluster::controller

BENCHMARK_MAIN();
