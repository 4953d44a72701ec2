// Whole histories: one that fails is made short.
#include "tests/sim/run.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

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
  ASSERT_EQ(shrunk.actions.size(), 1u) << Describe(shrunk);
  EXPECT_THAT(NameOf(shrunk.actions[0].kind), testing::HasSubstr("controller"));
  EXPECT_THAT(Describe(shrunk), testing::HasSubstr(NameOf(shrunk.actions[0].kind)));
  const auto again = RunPlan(shrunk, OwnDirectory(), false, checkers).violation;
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->checker, violation->checker);
}

}  // namespace
}  // namespace cluster::sim
