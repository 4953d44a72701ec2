// Laws of every plan, over random clusters. A failure prints its seed.
#include <algorithm>
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/invariants.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Node;
using domain::Pod;
using domain::ReplicaSet;
using domain::World;

const absl::Time kPlannedAt = absl::FromUnixSeconds(1000);

class ClusterGenerator {
 public:
  explicit ClusterGenerator(uint64_t seed) : random_(seed) {}

  std::vector<v1::Object> Objects() {
    std::vector<v1::Object> objects;
    const int nodes = Below(8);
    for (int i = 0; i < nodes; ++i) objects.push_back(RandomNode(absl::StrCat("n", i)));
    for (int i = 0; i < 40; ++i) objects.push_back(RandomPod(absl::StrCat("p", i)));
    return objects;
  }
  int Below(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }
  bool OneIn(int n) { return Below(n) == 0; }
  std::mt19937_64* random() { return &random_; }

 private:
  Node RandomNode(const std::string& name) {
    Node node(name);
    node.Allocatable(absl::StrCat(500 * (1 + Below(8)), "m"), absl::StrCat(1 + Below(8), "Gi"),
                     1 + Below(12));
    if (OneIn(2)) node.Label("disk", OneIn(2) ? "ssd" : "hdd");
    if (OneIn(4))
      node.Tainted("k", OneIn(2) ? "v" : "w", static_cast<v1::TaintEffect>(1 + Below(3)));
    if (OneIn(8)) node.Cordoned();
    if (OneIn(8)) node.NotReady();
    return node;
  }
  Pod RandomPod(const std::string& name) {
    Pod pod(name);
    pod.CreatedAt(Below(3));
    if (OneIn(2)) pod.Cpu(absl::StrCat(100 * (1 + Below(12)), "m"));
    if (OneIn(2)) pod.Memory(absl::StrCat(256 * (1 + Below(8)), "Mi"));
    if (OneIn(4)) {
      pod.HostPort(8000 + Below(3), OneIn(2) ? v1::PROTOCOL_TCP : v1::PROTOCOL_UDP,
                   OneIn(2) ? "" : absl::StrCat("127.0.0.", Below(2)));
    }
    if (OneIn(6)) pod.OnNodesWith("disk", "ssd");
    if (OneIn(3)) pod.Tolerates("k", "v", static_cast<v1::TaintEffect>(Below(4)));
    if (OneIn(2)) pod.OwnedBy(ReplicaSet(absl::StrCat("set", Below(3))));
    if (OneIn(10)) pod.Phase(v1::POD_PHASE_SUCCEEDED);
    if (OneIn(10)) pod.Deleting();
    return pod;
  }

  std::mt19937_64 random_;
};

World WorldOf(const std::vector<v1::Object>& objects) {
  World world;
  for (const v1::Object& object : objects) world.Put(object);
  return world;
}

std::map<std::string, std::string> Placements(const Plan& plan) {
  std::map<std::string, std::string> placements;
  for (const Binding& binding : plan.bindings) placements[binding.pod_key] = binding.node;
  for (const Unschedulable& left : plan.unschedulable) placements[left.pod_key] = left.summary;
  return placements;
}

class SchedulerLaws : public ::testing::TestWithParam<int> {};

TEST_P(SchedulerLaws, Law9NothingIsOvercommittedAndNothingThatFitsIsLeft) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed + 1000 * GetParam()));
    World world = WorldOf(ClusterGenerator(seed + 1000 * GetParam()).Objects());
    const Plan plan = ComputePlan(world.view(), {}, kPlannedAt);
    ASSERT_TRUE(world.Commit(PlanChanges(world.view(), plan, kPlannedAt)).empty());
    ASSERT_EQ(domain::OvercommitProblem(world.view()), "");
    for (const Unschedulable& left : plan.unschedulable) {
      const v1::Pod pod = world.Find(left.pod_key)->object.pod();
      for (const auto& [key, node] : world.view().All(v1::Object::kNode)) {
        ASSERT_FALSE(domain::CouldRun(world.view(), pod, node->object.node()))
            << left.pod_key << " fits on " << key << ": " << left.summary;
      }
    }
    // Nothing is left to be said.
    ASSERT_TRUE(PlanChanges(world.view(), ComputePlan(world.view(), {}, kPlannedAt), kPlannedAt)
                    .writes.empty());
  }
}

TEST_P(SchedulerLaws, ThePlanDoesNotDependOnTheOrderOfTheInput) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed + 1000 * GetParam()));
    ClusterGenerator generator(seed + 1000 * GetParam());
    std::vector<v1::Object> objects = generator.Objects();
    const auto first = Placements(ComputePlan(WorldOf(objects).view(), {}, kPlannedAt));
    std::shuffle(objects.begin(), objects.end(), *generator.random());
    ASSERT_EQ(Placements(ComputePlan(WorldOf(objects).view(), {}, kPlannedAt)), first);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerLaws, ::testing::Range(0, SEED_PARTS));

}  // namespace
}  // namespace cluster::controller
