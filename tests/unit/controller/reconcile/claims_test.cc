#include "controller/reconcile/claims.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/garbage.h"
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

constexpr char kKey[] = "persistentvolumeclaims/default/data";

class Claims : public ::testing::Test {
 protected:
  Claims() {
    world_.Put(Node("n1"));
    world_.Put(Node("n2"));
  }
  void Settle() {
    for (int i = 0; i < 10; ++i) {
      Changes changes = ReconcileGarbage(world_.view(), kNow);
      MergeChanges(ReconcileClaims(world_.view(), kNow), &changes);
      EXPECT_TRUE(world_.Commit(changes).empty());
      if (changes.writes.empty()) return;
    }
    FAIL() << "no fixpoint after ten passes";
  }
  bool Exists() const { return world_.Find(kKey) != nullptr; }
  v1::PersistentVolumeClaim Found() const {
    return world_.Find(kKey)->object.persistent_volume_claim();
  }
  std::string Waiting() const {
    const v1::PersistentVolumeClaim claim = Found();
    return claim.status().conditions().empty() ? "" : claim.status().conditions(0).message();
  }

  World world_;
};

TEST_F(Claims, WaitsForItsFirstPod) {
  world_.Put(Claim("data"));
  world_.Put(Pod("pending").Claims("data"));
  Settle();
  EXPECT_EQ(Found().status().phase(), v1::CLAIM_PHASE_PENDING);
  EXPECT_EQ(Found().status().node_name(), "");
}

TEST_F(Claims, IsBoundToTheNodeOfItsFirstPod) {
  world_.Put(Claim("data").Asks("3Gi"));
  world_.Put(Pod("web").Claims("data").On("n2"));
  Settle();
  EXPECT_EQ(Found().status().phase(), v1::CLAIM_PHASE_BOUND);
  EXPECT_EQ(Found().status().node_name(), "n2");
  EXPECT_EQ(Found().status().capacity().at("storage"), "3Gi");
  world_.Remove("pods/default/web");
  world_.Put(Pod("later").Claims("data").On("n1"));
  Settle();
  EXPECT_EQ(Found().status().node_name(), "n2") << "for good";
}

TEST_F(Claims, GrantsARequestThatGrew) {
  v1::Object claim = Claim("data").BoundTo("n1");
  (*claim.mutable_persistent_volume_claim()
        ->mutable_spec()
        ->mutable_resources()
        ->mutable_requests())["storage"] = "5Gi";
  world_.Put(claim);
  Settle();
  EXPECT_EQ(Found().status().capacity().at("storage"), "5Gi");
}

TEST_F(Claims, GuardsWhatWasMadeWithoutAGuard) {
  v1::Object claim = Claim("data");
  claim.mutable_persistent_volume_claim()->mutable_metadata()->clear_finalizers();
  claim.mutable_persistent_volume_claim()->clear_status();
  world_.Put(claim);
  Settle();
  EXPECT_EQ(Found().metadata().finalizers(0), "kubernetes.io/pvc-protection");
  EXPECT_EQ(Found().status().phase(), v1::CLAIM_PHASE_PENDING);
}

TEST_F(Claims, StaysWhileAPodUsesItAndUntilItsNodeHasRemovedTheData) {
  world_.Put(Claim("data").BoundTo("n1").Deleting());
  world_.Put(Pod("web").Claims("data").On("n1"));
  Settle();
  ASSERT_TRUE(Exists());
  EXPECT_THAT(Waiting(), HasSubstr("pod web uses the claim"));
  world_.Put(Pod("web").Claims("data").On("n1").Phase(v1::POD_PHASE_SUCCEEDED));
  Settle();
  ASSERT_TRUE(Exists());
  EXPECT_THAT(Waiting(), HasSubstr("waits until n1 has removed its data"));
}

TEST_F(Claims, GoesAtOnceWhenNothingOfItIsAnywhere) {
  world_.Put(Claim("data").Deleting());
  world_.Put(Pod("pending").Claims("data"));
  Settle();
  EXPECT_FALSE(Exists());
}

TEST_F(Claims, IsLostWithItsNode) {
  world_.Put(Claim("data").BoundTo("gone"));
  Settle();
  EXPECT_EQ(Found().status().phase(), v1::CLAIM_PHASE_LOST);
  world_.Put(Node("gone"));
  Settle();
  EXPECT_EQ(Found().status().phase(), v1::CLAIM_PHASE_BOUND) << "the node came back";
}

TEST_F(Claims, GoesWithoutItsNodeWhereThatIsGone) {
  world_.Put(Claim("data").BoundTo("gone").Deleting());
  Settle();
  EXPECT_FALSE(Exists());
}

}  // namespace
}  // namespace cluster::controller
