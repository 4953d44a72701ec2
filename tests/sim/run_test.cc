// Whole histories: one that fails is made short.
#include "tests/sim/run.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/sim/history.h"

namespace cluster::sim {
namespace {

std::string OwnDirectory() {
  return absl::StrCat(testing::TempDir(), "/cluster-sim-run-", getpid());
}

// Fails when a controller goes.
class NoControllerGoes : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "no-controller-goes"; }
  void OnControllerGone() override { Fail("it went"); }
};

// A history that fails is told by what it takes: here one crash, of all that happens in an hour.
TEST(SimWorld, AFailingHistoryIsMadeShort) {
  const MakeCheckers checkers = [](World* world) {
    Checkers all;
    all.push_back(std::make_unique<NoControllerGoes>(world));
    return all;
  };
  const Plan plan = MakePlan(1, 5, 3);
  const auto violation = RunPlan(plan, OwnDirectory(), false, checkers).violation;
  ASSERT_TRUE(violation.has_value());
  EXPECT_EQ(violation->checker, "no-controller-goes");
  const Plan shrunk = Shrink(plan, *violation, OwnDirectory(), 200, checkers);
  EXPECT_GT(plan.actions.size(), 20u);
  ASSERT_EQ(shrunk.actions.size(), 1u) << PrintHistory(shrunk);
  EXPECT_THAT(NameOf(shrunk.actions[0].kind), testing::HasSubstr("controller"));
  // It can be kept, and fails as text too.
  const Plan kept = ReadHistory(PrintHistory(shrunk)).value();
  EXPECT_EQ(PrintHistory(kept), PrintHistory(shrunk));
  const auto again = RunPlan(kept, OwnDirectory(), false, checkers).violation;
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->checker, violation->checker);
}

TEST(SimWorld, AHistoryAsTextTakesTheCourseOfItsSeed) {
  for (const uint64_t seed : {3, 40}) {
    const Plan plan = MakePlan(seed, 2, 0);
    const Plan read = ReadHistory(PrintHistory(plan)).value();
    EXPECT_EQ(RunPlan(read, OwnDirectory()).hash, RunPlan(plan, OwnDirectory()).hash) << seed;
  }
  EXPECT_THAT(std::string(ReadHistory("seed 1\nnodez 5\n").status().message()),
              testing::HasSubstr("line 2: \"nodez 5\" says nothing of a history"));
}

// Each of them failed once, before what it found was mended.
TEST(SimWorld, KeptHistoriesHold) {
  const char* const source = getenv("CLUSTER_SOURCE_DIR");
  ASSERT_NE(source, nullptr) << "set CLUSTER_SOURCE_DIR to the project's directory";
  int count = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(absl::StrCat(source, "/tests/sim/histories"))) {
    const absl::StatusOr<Plan> plan = ReadHistory(ReadFile(file.path().string()).value());
    ASSERT_TRUE(plan.ok()) << file.path() << ": " << plan.status();
    const auto violation = RunPlan(*plan, OwnDirectory()).violation;
    EXPECT_FALSE(violation.has_value()) << file.path() << ": " << violation->what;
    ++count;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace cluster::sim
