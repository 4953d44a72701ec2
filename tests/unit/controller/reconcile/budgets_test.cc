#include "controller/reconcile/budgets.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/disruption.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/now.h"

namespace cluster::controller {
namespace {

using domain::Deployment;
using domain::Pod;
using domain::ReplicaSet;
using domain::World;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Budget {
 public:
  Budget() {
    budget()->mutable_metadata()->set_name("web");
    budget()->mutable_metadata()->set_namespace_("default");
    (*budget()->mutable_spec()->mutable_selector()->mutable_match_labels())["app"] = "web";
  }
  Budget& Min(const std::string& amount) {
    budget()->mutable_spec()->set_min_available(amount);
    return *this;
  }
  Budget& Max(const std::string& amount) {
    budget()->mutable_spec()->set_max_unavailable(amount);
    return *this;
  }
  Budget& OnlyWhileKept() {
    budget()->mutable_spec()->set_unhealthy_pod_eviction_policy(
        v1::UNHEALTHY_POD_EVICTION_POLICY_IF_HEALTHY_BUDGET);
    return *this;
  }
  v1::PodDisruptionBudget* budget() { return object_.mutable_pod_disruption_budget(); }
  operator v1::Object() const { return object_; }

 private:
  v1::Object object_;
};

// `ready` of `all` pods of a Deployment that wants `replicas`.
World Web(int replicas, int all, int ready) {
  World world;
  world.Put(Deployment("web").Replicas(replicas));
  const v1::Object deployment = Deployment("web");
  world.Put(ReplicaSet("web-1").Replicas(replicas).OwnedBy(deployment));
  for (int i = 0; i < all; ++i) {
    Pod pod(absl::StrCat("web-", i));
    pod.Label("app", "web").On("n1").Phase(v1::POD_PHASE_RUNNING).OwnedBy(ReplicaSet("web-1"));
    if (i < ready) pod.Ready();
    world.Put(pod);
  }
  return world;
}

BudgetState State(const World& world, Budget budget) {
  return StateOf(world.view(), *budget.budget());
}

TEST(Budgets, Behaviour38CountHealthyPodsAgainstWhatIsAskedFor) {
  struct Case {
    Budget budget;
    int replicas, all, ready;
    int expected, desired, allowed;
  };
  const std::vector<Case> cases = {
      {Budget().Min("2"), 3, 3, 3, 3, 2, 1},    {Budget().Min("2"), 3, 3, 2, 3, 2, 0},
      {Budget().Min("2"), 3, 3, 1, 3, 2, 0},    {Budget().Min("50%"), 3, 3, 3, 3, 2, 1},
      {Budget().Min("0"), 3, 3, 3, 3, 0, 3},    {Budget().Max("1"), 3, 3, 3, 3, 2, 1},
      {Budget().Max("1"), 3, 2, 2, 3, 2, 0},    {Budget().Max("40%"), 3, 3, 3, 3, 1, 2},
      {Budget().Max("100%"), 3, 3, 3, 3, 0, 3}, {Budget().Max("5"), 3, 3, 3, 3, 0, 3},
      {Budget().Max("1"), 0, 0, 0, 0, 0, 0},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const Case& each = cases[i];
    const BudgetState state = State(Web(each.replicas, each.all, each.ready), each.budget);
    EXPECT_EQ(state.expected, each.expected) << "case " << i;
    EXPECT_EQ(state.healthy, each.ready) << "case " << i;
    EXPECT_EQ(state.desired, each.desired) << "case " << i;
    EXPECT_EQ(state.allowed, each.allowed) << "case " << i;
  }
}

TEST(Budgets, PodsThatEndOrHaveEndedAreNotHealthy) {
  World world = Web(3, 3, 3);
  world.Put(Pod("web-0").Label("app", "web").On("n1").Ready().Deleting());
  EXPECT_EQ(State(world, Budget().Min("2")).allowed, 0);
  world.Put(Pod("web-0").Label("app", "web").On("n1").Phase(v1::POD_PHASE_SUCCEEDED));
  EXPECT_EQ(State(world, Budget().Min("1")).expected, 2);
}

TEST(Budgets, OtherNamespacesAndLabelsAreNotTheirs) {
  World world = Web(1, 1, 1);
  world.Put(Pod("foreign").In("other").Label("app", "web").On("n1").Ready());
  world.Put(Pod("db").Label("app", "db").On("n1").Ready());
  EXPECT_EQ(State(world, Budget().Min("1")).healthy, 1);
  Budget all = Budget().Min("1");
  all.budget()->mutable_spec()->mutable_selector()->Clear();
  EXPECT_EQ(State(world, all).healthy, 2) << "an empty selector is every pod of the namespace";
  all.budget()->mutable_spec()->clear_selector();
  EXPECT_EQ(State(world, all).healthy, 0) << "no selector is none";
}

TEST(Budgets, WhatIsNotReadyMayAlwaysGoUnlessTheBudgetSaysOtherwise) {
  const World world = Web(3, 3, 1);
  const v1::Pod unready = world.PodNamed("web-2");
  Budget lenient = Budget().Min("2");
  Budget strict = Budget().Min("2").OnlyWhileKept();
  const BudgetState state = State(world, lenient);
  EXPECT_FALSE(CountsAgainst(*lenient.budget(), state, unready));
  EXPECT_TRUE(CountsAgainst(*strict.budget(), state, unready));
  EXPECT_TRUE(CountsAgainst(*lenient.budget(), state, world.PodNamed("web-0")));
  const World kept = Web(3, 3, 2);
  EXPECT_FALSE(CountsAgainst(*strict.budget(), State(kept, strict), kept.PodNamed("web-2")));
}

TEST(Budgets, TheBookSpendsWhatIsAllowedOnce) {
  World world = Web(3, 3, 3);
  world.Put(Budget().Min("2"));
  BudgetBook book(world.view());
  EXPECT_THAT(book.Against(world.PodNamed("web-0")), IsEmpty());
  book.Spend(world.PodNamed("web-0"));
  EXPECT_THAT(book.Against(world.PodNamed("web-1")), ElementsAre("web"));
  book.Return(world.PodNamed("web-0"));
  EXPECT_THAT(book.Against(world.PodNamed("web-1")), IsEmpty());
}

TEST(Budgets, TheStatusFollowsAndIsWrittenOnce) {
  World world = Web(3, 3, 3);
  world.Put(Budget().Max("1"));
  world.Commit(ReconcileBudgets(world.view(), kNow));
  const auto status =
      world.Find("poddisruptionbudgets/default/web")->object.pod_disruption_budget().status();
  EXPECT_EQ(status.disruptions_allowed(), 1);
  EXPECT_EQ(status.current_healthy(), 3);
  EXPECT_EQ(status.desired_healthy(), 2);
  EXPECT_EQ(status.expected_pods(), 3);
  EXPECT_EQ(FindCondition(status.conditions(), "DisruptionAllowed")->reason(), "SufficientPods");
  EXPECT_TRUE(ReconcileBudgets(world.view(), kNow + absl::Hours(1)).empty());
  world.Put(Pod("web-0").Label("app", "web").On("n1"));
  world.Commit(ReconcileBudgets(world.view(), kNow));
  const auto after =
      world.Find("poddisruptionbudgets/default/web")->object.pod_disruption_budget().status();
  EXPECT_EQ(after.disruptions_allowed(), 0);
  EXPECT_EQ(FindCondition(after.conditions(), "DisruptionAllowed")->reason(), "InsufficientPods");
}

}  // namespace
}  // namespace cluster::controller
