// What one pass over a cluster at rest costs: every change anywhere pays it.
#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/reconcile.h"
#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

// A cluster in which every Deployment is rolled out.
class Rested {
 public:
  Rested(int nodes, int deployments, int replicas) {
    for (int i = 0; i < nodes; ++i) {
      const std::string name = absl::StrCat("node", i);
      world_.Put(domain::Node(name).Allocatable("16", "64Gi"));
      contacts_[name] = {Contact::kReady, absl::ZeroDuration()};
    }
    world_.Put(domain::Namespace("default"));
    for (int i = 0; i < deployments; ++i) {
      world_.Put(domain::Deployment(absl::StrCat("d", i)).Replicas(replicas).Cpu("10m"));
    }
    while (!Pass().writes.empty()) {
      const auto pods = world_.view().All(v1::Object::kPod);
      for (const auto& [key, entry] : pods) Start(entry);
    }
  }

  Changes Pass() {
    Changes changes = Look();
    world_.Commit(changes);
    return changes;
  }
  Changes Look() {
    Changes changes =
        Reconcile(world_.view(), {kNow, absl::Seconds(100), &contacts_, &brake_, &random_});
    MergeChanges(PlanChanges(world_.view(), ComputePlan(world_.view(), {}, kNow), kNow), &changes);
    return changes;
  }
  size_t pods() const { return world_.view().All(v1::Object::kPod).size(); }

 private:
  void Start(const EntryPtr& entry) {
    if (entry->object.pod().spec().node_name().empty()) return;
    if (IsTrue(entry->object.pod().status().conditions(), "Ready")) return;
    v1::Object after = entry->object;
    after.mutable_pod()->mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
    SetCondition({"Ready", v1::CONDITION_STATUS_TRUE, "", ""}, kNow,
                 after.mutable_pod()->mutable_status()->mutable_conditions());
    world_.Put(after);
  }

  domain::World world_;
  NodeContacts contacts_;
  LossBrake brake_;
  Random random_{1};
};

void BM_PassAtRest(benchmark::State& state) {
  Rested cluster(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)),
                 static_cast<int>(state.range(2)));
  for (auto _ : state) benchmark::DoNotOptimize(cluster.Look());
  state.counters["pods"] = static_cast<double>(cluster.pods());
}
BENCHMARK(BM_PassAtRest)
    ->ArgNames({"nodes", "deployments", "replicas"})
    ->Args({3, 10, 10})
    ->Args({100, 100, 10})
    ->Args({1000, 1000, 10})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cluster::controller

BENCHMARK_MAIN();
