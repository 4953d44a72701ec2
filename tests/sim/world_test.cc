// The simulated world itself: it comes to rest, and twice in the same way.
#include "tests/sim/world.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/manifests.h"
#include "tests/sim/users.h"

namespace cluster::sim {
namespace {

std::string Directory() { return absl::StrCat(testing::TempDir(), "/cluster-sim-", getpid()); }

struct DeploymentRun {
  uint64_t hash = 0;
  int ready = 0;
};

DeploymentRun RunDeployment(uint64_t seed) {
  Climate climate;
  climate.nodes = 3;
  climate.latency = kMillisecond;
  climate.skew = 0.005;
  World world(seed, climate, Directory(), AllCheckers);
  Users users(&world);
  world.RunTo(5 * kSecond);
  v1::Object deployment = DeploymentOf("web", 4, "1", "0");
  Fill("web", {}, deployment.mutable_deployment()->mutable_spec()->mutable_template_());
  users.Apply(std::move(deployment));
  world.RunTo(2 * kMinute);
  DeploymentRun outcome;
  outcome.hash = world.hash();
  const EntryPtr web = world.truth().view().Find("deployments/default/web");
  if (web != nullptr) outcome.ready = web->object.deployment().status().ready_replicas();
  EXPECT_FALSE(world.failed()) << world.violation()->what;
  return outcome;
}

TEST(SimWorld, ADeploymentComesToRun) { EXPECT_EQ(RunDeployment(1).ready, 4); }

TEST(SimWorld, OneSeedIsOneHistory) {
  const DeploymentRun first = RunDeployment(7);
  EXPECT_EQ(first.hash, RunDeployment(7).hash);
  EXPECT_NE(first.hash, RunDeployment(8).hash);
}

bool EveryNodeIsReady(const World& world) {
  for (const auto& [key, entry] : world.truth().view().All(v1::Object::kNode)) {
    for (const v1::Condition& condition : entry->object.node().status().conditions()) {
      if (condition.type() != "Ready") continue;
      if (condition.status() != v1::CONDITION_STATUS_TRUE) return false;
    }
  }
  return true;
}

// It was away itself: what nodes said meanwhile waits behind its own timer.
TEST(SimWorld, AControllerThatWasPausedBlamesNoNode) {
  Climate climate;
  climate.nodes = 5;
  climate.controller.sessions.beat = absl::Seconds(20);
  World world(3, climate, Directory(), AllCheckers);
  world.RunTo(kMinute);
  ASSERT_TRUE(EveryNodeIsReady(world));
  world.PauseController(100 * kSecond);
  for (Nanos at = kMinute; at < 10 * kMinute; at += kSecond) {
    world.RunTo(at);
    ASSERT_TRUE(EveryNodeIsReady(world)) << "after " << at / kSecond << " s";
  }
  EXPECT_FALSE(world.failed()) << world.violation()->what;
}

}  // namespace
}  // namespace cluster::sim
