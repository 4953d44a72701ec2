// Placements per second of one plan: `nodes` nodes, `pods` pending pods in `workloads` workloads,
// half of the room taken before.
#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"

#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1000);

domain::World MakeWorld(int nodes, int pods, int workloads) {
  domain::World world;
  for (int i = 0; i < nodes; ++i) {
    world.Put(domain::Node(absl::StrCat("node", i))
                  .Allocatable("16", "64Gi", 110)
                  .Label("zone", absl::StrCat("z", i % 3)));
    for (int j = 0; j < 5; ++j) {
      world.Put(domain::Pod(absl::StrCat("there-", i, "-", j))
                    .Cpu(absl::StrCat(100 + (i * 7 + j * 31) % 900, "m"))
                    .Memory("1Gi")
                    .On(absl::StrCat("node", i))
                    .Ready());
    }
  }
  for (int i = 0; i < pods; ++i) {
    const int workload = i % workloads;
    world.Put(domain::Pod(absl::StrCat("set", workload, "-", i))
                  .Cpu(absl::StrCat(100 + 50 * (workload % 10), "m"))
                  .Memory("256Mi")
                  .OwnedBy(domain::ReplicaSet(absl::StrCat("set", workload))));
  }
  return world;
}

void BM_ComputePlan(benchmark::State& state) {
  const auto pods = static_cast<int>(state.range(1));
  const domain::World world =
      MakeWorld(static_cast<int>(state.range(0)), pods, static_cast<int>(state.range(2)));
  size_t placed = 0;
  for (auto _ : state) {
    const Plan plan = ComputePlan(world.view(), {}, kNow);
    placed = plan.bindings.size();
    benchmark::DoNotOptimize(placed);
  }
  if (placed != static_cast<size_t>(pods)) state.SkipWithError("not every pod was placed");
  state.counters["placements/s"] = benchmark::Counter(
      static_cast<double>(placed), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_ComputePlan)
    ->ArgNames({"nodes", "pods", "workloads"})
    ->Args({3, 100, 1})
    ->Args({1000, 10000, 1})
    ->Args({1000, 10000, 100})
    ->Args({1000, 10000, 1000})
    ->Unit(benchmark::kMillisecond);

// A pass in which every pod is bound already: what each change of the cluster costs.
void BM_NothingPending(benchmark::State& state) {
  const domain::World world = MakeWorld(1000, 0, 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(ComputePlan(world.view(), {}, kNow));
  }
}
BENCHMARK(BM_NothingPending)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cluster::controller

BENCHMARK_MAIN();
