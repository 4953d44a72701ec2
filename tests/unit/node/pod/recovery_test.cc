#include "node/pod/recovery.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

using testing::ElementsAre;

RecoveredPod Found(const std::string& uid, bool alive) {
  RecoveredPod pod;
  pod.spec.uid = uid;
  pod.alive = alive;
  return pod;
}

TEST(PlanRecovery, Law6_AdoptsWhatLivesAndRemovesWhatNobodyWants) {
  std::map<std::string, v1::PodRecord> records;
  records["lives"];
  records["dead"];
  records["never-made"];
  records["ended"].set_gone(true);
  const RecoveryPlan plan =
      PlanRecovery(records, {Found("lives", true), Found("dead", false), Found("stranger", true),
                             Found("ended", true), Found("dead-stranger", false)});
  EXPECT_THAT(plan.adopt, ElementsAre("lives"));
  EXPECT_THAT(plan.lost, ElementsAre("dead", "never-made"));
  EXPECT_THAT(plan.remove, ElementsAre("dead-stranger", "ended", "stranger"));
}

TEST(PlanRecovery, DoesNotDependOnTheOrderOfWhatIsFound) {
  const std::vector<RecoveredPod> one = {Found("a", true), Found("b", true), Found("c", false)};
  const std::vector<RecoveredPod> other = {one[2], one[1], one[0]};
  EXPECT_EQ(PlanRecovery({}, one).remove, PlanRecovery({}, other).remove);
}

}  // namespace
}  // namespace cluster::node
