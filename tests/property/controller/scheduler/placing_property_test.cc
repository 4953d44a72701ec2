// Laws of plans with affinities, spread constraints and priorities, over random clusters; and the
// law that what is kept up with changes never differs from what is computed anew. A failure prints
// its seed.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/scheduler/explain.h"
#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/invariants.h"
#include "tests/domain/placing.h"
#include "tests/domain/placing_rules.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Node;
using domain::Pod;
using domain::World;

const absl::Time kNow = absl::FromUnixSeconds(1000);

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  int Below(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }
  bool OneIn(int n) { return Below(n) == 0; }
  std::mt19937_64* random() { return &random_; }

  v1::Object RandomNode(const std::string& name) {
    Node node(name);
    node.Allocatable(absl::StrCat(1000 * (1 + Below(4)), "m"), "8Gi", 2 + Below(8));
    if (!OneIn(8)) node.Label("host", name);
    if (!OneIn(6)) node.Label("zone", absl::StrCat("z", Below(3)));
    if (OneIn(2)) node.Label("disk", OneIn(2) ? "ssd" : "hdd");
    if (OneIn(3)) node.Label("cores", absl::StrCat(4 * Below(4)));
    if (OneIn(5)) node.Tainted("k", "v", static_cast<v1::TaintEffect>(1 + Below(3)));
    if (OneIn(12)) node.Cordoned();
    if (OneIn(12)) node.NotReady();
    if (OneIn(3)) AddImage(&node);
    return node;
  }

  // `nodes`: how many there are, "n0" and on, for pods that have one.
  v1::Object RandomPod(const std::string& name, int nodes) {
    Pod pod(name);
    pod.In(OneIn(3) ? "other" : "default").CreatedAt(Below(4)).Uid("uid-" + name);
    pod.Label("app", App());
    if (OneIn(2)) pod.Label("rev", absl::StrCat(Below(2)));
    if (!OneIn(3)) pod.Cpu(absl::StrCat(200 * (1 + Below(6)), "m"));
    if (OneIn(6)) pod.HostPort(8000 + Below(2));
    if (OneIn(3)) pod.Priority(Below(4));
    if (OneIn(3)) pod.OwnedBy(domain::ReplicaSet(absl::StrCat("set", Below(2))));
    if (OneIn(4)) pod.Tolerates("k", "v", static_cast<v1::TaintEffect>(Below(4)));
    for (int i = Below(3); i > 0; --i) AddRule(&pod);
    if (OneIn(2) && nodes > 0) {
      pod.On(absl::StrCat("n", Below(nodes)));
      if (OneIn(2)) pod.Ready();
      if (OneIn(6)) pod.Deleting();
    }
    if (OneIn(12)) pod.Phase(v1::POD_PHASE_SUCCEEDED);
    return pod;
  }

  std::vector<v1::Object> Objects(int nodes, int pods) {
    std::vector<v1::Object> objects;
    objects.push_back(domain::Namespace("default"));
    objects.push_back(domain::Namespace("other").Label("team", "x"));
    for (int i = 0; i < nodes; ++i) objects.push_back(RandomNode(absl::StrCat("n", i)));
    for (int i = 0; i < pods; ++i) objects.push_back(RandomPod(absl::StrCat("p", i), nodes));
    return objects;
  }

  v1::Object RandomBudget(const std::string& name) {
    v1::Object object;
    auto* budget = object.mutable_pod_disruption_budget();
    budget->mutable_metadata()->set_name(name);
    budget->mutable_metadata()->set_namespace_("default");
    budget->mutable_metadata()->set_uid("uid-" + name);
    budget->mutable_spec()->set_max_unavailable(absl::StrCat(Below(2)));
    (*budget->mutable_spec()->mutable_selector()->mutable_match_labels())["app"] = App();
    return object;
  }

 private:
  std::string App() { return absl::StrCat("a", Below(3)); }
  std::string Topology() { return OneIn(2) ? "zone" : "host"; }

  static void AddImage(Node* node) {
    v1::ContainerImage* image = node->message().mutable_status()->add_images();
    image->add_names("app:1");
    image->set_size_bytes(int64_t{500} << 20);
  }

  void AddRule(Pod* pod) {
    switch (Below(9)) {
      case 0:
        pod->With(domain::Near("app", App(), Topology()));
        return MaybeWiden(pod->spec()->mutable_affinity()->mutable_pod_affinity());
      case 1:
        pod->With(domain::Away("app", App(), Topology()));
        return MaybeWiden(pod->spec()->mutable_affinity()->mutable_pod_anti_affinity());
      case 2:
        pod->With(domain::RatherNear(1 + Below(100), "app", App(), Topology()));
        return;
      case 3:
        pod->With(domain::RatherAway(1 + Below(100), "app", App(), Topology()));
        return;
      case 4:
        pod->With(domain::Needs("disk", v1::NODE_SELECTOR_OPERATOR_NOT_IN, {"hdd"}));
        return;
      case 5:
        pod->With(domain::Needs("cores", v1::NODE_SELECTOR_OPERATOR_GT, {"3"}));
        return;
      case 6:
        pod->With(domain::Prefers(1 + Below(100), "disk", "ssd"));
        return;
      default:
        AddConstraint(pod->spec());
        return;
    }
  }

  template <typename PodAffinity>
  void MaybeWiden(PodAffinity* affinity) {
    auto* terms = affinity->mutable_required_during_scheduling_ignored_during_execution();
    v1::PodAffinityTerm* term = terms->Mutable(terms->size() - 1);
    if (OneIn(4)) term->add_namespaces("other");
    if (OneIn(4)) {
      auto& labels = *term->mutable_namespace_selector()->mutable_match_labels();
      if (OneIn(2)) labels["team"] = "x";
    }
    if (OneIn(4)) term->add_match_label_keys("rev");
  }

  void AddConstraint(v1::PodSpec* spec) {
    const std::string topology = Topology();
    for (const auto& each : spec->topology_spread_constraints()) {
      if (each.topology_key() == topology) return;
    }
    domain::SpreadOver(topology, 1 + Below(2), "app", App(),
                       OneIn(3) ? v1::UNSATISFIABLE_ACTION_SCHEDULE_ANYWAY
                                : v1::UNSATISFIABLE_ACTION_DO_NOT_SCHEDULE)(spec);
    auto* constraint =
        spec->mutable_topology_spread_constraints(spec->topology_spread_constraints_size() - 1);
    if (OneIn(4)) constraint->set_node_affinity_policy(v1::NODE_INCLUSION_POLICY_IGNORE);
    if (OneIn(4)) constraint->set_node_taints_policy(v1::NODE_INCLUSION_POLICY_HONOR);
    if (OneIn(4)) constraint->add_match_label_keys("rev");
    if (OneIn(5) && constraint->when_unsatisfiable() == v1::UNSATISFIABLE_ACTION_DO_NOT_SCHEDULE) {
      constraint->set_min_domains(1 + Below(4));
    }
  }

  std::mt19937_64 random_;
};

World Build(const std::vector<v1::Object>& objects) {
  World world;
  for (const v1::Object& object : objects) world.Put(object);
  return world;
}

// Everything that a plan says, without revisions.
std::map<std::string, std::string> Said(const Plan& plan) {
  std::map<std::string, std::string> said;
  for (const Binding& each : plan.bindings) said[each.pod_key] = each.node;
  for (const Unschedulable& each : plan.unschedulable) said[each.pod_key] = each.summary;
  for (const Preemption& each : plan.preemptions) {
    std::string& text = said[each.pod_key];
    absl::StrAppend(&text, " preempts on ", each.node);
    std::set<std::string> victims;
    for (const auto& victim : each.victims) victims.insert(victim.pod_key);
    for (const std::string& victim : victims) absl::StrAppend(&text, " ", victim);
  }
  return said;
}

void Bind(const Binding& binding, World* world) {
  v1::Object after = world->Find(binding.pod_key)->object;
  after.mutable_pod()->mutable_spec()->set_node_name(binding.node);
  world->Put(after);
}

v1::Node NodeIn(const World& world, const std::string& name) {
  return world.Find("nodes/" + name)->object.node();
}

// Sanitizers make them ten times as long.
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define CLUSTER_FEW_LIVES
#endif
#endif
#ifdef CLUSTER_FEW_LIVES
constexpr uint64_t kLives = 5;
#else
constexpr uint64_t kLives = 25;
#endif

class PlacingLaws : public ::testing::TestWithParam<int> {
 protected:
  uint64_t Seed(uint64_t i) const { return i + 1000 * static_cast<uint64_t>(GetParam()); }
};

TEST_P(PlacingLaws, EveryBindingKeepsEveryRequiredRuleAsPodsComeOneByOne) {
  for (uint64_t i = 0; i < 150; ++i) {
    SCOPED_TRACE(absl::StrCat("seed ", Seed(i)));
    Generator generator(Seed(i));
    World world = Build(generator.Objects(generator.Below(9), 40));
    const bool was_fine = domain::OvercommitProblem(world.view()).empty();
    const Plan plan = ComputePlan(world.view(), {}, kNow);
    for (const Binding& binding : plan.bindings) {
      const v1::Pod pod = world.Find(binding.pod_key)->object.pod();
      const v1::Node node = NodeIn(world, binding.node);
      // A pod that waits for the room of others counts where it will be, and is not in the view.
      if (plan.preemptions.empty()) {
        ASSERT_EQ(domain::BrokenPlacingRule(world.view(), pod, node), "") << binding.pod_key;
      }
      ASSERT_TRUE(!was_fine || domain::CouldRun(world.view(), pod, node)) << binding.pod_key;
      Bind(binding, &world);
    }
    ASSERT_TRUE(!was_fine || domain::OvercommitProblem(world.view()).empty());
    std::set<std::string> waiting;
    for (const Preemption& each : plan.preemptions) waiting.insert(each.pod_key);
    if (!waiting.empty() || !was_fine) continue;
    for (const Unschedulable& left : plan.unschedulable) {
      const v1::Pod pod = world.Find(left.pod_key)->object.pod();
      for (const auto& [key, node] : world.view().All(v1::Object::kNode)) {
        ASSERT_FALSE(domain::CouldRun(world.view(), pod, node->object.node()) &&
                     domain::BrokenPlacingRule(world.view(), pod, node->object.node()).empty())
            << left.pod_key << " fits on " << key << ": " << left.summary;
      }
    }
  }
}

TEST_P(PlacingLaws, EveryBindingIsTheBestOfAllNodes) {
  for (uint64_t i = 0; i < 40; ++i) {
    SCOPED_TRACE(absl::StrCat("seed ", Seed(i)));
    Generator generator(Seed(i));
    SchedulerOptions options;
    if (generator.OneIn(3)) options.strategy = Strategy::kPack;
    World world = Build(generator.Objects(1 + generator.Below(8), 40));
    const Plan plan = ComputePlan(world.view(), options, kNow);
    // What a pod of more priority has claimed meanwhile is not in the view.
    if (!plan.preemptions.empty()) continue;
    for (const Binding& binding : plan.bindings) {
      const PodVerdict verdict = ExplainPod(world.view(), world.Find(binding.pod_key), options);
      ASSERT_EQ(verdict.nodes.at(0).node, binding.node) << binding.pod_key;
      ASSERT_TRUE(verdict.nodes[0].rejections.empty());
      Bind(binding, &world);
    }
  }
}

TEST_P(PlacingLaws, ThePlanDoesNotDependOnTheOrderOfTheInput) {
  for (uint64_t i = 0; i < 80; ++i) {
    SCOPED_TRACE(absl::StrCat("seed ", Seed(i)));
    Generator generator(Seed(i));
    std::vector<v1::Object> objects = generator.Objects(generator.Below(9), 40);
    objects.push_back(generator.RandomBudget("budget"));
    const auto first = Said(ComputePlan(Build(objects).view(), {}, kNow));
    std::shuffle(objects.begin(), objects.end(), *generator.random());
    ASSERT_EQ(Said(ComputePlan(Build(objects).view(), {}, kNow)), first);
  }
}

TEST_P(PlacingLaws, VictimsHaveLessPriorityAndTheirRoomIsEnough) {
  int preemptions = 0;
  for (uint64_t i = 0; i < 150; ++i) {
    SCOPED_TRACE(absl::StrCat("seed ", Seed(i)));
    Generator generator(Seed(i));
    std::vector<v1::Object> objects = generator.Objects(1 + generator.Below(5), 40);
    objects.push_back(generator.RandomBudget("budget"));
    World world = Build(objects);
    const bool was_fine = domain::OvercommitProblem(world.view()).empty();
    const Plan plan = ComputePlan(world.view(), {}, kNow);
    for (const Binding& binding : plan.bindings) Bind(binding, &world);
    for (const Preemption& each : plan.preemptions) {
      ++preemptions;
      const v1::Pod pod = world.Find(each.pod_key)->object.pod();
      for (const auto& victim : each.victims) {
        const v1::Pod ended = world.Find(victim.pod_key)->object.pod();
        ASSERT_LT(ended.spec().priority(), pod.spec().priority());
        ASSERT_EQ(ended.spec().node_name(), each.node);
        ASSERT_FALSE(ended.metadata().has_deletion_timestamp());
      }
    }
    if (!was_fine) continue;
    // Once the victims and all that was ending are gone, those that waited for it have their room.
    for (const Preemption& each : plan.preemptions) {
      for (const auto& victim : each.victims) world.Remove(victim.pod_key);
    }
    const auto pods = world.view().All(v1::Object::kPod);
    for (const auto& [key, entry] : pods) {
      if (Meta(entry->object).has_deletion_timestamp()) world.Remove(key);
    }
    for (const Preemption& each : plan.preemptions) Bind({each.pod_key, 0, each.node}, &world);
    ASSERT_EQ(domain::OvercommitProblem(world.view()), "");
  }
  EXPECT_GT(preemptions, 20) << "the law was hardly put to the test";
}

// Creates, changes or removes something, and says so.
void Change(Generator* generator, int nodes, int step, World* world, Scheduler* scheduler) {
  std::string key;
  v1::Object object;
  if (generator->OneIn(12)) {
    object = generator->RandomNode(absl::StrCat("n", generator->Below(nodes)));
  } else if (generator->OneIn(30)) {
    object = domain::Namespace("other").Label("team", generator->OneIn(2) ? "x" : "y");
  } else {
    object = generator->RandomPod(absl::StrCat("p", generator->Below(60)), nodes);
  }
  key = Key(object);
  const EntryPtr before = world->Find(key);
  if (before != nullptr && generator->OneIn(4) && !object.has_namespace_()) {
    world->Remove(key);
  } else if (before != nullptr && before->object.has_pod() && generator->OneIn(2)) {
    // Nothing that matters to a plan.
    object = before->object;
    object.mutable_pod()->mutable_status()->set_message(absl::StrCat("step ", step));
    world->Put(object);
  } else {
    world->Put(object);
  }
  scheduler->Note(before, world->Find(key));
}

// Pods that are placed as they are made; some of what comes of it is lost.
void Make(Generator* generator, int nodes, int step, World* world, Scheduler* scheduler) {
  Changes changes;
  for (int i = generator->Below(4); i > 0; --i) {
    v1::Object pod = generator->RandomPod(absl::StrCat("new", step, "-", i), nodes);
    changes.Create(std::move(pod));
  }
  Schedule(world->view(), kNow, scheduler, &changes);
  for (const Write& write : changes.writes) {
    if (generator->OneIn(3)) continue;
    const EntryPtr before = world->Find(write.key);
    if (world->Commit(write)) scheduler->Note(before, world->Find(write.key));
  }
}

TEST_P(PlacingLaws, WhatIsKeptUpWithChangesIsWhatIsComputedAnew) {
  for (uint64_t i = 0; i < kLives; ++i) {
    SCOPED_TRACE(absl::StrCat("seed ", Seed(i)));
    Generator generator(Seed(i));
    const int nodes = 1 + generator.Below(8);
    World world = Build(generator.Objects(nodes, 40));
    world.Put(generator.RandomBudget("budget"));
    Scheduler scheduler{SchedulerOptions{}};
    for (int step = 0; step < 60; ++step) {
      world.Pack();
      const Plan kept = scheduler.Compute(world.view(), kNow);
      ASSERT_EQ(Said(kept), Said(ComputePlan(world.view(), {}, kNow))) << "step " << step;
      if (generator.OneIn(2)) {
        // As the loop does: the plan is committed, and its writes come back as changes.
        for (const Write& write : PlanChanges(world.view(), kept, kNow).writes) {
          const EntryPtr before = world.Find(write.key);
          ASSERT_TRUE(world.Commit(write));
          scheduler.Note(before, world.Find(write.key));
        }
      }
      for (int changes = generator.Below(6); changes > 0; --changes) {
        Change(&generator, nodes, step, &world, &scheduler);
      }
      Make(&generator, nodes, step, &world, &scheduler);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PlacingLaws, ::testing::Range(0, SEED_PARTS));

}  // namespace
}  // namespace cluster::controller
