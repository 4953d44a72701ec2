// Topology spread constraints.
#include <map>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/placing.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/scheduler/compute.h"

namespace cluster::controller {
namespace {

using domain::Node;
using domain::Pod;
using domain::SpreadOver;
using domain::World;
using ::testing::ElementsAre;
using ::testing::Pair;

constexpr v1::UnsatisfiableAction kAnyway = v1::UNSATISFIABLE_ACTION_SCHEDULE_ANYWAY;

Node In(const std::string& zone, const std::string& name) {
  return Node(name).Label("zone", zone).Label("host", name);
}

Pod Web(const std::string& name) { return Pod(name).Label("app", "web"); }

v1::TopologySpreadConstraint* ConstraintOf(Pod* pod) {
  return pod->spec()->mutable_topology_spread_constraints(0);
}

// How many of the plan's pods go to each zone.
std::map<std::string, int> Zones(const World& world, const Plan& plan) {
  std::map<std::string, int> zones;
  for (const Binding& binding : plan.bindings) {
    const EntryPtr node = world.Find("nodes/" + binding.node);
    ++zones[node->object.node().metadata().labels().at("zone")];
  }
  return zones;
}

TEST(TopologySpread, KeepsZonesWithinTheSkew) {
  World world;
  world.Put(In("a", "a1"));
  world.Put(In("a", "a2"));
  world.Put(In("b", "b1").Allocatable("1", "8Gi"));
  for (int i = 0; i < 6; ++i) {
    world.Put(Web(absl::StrCat("w", i))
                  .Cpu("400m")
                  .CreatedAt(i)
                  .With(SpreadOver("zone", 1, "app", "web")));
  }
  const Plan plan = Compute(world);
  // b1 takes two, so a may have three and no more.
  EXPECT_THAT(Zones(world, plan), ElementsAre(Pair("a", 3), Pair("b", 2)));
  EXPECT_EQ(plan.unschedulable.at(0).summary,
            "0/3 nodes are available: 1 Insufficient cpu (200m lacking) on b1, 2 node(s) didn't "
            "match pod topology spread constraints on a1, a2.");
}

TEST(TopologySpread, OverHostsTakesTheRestOnceAllHaveOne) {
  World world;
  for (const char* name : {"n1", "n2", "n3"}) world.Put(In("z", name));
  for (int i = 0; i < 7; ++i) {
    world.Put(Web(absl::StrCat("w", i)).CreatedAt(i).With(SpreadOver("host", 1, "app", "web")));
  }
  std::map<std::string, int> counts;
  for (const Binding& binding : Compute(world).bindings) ++counts[binding.node];
  EXPECT_THAT(counts, ElementsAre(Pair("n1", 3), Pair("n2", 2), Pair("n3", 2)));
}

TEST(TopologySpread, PodsBeingEndedAndOtherNamespacesDoNotCount) {
  World world;
  world.Put(In("a", "a1"));
  world.Put(In("b", "b1"));
  world.Put(Web("ending").On("a1").Deleting());
  world.Put(Web("foreign").In("other").On("a1"));
  world.Put(Web("there").On("b1"));
  world.Put(Web("new").With(SpreadOver("zone", 1, "app", "web")));
  EXPECT_EQ(Compute(world).bindings.at(0).node, "a1");
}

TEST(TopologySpread, NodesWithoutTheLabelAreNoPlace) {
  World world;
  world.Put(Node("bare"));
  world.Put(Web("new").With(SpreadOver("zone", 1, "app", "web")));
  EXPECT_EQ(Compute(world).unschedulable.at(0).summary,
            "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints "
            "(missing required label) on bare.");
}

TEST(TopologySpread, FewerPlacesThanMinDomainsCountAsOneMoreThatIsEmpty) {
  World world;
  world.Put(In("a", "a1"));
  world.Put(Web("w0").On("a1"));
  Pod pod = Web("new");
  pod.With(SpreadOver("zone", 1, "app", "web"));
  world.Put(pod);
  EXPECT_EQ(Compute(world).bindings.size(), 1u);
  ConstraintOf(&pod)->set_min_domains(2);
  world.Put(pod);
  EXPECT_EQ(Compute(world).bindings.size(), 0u);
}

TEST(TopologySpread, NodesThatTheSelectorRulesOutCountOnlyWhereAsked) {
  World world;
  world.Put(In("a", "a1").Label("pool", "web"));
  world.Put(In("b", "b1"));
  world.Put(Web("w0").On("a1"));
  Pod pod = Web("new");
  pod.OnNodesWith("pool", "web").With(SpreadOver("zone", 1, "app", "web"));
  world.Put(pod);
  EXPECT_EQ(Compute(world).bindings.size(), 1u) << "b is no place for it";
  ConstraintOf(&pod)->set_node_affinity_policy(v1::NODE_INCLUSION_POLICY_IGNORE);
  world.Put(pod);
  EXPECT_EQ(Compute(world).bindings.size(), 0u) << "b is an empty place";
}

TEST(TopologySpread, TaintedNodesCountUnlessTheyAreHonored) {
  World world;
  world.Put(In("a", "a1"));
  world.Put(In("b", "b1").Tainted("k", "v", v1::TAINT_EFFECT_NO_SCHEDULE));
  world.Put(Web("w0").On("a1"));
  Pod pod = Web("new");
  pod.With(SpreadOver("zone", 1, "app", "web"));
  world.Put(pod);
  EXPECT_EQ(Compute(world).bindings.size(), 0u) << "b is an empty place";
  ConstraintOf(&pod)->set_node_taints_policy(v1::NODE_INCLUSION_POLICY_HONOR);
  world.Put(pod);
  EXPECT_EQ(Compute(world).bindings.size(), 1u) << "b is no place for it";
}

TEST(TopologySpread, MatchLabelKeysCountTheOwnRevisionAlone) {
  World world;
  world.Put(In("a", "a1"));
  world.Put(In("b", "b1"));
  world.Put(Web("old1").Label("rev", "1").On("a1"));
  world.Put(Web("old2").Label("rev", "1").On("a1"));
  world.Put(Web("new1").Label("rev", "2").On("b1"));
  Pod pod = Web("new");
  pod.Label("rev", "2").With(SpreadOver("zone", 1, "app", "web"));
  ConstraintOf(&pod)->add_match_label_keys("rev");
  world.Put(pod);
  EXPECT_EQ(Compute(world).bindings.at(0).node, "a1");
}

TEST(TopologySpread, ScheduleAnywayPrefersTheEmptierPlaceAndNeverRefuses) {
  World world;
  world.Put(In("a", "a1"));
  world.Put(In("b", "b1").Allocatable("1", "8Gi"));
  for (int i = 0; i < 5; ++i) {
    world.Put(Web(absl::StrCat("w", i))
                  .Cpu("500m")
                  .CreatedAt(i)
                  .With(SpreadOver("zone", 1, "app", "web", kAnyway)));
  }
  EXPECT_THAT(Zones(world, Compute(world)), ElementsAre(Pair("a", 3), Pair("b", 2)));
}

TEST(TopologySpread, BothZoneAndHostHold) {
  World world;
  for (const char* name : {"a1", "a2"}) world.Put(In("a", name));
  world.Put(In("b", "b1"));
  for (int i = 0; i < 4; ++i) {
    world.Put(Web(absl::StrCat("w", i))
                  .CreatedAt(i)
                  .With(SpreadOver("zone", 1, "app", "web"))
                  .With(SpreadOver("host", 1, "app", "web")));
  }
  const Plan plan = Compute(world);
  std::map<std::string, int> counts;
  for (const Binding& binding : plan.bindings) ++counts[binding.node];
  EXPECT_THAT(counts, ElementsAre(Pair("a1", 1), Pair("a2", 1), Pair("b1", 2)));
}

}  // namespace
}  // namespace cluster::controller
