// Pods with claims: each goes where the data of its claims is.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/now.h"

namespace cluster::controller {
namespace {

using domain::Claim;
using domain::Node;
using domain::Pod;
using domain::World;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SchedulerClaims : public ::testing::Test {
 protected:
  SchedulerClaims() {
    for (const char* name : {"n1", "n2", "n3"}) world_.Put(Node(name));
  }
  // What the whole plan writes is committed.
  Plan Schedule() {
    Plan plan = ComputePlan(world_.view(), {}, kNow);
    EXPECT_THAT(world_.Commit(PlanChanges(world_.view(), plan, kNow)), IsEmpty());
    return plan;
  }
  std::string NodeOf(const std::string& pod) { return world_.PodNamed(pod).spec().node_name(); }
  std::string WhyNot(const std::string& pod) {
    return world_.PodNamed(pod).status().conditions(0).message();
  }
  std::string NodeOfClaim(const std::string& claim) {
    return world_.Find("persistentvolumeclaims/default/" + claim)
        ->object.persistent_volume_claim()
        .status()
        .node_name();
  }

  World world_;
};

TEST_F(SchedulerClaims, BindsAClaimWithItsFirstPodAndBeforeIt) {
  world_.Put(Claim("data"));
  world_.Put(Pod("web").Claims("data"));
  const Plan plan = ComputePlan(world_.view(), {}, kNow);
  const Changes changes = PlanChanges(world_.view(), plan, kNow);
  ASSERT_EQ(changes.writes.size(), 2u);
  EXPECT_EQ(changes.writes[0].key, "persistentvolumeclaims/default/data");
  EXPECT_EQ(changes.writes[1].key, "pods/default/web");
  EXPECT_THAT(world_.Commit(changes), IsEmpty());
  EXPECT_EQ(NodeOfClaim("data"), NodeOf("web"));
}

TEST_F(SchedulerClaims, SendsLaterPodsToTheData) {
  world_.Put(Claim("data").BoundTo("n2"));
  world_.Put(Pod("full").Cpu("3").On("n2"));
  world_.Put(Pod("web").Claims("data").Cpu("500m"));
  Schedule();
  EXPECT_EQ(NodeOf("web"), "n2");
  world_.Put(Pod("big").Claims("data").Cpu("2"));
  Schedule();
  EXPECT_EQ(NodeOf("big"), "");
  EXPECT_THAT(WhyNot("big"),
              HasSubstr("2 node(s) were not where the data of claim \"data\" is (n2) "
                        "on n1, n3"));
  EXPECT_THAT(WhyNot("big"), HasSubstr("1 Insufficient cpu"));
}

TEST_F(SchedulerClaims, KeepsPodsOfOnePlanTogetherOnAClaim) {
  world_.Put(Claim("data"));
  for (int i = 0; i < 4; ++i) world_.Put(Pod(absl::StrCat("web-", i)).Claims("data").CreatedAt(i));
  Schedule();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(NodeOf(absl::StrCat("web-", i)), NodeOfClaim("data"));
}

TEST_F(SchedulerClaims, NeedsAllClaimsOnOneNode) {
  world_.Put(Claim("a").BoundTo("n1"));
  world_.Put(Claim("b").BoundTo("n2"));
  world_.Put(Pod("web").Claims("a").Claims("b"));
  Schedule();
  EXPECT_EQ(NodeOf("web"), "");
}

TEST_F(SchedulerClaims, WaitsForAClaimThatIsMissingOrGoing) {
  world_.Put(Pod("missing").Claims("data"));
  world_.Put(Claim("old").Deleting());
  world_.Put(Pod("going").Claims("old"));
  world_.Put(Claim("lost").BoundTo("gone"));
  world_.Put(Pod("lost").Claims("lost"));
  Schedule();
  EXPECT_THAT(WhyNot("missing"), HasSubstr("persistentvolumeclaim \"data\" not found"));
  EXPECT_THAT(WhyNot("going"), HasSubstr("persistentvolumeclaim \"old\" is being deleted"));
  EXPECT_THAT(WhyNot("lost"), HasSubstr("claim \"lost\" had its data on gone, which is gone"));
  world_.Put(Claim("data"));
  Schedule();
  EXPECT_NE(NodeOf("missing"), "");
}

TEST_F(SchedulerClaims, GivesAClaimToOnePodAtATimeWhereItSaysSo) {
  world_.Put(Claim("data").Mode(v1::ACCESS_MODE_READ_WRITE_ONCE_POD));
  world_.Put(Pod("first").Claims("data").CreatedAt(1));
  world_.Put(Pod("second").Claims("data").CreatedAt(2));
  Schedule();
  EXPECT_NE(NodeOf("first"), "");
  EXPECT_EQ(NodeOf("second"), "");
  EXPECT_THAT(WhyNot("second"), HasSubstr("is for one pod at a time and pod first has it"));
  world_.Remove("pods/default/first");
  Schedule();
  EXPECT_EQ(NodeOf("second"), NodeOfClaim("data"));
}

TEST_F(SchedulerClaims, HoldsClaimsOfOneNameInTwoNamespacesApart) {
  world_.Put(Claim("data").BoundTo("n1"));
  world_.Put(Claim("data").In("other").BoundTo("n3"));
  world_.Put(Pod("web").Claims("data"));
  world_.Put(Pod("web").In("other").Claims("data"));
  Schedule();
  EXPECT_EQ(NodeOf("web"), "n1");
  EXPECT_EQ(world_.Find("pods/other/web")->object.pod().spec().node_name(), "n3");
}

}  // namespace
}  // namespace cluster::controller
