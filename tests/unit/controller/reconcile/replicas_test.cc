#include "controller/reconcile/replicas.h"

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/garbage.h"
#include "controller/reconcile/pod_ranking.h"
#include "controller/reconcile/pod_state.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/now.h"

namespace cluster::controller {
namespace {

using domain::Pod;
using domain::ReplicaSet;
using domain::World;
using ::testing::ElementsAre;

class Replicas : public ::testing::Test {
 protected:
  Changes Pass(absl::Time now = kNow) {
    Changes changes = ReconcileReplicas(world_.view(), taken_, now, &random_, &settled_);
    EXPECT_TRUE(world_.Commit(changes).empty());
    return changes;
  }
  // Passes until nothing is written any more.
  void Settle() {
    for (int i = 0; i < 5; ++i) {
      if (Pass().writes.empty()) return;
    }
    FAIL() << "no fixpoint after five passes";
  }
  std::vector<v1::Pod> Pods() const {
    std::vector<v1::Pod> pods;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      pods.push_back(entry->object.pod());
    }
    return pods;
  }
  int Active() const {
    int count = 0;
    for (const v1::Pod& pod : Pods()) count += IsActive(pod) ? 1 : 0;
    return count;
  }
  v1::ReplicaSet Set() const {
    return world_.Find("replicasets/default/web")->object.replica_set();
  }

  World world_;
  Random random_{1};
  absl::flat_hash_set<std::string> taken_;
  Settled settled_;
};

TEST_F(Replicas, ASetWithNothingToDoIsLeftOutUntilSomethingChanges) {
  world_.Put(ReplicaSet("web").Replicas(2));
  Settle();
  EXPECT_EQ(settled_.size(), 1u);
  const EntryPtr set = world_.Find("replicasets/default/web");
  const auto is_settled = [&] {
    return settled_.IsSettled(
        *set, world_.view().OwnedVersion(v1::Object::kPod, Meta(set->object).uid()));
  };
  EXPECT_TRUE(is_settled());
  // Pods of others do not matter, its own do.
  world_.Put(Pod("stranger"));
  EXPECT_TRUE(is_settled());
  const auto owned = [&] {
    return world_.view().OwnedBy(v1::Object::kPod, Meta(set->object).uid());
  };
  world_.Remove(owned()[0]->key);
  EXPECT_FALSE(is_settled());
  Settle();
  EXPECT_EQ(owned().size(), 2u);
}

TEST_F(Replicas, ASettledSetStillAdopts) {
  world_.Put(ReplicaSet("web").Replicas(2));
  Settle();
  world_.Put(Pod("orphan").Label("app", "web"));
  Settle();
  // One of three was too many.
  EXPECT_EQ(Pods().size(), 2u);
  for (const v1::Pod& pod : Pods()) EXPECT_NE(ControllerOf(pod.metadata()), nullptr);
}

TEST_F(Replicas, ManySetsThatGrowShareAPass) {
  constexpr int kSets = 100;
  for (int i = 0; i < kSets; ++i) {
    world_.Put(ReplicaSet(absl::StrCat("web-", i)).Replicas(1000));
  }
  std::map<std::string, int> made;
  for (const Write& write : Pass().writes) {
    if (write.expected == 0) ++made[ControllerOf(Meta(*write.put))->name()];
  }
  EXPECT_EQ(made.size(), static_cast<size_t>(kSets));
  for (const auto& [set, count] : made) EXPECT_EQ(count, kMostCreatedTogether / kSets) << set;
}

TEST_F(Replicas, Behaviour32KeepsItsNumberOfPods) {
  world_.Put(ReplicaSet("web").Replicas(3));
  Settle();
  EXPECT_EQ(Active(), 3);
  world_.Remove(absl::StrCat("pods/default/", Pods()[1].metadata().name()));
  Settle();
  EXPECT_EQ(Active(), 3);
  world_.Put(ReplicaSet("web").Replicas(1));
  Settle();
  EXPECT_EQ(Active(), 1);
}

TEST_F(Replicas, PodsCarryTheTemplateAndTheirOwner) {
  world_.Put(ReplicaSet("web").Image("app:7"));
  const Changes changes = Pass();
  const v1::Pod pod = Pods().at(0);
  EXPECT_TRUE(absl::StartsWith(pod.metadata().name(), "web-"));
  EXPECT_EQ(pod.metadata().labels().at("app"), "web");
  EXPECT_EQ(pod.metadata().creation_timestamp().seconds(), 10'000);
  EXPECT_EQ(pod.metadata().uid().size(), 36u);
  EXPECT_EQ(pod.spec().containers(0).image(), "app:7");
  EXPECT_EQ(pod.status().phase(), v1::POD_PHASE_PENDING);
  EXPECT_EQ(pod.status().qos_class(), v1::QOS_CLASS_BEST_EFFORT);
  ASSERT_EQ(pod.metadata().owner_references_size(), 1);
  EXPECT_EQ(pod.metadata().owner_references(0).uid(), "ReplicaSet-web");
  EXPECT_TRUE(pod.metadata().owner_references(0).controller());
  EXPECT_EQ(changes.events.at(0).reason, "SuccessfulCreate");
}

TEST_F(Replicas, StatusCountsActivePods) {
  const v1::Object set = ReplicaSet("web").Replicas(2);
  world_.Put(set);
  world_.Put(Pod("a").Label("app", "web").OwnedBy(set).On("n").Ready());
  world_.Put(Pod("b").Label("app", "web").OwnedBy(set).On("n"));
  world_.Put(Pod("c").Label("app", "web").OwnedBy(set).On("n").Ready().Deleting());
  Settle();
  EXPECT_EQ(Set().status().replicas(), 2);
  EXPECT_EQ(Set().status().ready_replicas(), 1);
  EXPECT_EQ(Set().status().available_replicas(), 1);
  EXPECT_EQ(Set().status().fully_labeled_replicas(), 2);
  EXPECT_EQ(Set().status().observed_generation(), 1);
}

TEST_F(Replicas, AdoptsMatchingOrphansAndReleasesStrangers) {
  const v1::Object set = ReplicaSet("web").Replicas(1);
  world_.Put(set);
  world_.Put(Pod("orphan").Label("app", "web"));
  world_.Put(Pod("stranger").Label("app", "db").OwnedBy(set));
  world_.Put(Pod("elsewhere").In("other").Label("app", "web"));
  Settle();
  EXPECT_EQ(world_.PodNamed("orphan").metadata().owner_references_size(), 1);
  EXPECT_EQ(world_.PodNamed("stranger").metadata().owner_references_size(), 0);
  EXPECT_EQ(Pods().size(), 3u);
}

TEST_F(Replicas, OneOrphanHasOneOwner) {
  world_.Put(ReplicaSet("web").Replicas(1));
  ReplicaSet twin("twin");
  (*twin.message().mutable_spec()->mutable_selector()->mutable_match_labels())["app"] = "web";
  world_.Put(twin);
  world_.Put(Pod("orphan").Label("app", "web"));
  Pass();
  EXPECT_EQ(world_.PodNamed("orphan").metadata().owner_references_size(), 1);
}

TEST_F(Replicas, ReplacesEndedPodsWithGrowingDelay) {
  const v1::Object set = ReplicaSet("web").Replicas(1);
  world_.Put(set);
  world_.Put(Pod("f1")
                 .Label("app", "web")
                 .OwnedBy(set)
                 .On("n")
                 .CreatedAt(9'999)
                 .Phase(v1::POD_PHASE_FAILED));
  world_.Put(Pod("f2")
                 .Label("app", "web")
                 .OwnedBy(set)
                 .On("n")
                 .CreatedAt(10'000)
                 .Phase(v1::POD_PHASE_FAILED));
  const Changes early = Pass(absl::FromUnixSeconds(10'001));
  EXPECT_EQ(Active(), 0);
  EXPECT_EQ(early.wake_at, absl::FromUnixSeconds(10'002));
  Pass(absl::FromUnixSeconds(10'002));
  EXPECT_EQ(Active(), 1);
}

TEST_F(Replicas, OldFailuresDoNotDelay) {
  const v1::Object set = ReplicaSet("web").Replicas(1);
  world_.Put(set);
  for (int i = 0; i < 5; ++i) {
    world_.Put(Pod(absl::StrCat("f", i))
                   .Label("app", "web")
                   .OwnedBy(set)
                   .CreatedAt(1)
                   .Phase(v1::POD_PHASE_FAILED));
  }
  Pass();
  EXPECT_EQ(Active(), 1);
}

TEST_F(Replicas, FailuresAheadOfAClockThatWasSetBackDoNotDelay) {
  const v1::Object set = ReplicaSet("web").Replicas(1);
  world_.Put(set);
  world_.Put(Pod("f1")
                 .Label("app", "web")
                 .OwnedBy(set)
                 .On("n")
                 .CreatedAt(17'200)
                 .Phase(v1::POD_PHASE_FAILED));
  Pass(absl::FromUnixSeconds(10'000));
  EXPECT_EQ(Active(), 1);
}

TEST_F(Replicas, WaitsWhileAnEarlierLawWritesItOrItsPods) {
  const v1::Object set = ReplicaSet("web").Replicas(2);
  world_.Put(set);
  world_.Put(Pod("a").Label("app", "web").OwnedBy(set));
  taken_ = {"replicasets/default/web"};
  EXPECT_TRUE(Pass().writes.empty());
  taken_ = {"pods/default/a"};
  EXPECT_TRUE(Pass().writes.empty());
  taken_ = {};
  EXPECT_FALSE(Pass().writes.empty());
}

TEST_F(Replicas, MakesNothingInANamespaceThatEnds) {
  world_.Put(domain::Namespace("default").Deleting());
  world_.Put(ReplicaSet("web").Replicas(2));
  Pass();
  EXPECT_EQ(Active(), 0);
}

TEST_F(Replicas, ASetBeingDeletedRests) {
  world_.Put(ReplicaSet("web").Replicas(2).Deleting().Finalizer("foregroundDeletion"));
  EXPECT_TRUE(Pass().writes.empty());
}

TEST(PodRanking, TakesWhatIsMissedLeast) {
  World world;
  world.Put(Pod("ready-old").On("n1").Ready());
  world.Put(Pod("ready-new").On("n1").Ready());
  world.Put(Pod("ready-alone").On("n2").Ready());
  world.Put(Pod("pending").On("n3"));
  world.Put(Pod("unready").On("n3").Phase(v1::POD_PHASE_RUNNING));
  world.Put(Pod("unbound"));
  std::vector<EntryPtr> pods;
  for (const auto& [key, entry] : world.view().All(v1::Object::kPod)) pods.push_back(entry);
  std::vector<std::string> order;
  for (const EntryPtr& entry : FirstToDelete(pods, 6)) {
    order.push_back(Meta(entry->object).name());
  }
  EXPECT_THAT(
      order, ElementsAre("unbound", "pending", "unready", "ready-new", "ready-alone", "ready-old"));
}

TEST(PodRanking, EvensOutCrowdedNodes) {
  World world;
  std::vector<EntryPtr> pods;
  for (int i = 0; i < 6; ++i) {
    const std::string name = absl::StrCat("p", i);
    world.Put(Pod(name).On(i < 4 ? "n1" : "n2").Ready());
    pods.push_back(world.Find("pods/default/" + name));
  }
  std::multiset<std::string> nodes;
  for (const EntryPtr& entry : FirstToDelete(pods, 4)) {
    nodes.insert(entry->object.pod().spec().node_name());
  }
  EXPECT_THAT(nodes, ElementsAre("n1", "n1", "n1", "n2"));
}

}  // namespace
}  // namespace cluster::controller
