#include "controller/scheduler/rebalance.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/domain/builders.h"
#include "tests/domain/placing.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Node;
using domain::Pod;
using domain::ReplicaSet;
using domain::World;

Pod Web(int i, const std::string& node) {
  return Pod(absl::StrCat("web-", i))
      .Label("app", "web")
      .OwnedBy(ReplicaSet("web"))
      .On(node)
      .Ready();
}

std::vector<Move> Moves(const World& world, RebalanceOptions options = {}) {
  return ComputeRebalance(world.view(), {}, options);
}

TEST(Rebalance, ANodeThatCameBackGetsItsShareAndNoMore) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2"));
  for (int i = 0; i < 4; ++i) world.Put(Web(i, "n1"));
  const std::vector<Move> moves = Moves(world);
  ASSERT_EQ(moves.size(), 2u);
  EXPECT_EQ(moves[0].pod_key, "pods/default/web-0");
  EXPECT_EQ(moves[0].from, "n1");
  EXPECT_EQ(moves[0].to, "n2");
  EXPECT_EQ(moves[0].reason, "better spread of the workload (0 against -3)");
  EXPECT_EQ(moves[0].held_back, "");
  EXPECT_EQ(moves[1].held_back, "a quarter of the workload (1) is on the move");
}

TEST(Rebalance, WhatIsEvenStays) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2"));
  for (int i = 0; i < 3; ++i) world.Put(Web(i, i < 2 ? "n1" : "n2"));
  EXPECT_TRUE(Moves(world).empty());
}

TEST(Rebalance, MadeMovesLeaveNothingToMove) {
  World world;
  for (const char* node : {"n1", "n2", "n3"}) world.Put(Node(node));
  for (int i = 0; i < 9; ++i) world.Put(Web(i, "n1"));
  for (const Move& move : Moves(world)) {
    v1::Object pod = world.Find(move.pod_key)->object;
    pod.mutable_pod()->mutable_spec()->set_node_name(move.to);
    world.Put(pod);
  }
  EXPECT_TRUE(Moves(world).empty());
  EXPECT_EQ(world.view().PodsOnNode("n1").size(), 3u);
}

TEST(Rebalance, ABudgetHoldsMovesBack) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2"));
  for (int i = 0; i < 8; ++i) world.Put(Web(i, "n1"));
  v1::Object budget;
  auto* spec = budget.mutable_pod_disruption_budget()->mutable_spec();
  budget.mutable_pod_disruption_budget()->mutable_metadata()->set_name("web");
  budget.mutable_pod_disruption_budget()->mutable_metadata()->set_namespace_("default");
  spec->set_min_available("7");
  (*spec->mutable_selector()->mutable_match_labels())["app"] = "web";
  world.Put(budget);
  const std::vector<Move> moves = Moves(world);
  ASSERT_EQ(moves.size(), 4u);
  EXPECT_EQ(moves[0].held_back, "");
  for (size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(moves[i].held_back, "budget web allows no more disruptions");
  }
}

TEST(Rebalance, LeavesANodeThatBreaksARule) {
  World world;
  world.Put(Node("n1").Tainted("k", "v", v1::TAINT_EFFECT_NO_SCHEDULE));
  world.Put(Node("n2"));
  world.Put(Web(0, "n1"));
  const std::vector<Move> moves = Moves(world);
  ASSERT_EQ(moves.size(), 1u);
  EXPECT_EQ(moves[0].reason, "n1 breaks a rule: node(s) had untolerated taint {k: v}");
}

TEST(Rebalance, MuchMoreRoomIsWorthAMoveAndALittleIsNot) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2"));
  world.Put(Pod("big").Cpu("3").On("n1").Ready());
  world.Put(Web(0, "n1").Cpu("500m"));
  EXPECT_EQ(Moves(world).size(), 1u);
  world.Put(Pod("big").Cpu("1").On("n1").Ready());
  EXPECT_TRUE(Moves(world).empty());
}

TEST(Rebalance, PodsThatNobodyMakesAgainAndThoseWithDataStay) {
  World world;
  world.Put(Node("n1").Tainted("k", "v", v1::TAINT_EFFECT_NO_SCHEDULE));
  world.Put(Node("n2"));
  world.Put(Pod("lone").On("n1").Ready());
  world.Put(domain::Claim("data").BoundTo("n1"));
  world.Put(Web(0, "n1").Claims("data"));
  world.Put(Web(1, "n1").Deleting());
  EXPECT_TRUE(Moves(world).empty());
}

TEST(Rebalance, LooksOnlyWhereItIsToldToAndMovesNoMoreThanAsked) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2"));
  for (int i = 0; i < 4; ++i) world.Put(Web(i, "n1"));
  EXPECT_TRUE(Moves(world, {.name_space = "other"}).empty());
  EXPECT_EQ(Moves(world, {.name_space = "default", .max_moves = 1}).size(), 1u);
}

}  // namespace
}  // namespace cluster::controller
