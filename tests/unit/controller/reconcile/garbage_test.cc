#include "controller/reconcile/garbage.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/reconcile/namespaces.h"
#include "tests/domain/builders.h"
#include "tests/domain/job_builders.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/now.h"

namespace cluster::controller {
namespace {

using domain::Deployment;
using domain::Event;
using domain::Namespace;
using domain::Pod;
using domain::ReplicaSet;
using domain::World;

class Garbage : public ::testing::Test {
 protected:
  Changes Pass() {
    Changes changes = ReconcileNamespaces(world_.view(), kNow);
    MergeChanges(ReconcileGarbage(world_.view(), kNow), &changes);
    EXPECT_TRUE(world_.Commit(changes).empty());
    return changes;
  }
  void Settle() {
    for (int i = 0; i < 10; ++i) {
      if (Pass().writes.empty()) return;
    }
    FAIL() << "no fixpoint after ten passes";
  }
  bool Has(const std::string& key) const { return world_.Find(key) != nullptr; }

  World world_;
};

TEST_F(Garbage, WhatIsOwnedGoesWhenItsOwnerIsGone) {
  const v1::Object deployment = Deployment("web");
  const v1::Object set = ReplicaSet("web-1").OwnedBy(deployment);
  world_.Put(set);
  world_.Put(Pod("unbound").OwnedBy(set));
  world_.Put(Pod("bound").OwnedBy(set).On("n"));
  world_.Put(Pod("alone"));
  Settle();
  EXPECT_FALSE(Has("replicasets/default/web-1"));
  EXPECT_FALSE(Has("pods/default/unbound"));
  EXPECT_TRUE(world_.PodNamed("bound").metadata().has_deletion_timestamp());
  EXPECT_FALSE(world_.PodNamed("alone").metadata().has_deletion_timestamp());
}

TEST_F(Garbage, ForegroundDeletionTakesWhatIsOwnedFirst) {
  const v1::Object deployment =
      Deployment("web").Deleting().Finalizer(std::string(kForegroundFinalizer));
  const v1::Object set = ReplicaSet("web-1").OwnedBy(deployment);
  world_.Put(deployment);
  world_.Put(set);
  world_.Put(Pod("bound").OwnedBy(set).On("n"));
  Settle();
  EXPECT_TRUE(world_.PodNamed("bound").metadata().has_deletion_timestamp());
  EXPECT_TRUE(Has("replicasets/default/web-1"));
  EXPECT_TRUE(Has("deployments/default/web"));
  world_.Remove("pods/default/bound");
  Settle();
  EXPECT_FALSE(Has("replicasets/default/web-1"));
  EXPECT_FALSE(Has("deployments/default/web"));
}

TEST_F(Garbage, OrphaningLeavesWhatIsOwned) {
  const v1::Object deployment =
      Deployment("web").Deleting().Finalizer(std::string(kOrphanFinalizer));
  world_.Put(deployment);
  world_.Put(ReplicaSet("web-1").OwnedBy(deployment));
  Settle();
  EXPECT_FALSE(Has("deployments/default/web"));
  ASSERT_TRUE(Has("replicasets/default/web-1"));
  EXPECT_EQ(Meta(world_.Find("replicasets/default/web-1")->object).owner_references_size(), 0);
}

TEST_F(Garbage, KeepsAnObjectWithAStrangersFinalizer) {
  world_.Put(Deployment("web").Deleting().Finalizer("example.com/mine"));
  Settle();
  EXPECT_TRUE(Has("deployments/default/web"));
}

TEST_F(Garbage, KeepsTheNewestEndedPodsOfAnOwner) {
  const v1::Object set = ReplicaSet("web");
  world_.Put(set);
  for (int i = 0; i < 8; ++i) {
    world_.Put(Pod(absl::StrCat("p", i)).OwnedBy(set).Phase(v1::POD_PHASE_FAILED));
  }
  Settle();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Has(absl::StrCat("pods/default/p", i)), i >= 3) << i;
}

TEST_F(Garbage, EventsLiveAnHour) {
  world_.Put(Event("old", 10'000 - 3'600));
  world_.Put(Event("young", 10'000 - 3'599));
  const Changes changes = Pass();
  EXPECT_FALSE(Has("events/default/old"));
  EXPECT_TRUE(Has("events/default/young"));
  EXPECT_EQ(changes.wake_at, kNow + absl::Seconds(1));
}

TEST_F(Garbage, ANamespaceTakesItsContentAlong) {
  world_.Put(Namespace("team").Deleting());
  world_.Put(Deployment("web").In("team"));
  world_.Put(Pod("bound").In("team").On("n"));
  world_.Put(Pod("other"));
  Settle();
  EXPECT_FALSE(Has("deployments/team/web"));
  EXPECT_EQ(world_.Find("namespaces/team")->object.namespace_().status().phase(), "Terminating");
  world_.Remove("pods/team/bound");
  Settle();
  EXPECT_FALSE(Has("namespaces/team"));
  EXPECT_TRUE(Has("pods/default/other"));
}

TEST_F(Garbage, ALiveNamespaceIsActiveAndStraysGo) {
  world_.Put(Namespace("team"));
  world_.Put(Deployment("web").In("gone"));
  Settle();
  EXPECT_EQ(world_.Find("namespaces/team")->object.namespace_().status().phase(), "Active");
  EXPECT_FALSE(Has("deployments/gone/web"));
}

TEST_F(Garbage, AHeldPodStaysUntilNothingHoldsIt) {
  const v1::Object set = ReplicaSet("web");
  world_.Put(set);
  for (int i = 0; i < 8; ++i) {
    world_.Put(Pod(absl::StrCat("p", i))
                   .OwnedBy(set)
                   .Phase(v1::POD_PHASE_FAILED)
                   .Finalizer("batch.kubernetes.io/job-tracking"));
  }
  const v1::Object gone = ReplicaSet("gone");
  world_.Put(Pod("unbound").OwnedBy(gone).Finalizer("x/y"));
  Settle();
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(Has(absl::StrCat("pods/default/p", i))) << i;
  EXPECT_TRUE(world_.PodNamed("unbound").metadata().has_deletion_timestamp());
}

TEST_F(Garbage, ADeletedPodWithoutNodeIsOverAndGoesWithItsLastFinalizer) {
  world_.Put(Pod("held").Deleting().Finalizer("x/y"));
  Settle();
  EXPECT_EQ(world_.PodNamed("held").status().phase(), v1::POD_PHASE_FAILED);
  world_.Put(Pod("held").Deleting());
  world_.Put(Pod("bound").On("n").Deleting());
  Settle();
  EXPECT_FALSE(Has("pods/default/held"));
  EXPECT_TRUE(Has("pods/default/bound")) << "its node ends it";
}

TEST_F(Garbage, PodsOfAJobAreItsResults) {
  const v1::Object job = domain::Job("work");
  world_.Put(job);
  for (int i = 0; i < kEndedPodsPerJob + 2; ++i) {
    world_.Put(Pod(absl::StrCat("p", i)).OwnedBy(job).Phase(v1::POD_PHASE_SUCCEEDED));
  }
  Settle();
  EXPECT_FALSE(Has("pods/default/p0"));
  EXPECT_FALSE(Has("pods/default/p1"));
  EXPECT_TRUE(Has("pods/default/p2"));
}

}  // namespace
}  // namespace cluster::controller
