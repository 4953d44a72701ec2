#include "controller/reconcile/stateful_set.h"

#include "controller/object/claims.h"
#include "controller/reconcile/set_pods.h"
#include "controller/reconcile/stateful_identity.h"
#include "set_bench.h"

namespace cluster::controller {
namespace {

using domain::Claim;
using domain::Node;
using domain::Pod;
using domain::StatefulSet;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StatefulSets : public SetBench {
 protected:
  StatefulSets() { world_.Put(Node("n1")); }
  v1::StatefulSet Set() const {
    return world_.Find("statefulsets/default/db")->object.stateful_set();
  }
  v1::StatefulSetStatus Status() const { return Set().status(); }
  v1::Condition Progressing() const { return *FindCondition(Status().conditions(), "Progressing"); }
  template <typename Edit>
  void Change(Edit edit) {
    v1::StatefulSet set = Set();
    edit(set.mutable_spec());
    set.mutable_metadata()->set_generation(set.metadata().generation() + 1);
    world_.Put(Wrap(std::move(set)));
  }
  void SetImage(const std::string& image) {
    Change([&](v1::StatefulSetSpec* spec) {
      spec->mutable_template_()->mutable_spec()->mutable_containers(0)->set_image(image);
    });
  }
  void Scale(int replicas) {
    Change([&](v1::StatefulSetSpec* spec) { spec->set_replicas(replicas); });
  }
  std::vector<std::string> Claims() const {
    std::vector<std::string> names;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPersistentVolumeClaim)) {
      names.push_back(Meta(entry->object).name());
    }
    return names;
  }
};

TEST_F(StatefulSets, Behaviour41GrowsInOrderAndShrinksInReverse) {
  world_.Put(StatefulSet("db").Replicas(3));
  Rest();
  EXPECT_THAT(PodNames(), ElementsAre("db-0"));
  EXPECT_EQ(Progressing().reason(), "PodNotReady");
  EXPECT_THAT(Progressing().message(), HasSubstr("db-0"));
  Advance(world_.PodNamed("db-0"));  // it has no node yet
  Rest();
  EXPECT_THAT(PodNames(), ElementsAre("db-0"));
  SetReady("db-0", true);
  Rest();
  EXPECT_THAT(PodNames(), ElementsAre("db-0", "db-1"));
  Settle();
  EXPECT_THAT(PodNames(), ElementsAre("db-0", "db-1", "db-2"));
  EXPECT_EQ(Progressing().reason(), "Complete");

  Scale(1);
  Rest();
  EXPECT_TRUE(world_.PodNamed("db-2").metadata().has_deletion_timestamp());
  EXPECT_FALSE(world_.PodNamed("db-1").metadata().has_deletion_timestamp());
  world_.Remove("pods/default/db-2");
  Rest();
  EXPECT_TRUE(world_.PodNamed("db-1").metadata().has_deletion_timestamp());
  Settle();
  EXPECT_THAT(PodNames(), ElementsAre("db-0"));
}

TEST_F(StatefulSets, Behaviour41HaltsWhileAPodIsNotReady) {
  world_.Put(StatefulSet("db").Replicas(3));
  Settle();
  SetReady("db-0", false);
  broken_ = {"db-0"};
  Scale(4);
  Settle();
  EXPECT_THAT(PodNames(), ElementsAre("db-0", "db-1", "db-2"));
  Scale(1);
  Settle();
  EXPECT_THAT(PodNames(), ElementsAre("db-0", "db-1", "db-2"));
  EXPECT_EQ(Progressing().message(), "pod db-0 is not ready");
  broken_.clear();
  Settle();
  EXPECT_THAT(PodNames(), ElementsAre("db-0"));
}

TEST_F(StatefulSets, Behaviour41ScalingToNothingWaitsForPodsToBeWell) {
  world_.Put(StatefulSet("db").Replicas(2));
  Settle();
  for (const std::string pod : {"db-0", "db-1"}) SetReady(pod, false);
  broken_ = {"db-0", "db-1"};
  Scale(0);
  Settle();
  EXPECT_THAT(PodNames(), ElementsAre("db-0", "db-1"));
  broken_.clear();
  Settle();
  EXPECT_THAT(PodNames(), IsEmpty());
}

TEST_F(StatefulSets, Behaviour41ParallelDoesNotWait) {
  world_.Put(StatefulSet("db").Replicas(3).Parallel());
  Pass();
  EXPECT_THAT(PodNames(), ElementsAre("db-0", "db-1", "db-2"));
  for (const std::string pod : {"db-0", "db-1", "db-2"}) {
    EditPod(pod, [](v1::Pod* each) { each->mutable_spec()->set_node_name("n1"); });
  }
  Scale(0);
  Pass();
  for (const v1::Pod& pod : Pods()) EXPECT_TRUE(pod.metadata().has_deletion_timestamp());
}

TEST_F(StatefulSets, PodsHaveTheirIdentity) {
  world_.Put(StatefulSet("db").Start(4).Image("db:1").ClaimPerPod("data"));
  Pass();
  ASSERT_THAT(PodNames(), ElementsAre("db-4"));
  const v1::Pod pod = world_.PodNamed("db-4");
  EXPECT_EQ(pod.metadata().labels().at("statefulset.kubernetes.io/pod-name"), "db-4");
  EXPECT_EQ(pod.metadata().labels().at("apps.kubernetes.io/pod-index"), "4");
  EXPECT_EQ(pod.metadata().labels().at("controller-revision-hash"), Status().update_revision());
  EXPECT_EQ(pod.metadata().labels().at("app"), "db");
  EXPECT_EQ(pod.metadata().owner_references(0).uid(), "StatefulSet-db");
  EXPECT_EQ(pod.spec().hostname(), "db-4");
  EXPECT_EQ(pod.spec().subdomain(), "db");
  ASSERT_EQ(pod.spec().volumes_size(), 1);
  EXPECT_EQ(pod.spec().volumes(0).name(), "data");
  EXPECT_EQ(pod.spec().volumes(0).persistent_volume_claim().claim_name(), "data-db-4");
  const auto claim =
      world_.Find("persistentvolumeclaims/default/data-db-4")->object.persistent_volume_claim();
  EXPECT_EQ(claim.metadata().labels().at("app"), "db");
  EXPECT_TRUE(HasFinalizer(claim.metadata(), kClaimFinalizer));
  EXPECT_EQ(claim.metadata().owner_references_size(), 0);
  EXPECT_EQ(claim.spec().resources().requests().at("storage"), "1Gi");
}

TEST_F(StatefulSets, NumbersAreWrittenInOneWayOnly) {
  const v1::StatefulSet set = StatefulSet("db").message();
  EXPECT_EQ(OrdinalOf(set, "db-12"), 12);
  for (const std::string name :
       {"db-01", "db-+1", "db--1", "db-", "db", "db-1x", "web-1", "db-x-1"}) {
    EXPECT_EQ(OrdinalOf(set, name), std::nullopt) << name;
  }
}

TEST_F(StatefulSets, ALostLabelComesBack) {
  world_.Put(StatefulSet("db"));
  Settle();
  EditPod("db-0", [](v1::Pod* pod) {
    pod->mutable_metadata()->mutable_labels()->erase(std::string(kPodNameLabel));
  });
  Settle();
  EXPECT_EQ(LabelOf(world_.PodNamed("db-0").metadata(), kPodNameLabel), "db-0");
}

TEST_F(StatefulSets, UpdatesOneAfterAnotherFromTheLast) {
  world_.Put(StatefulSet("db").Replicas(3).Image("db:1"));
  Settle();
  const std::string first = Status().current_revision();
  SetImage("db:2");
  Rest();
  EXPECT_TRUE(world_.PodNamed("db-2").metadata().has_deletion_timestamp());
  EXPECT_FALSE(world_.PodNamed("db-1").metadata().has_deletion_timestamp());
  EXPECT_EQ(Status().current_revision(), first);
  EXPECT_NE(Status().update_revision(), first);
  world_.Remove("pods/default/db-2");
  Rest();
  EXPECT_EQ(ImageOf("db-2"), "db:2");
  EXPECT_FALSE(world_.PodNamed("db-1").metadata().has_deletion_timestamp());
  Settle();
  for (const std::string pod : {"db-0", "db-1", "db-2"}) EXPECT_EQ(ImageOf(pod), "db:2");
  EXPECT_EQ(Status().current_revision(), Status().update_revision());
  EXPECT_EQ(Status().updated_replicas(), 3);
  EXPECT_EQ(Status().current_replicas(), 3);
}

TEST_F(StatefulSets, Behaviour42PartitionKeepsTheFirstPodsAsTheyAre) {
  world_.Put(StatefulSet("db").Replicas(3).Image("db:1"));
  Settle();
  Change([](v1::StatefulSetSpec* spec) {
    spec->mutable_update_strategy()->mutable_rolling_update()->set_partition(2);
    spec->mutable_template_()->mutable_spec()->mutable_containers(0)->set_image("db:2");
  });
  Settle();
  EXPECT_EQ(ImageOf("db-0"), "db:1");
  EXPECT_EQ(ImageOf("db-1"), "db:1");
  EXPECT_EQ(ImageOf("db-2"), "db:2");
  EXPECT_EQ(Status().updated_replicas(), 1);
  EXPECT_EQ(Status().current_replicas(), 2);
  // Deleted, each comes back as it was, also when all go at once.
  for (const std::string pod : {"db-0", "db-1", "db-2"}) world_.Remove("pods/default/" + pod);
  Settle();
  EXPECT_EQ(ImageOf("db-0"), "db:1");
  EXPECT_EQ(ImageOf("db-1"), "db:1");
  EXPECT_EQ(ImageOf("db-2"), "db:2");
  Change([](v1::StatefulSetSpec* spec) {
    spec->mutable_update_strategy()->mutable_rolling_update()->set_partition(0);
  });
  Settle();
  EXPECT_EQ(ImageOf("db-0"), "db:2");
}

TEST_F(StatefulSets, MaxUnavailableLetsSeveralGoAtOnce) {
  world_.Put(StatefulSet("db").Replicas(4).Image("db:1").MaxUnavailable("50%"));
  Settle();
  SetImage("db:2");
  Rest();
  EXPECT_TRUE(world_.PodNamed("db-3").metadata().has_deletion_timestamp());
  EXPECT_TRUE(world_.PodNamed("db-2").metadata().has_deletion_timestamp());
  EXPECT_FALSE(world_.PodNamed("db-1").metadata().has_deletion_timestamp());
}

TEST_F(StatefulSets, InParallelAnUpdateKeepsItsBudgetToo) {
  world_.Put(StatefulSet("db").Replicas(3).Image("db:1").Parallel());
  Settle();
  SetReady("db-0", false);
  broken_ = {"db-0"};
  SetImage("db:2");
  // db-0 serves nobody and is of the old revision: it may go, and is all that may.
  Rest();
  EXPECT_TRUE(world_.PodNamed("db-0").metadata().has_deletion_timestamp());
  EXPECT_FALSE(world_.PodNamed("db-2").metadata().has_deletion_timestamp());
}

TEST_F(StatefulSets, OnDeleteWaitsForSomebodyToDelete) {
  world_.Put(StatefulSet("db").Replicas(2).Image("db:1").OnDelete());
  Settle();
  SetImage("db:2");
  Settle();
  EXPECT_EQ(ImageOf("db-0"), "db:1");
  AskToEnd("db-0");
  Settle();
  EXPECT_EQ(ImageOf("db-0"), "db:2");
  EXPECT_EQ(ImageOf("db-1"), "db:1");
}

// In Kubernetes the set waits for the broken pod for ever (kubernetes#67250).
TEST_F(StatefulSets, ABrokenTemplateDoesNotBlockTheOneThatMendsIt) {
  world_.Put(StatefulSet("db").Replicas(2).Image("db:1"));
  Settle();
  broken_images_ = {"db:broken"};
  SetImage("db:broken");
  Settle();
  EXPECT_EQ(ImageOf("db-1"), "db:broken");
  EXPECT_EQ(ImageOf("db-0"), "db:1");
  SetImage("db:2");
  Settle();
  EXPECT_EQ(ImageOf("db-1"), "db:2");
  EXPECT_EQ(ImageOf("db-0"), "db:2");
}

TEST_F(StatefulSets, MinReadySecondsHoldTheNextPodBack) {
  world_.Put(StatefulSet("db").Replicas(2).MinReady(10));
  Rest();
  SetReady("db-0", true);
  const Changes waits = Pass();
  EXPECT_EQ(waits.wake_at, now_ + absl::Seconds(10));
  Rest();
  EXPECT_THAT(PodNames(), ElementsAre("db-0"));
  EXPECT_EQ(Status().ready_replicas(), 1);
  EXPECT_EQ(Status().available_replicas(), 0);
  now_ += absl::Seconds(10);
  Rest();
  EXPECT_THAT(PodNames(), ElementsAre("db-0", "db-1"));
  EXPECT_EQ(Status().available_replicas(), 1);
}

TEST_F(StatefulSets, Behaviour43AFailedPodComesBackUnderItsName) {
  world_.Put(StatefulSet("db").Replicas(2).ClaimPerPod("data"));
  Settle();
  const std::string uid = UidOf("db-0");
  now_ += kFailedPodPause;
  Fail("db-0");
  const Changes changes = Pass();
  EXPECT_EQ(changes.events.at(0).reason, "RecreatingFailedPod");
  EXPECT_TRUE(world_.PodNamed("db-0").metadata().has_deletion_timestamp());
  Settle();
  EXPECT_NE(UidOf("db-0"), uid);
  EXPECT_EQ(world_.PodNamed("db-0").spec().volumes(0).persistent_volume_claim().claim_name(),
            "data-db-0");
  EXPECT_THAT(Claims(), ElementsAre("data-db-0", "data-db-1"));
}

TEST_F(StatefulSets, Behaviour43APodThatFailsAtOnceIsNotMadeInAHotLoop) {
  world_.Put(StatefulSet("db"));
  Settle();
  Fail("db-0");
  Rest();
  EXPECT_FALSE(world_.PodNamed("db-0").metadata().has_deletion_timestamp());
  EXPECT_EQ(Pass().wake_at, now_ + kFailedPodPause);
}

TEST_F(StatefulSets, AFailedPodIsReplacedThoughTheClockWasSetBack) {
  world_.Put(StatefulSet("db"));
  Settle();
  const std::string uid = UidOf("db-0");
  now_ -= absl::Hours(2);
  Fail("db-0");
  Settle();
  EXPECT_NE(UidOf("db-0"), uid);
}

TEST_F(StatefulSets, Law8ANameIsFreeOnlyWhenItsPodIsGone) {
  world_.Put(StatefulSet("db").Parallel());
  Settle();
  const std::string uid = UidOf("db-0");
  AskToEnd("db-0");
  Rest();
  EXPECT_EQ(UidOf("db-0"), uid);
  EXPECT_EQ(Progressing().reason(), "PodTerminating");
  world_.Remove("pods/default/db-0");
  Rest();
  EXPECT_NE(UidOf("db-0"), uid);
}

TEST_F(StatefulSets, AStrangersPodHoldsItsName) {
  world_.Put(Pod("db-0").Label("app", "other"));
  world_.Put(StatefulSet("db"));
  Rest();
  EXPECT_EQ(world_.PodNamed("db-0").metadata().owner_references_size(), 0);
  EXPECT_EQ(Progressing().status(), v1::CONDITION_STATUS_FALSE);
  EXPECT_EQ(Progressing().reason(), "NameTaken");
  world_.Remove("pods/default/db-0");
  Rest();
  EXPECT_EQ(Progressing().status(), v1::CONDITION_STATUS_TRUE);
  EXPECT_EQ(world_.PodNamed("db-0").metadata().owner_references_size(), 1);
}

TEST_F(StatefulSets, AdoptsPodsUnderItsNamesAlone) {
  world_.Put(Pod("db-0").Label("app", "db").On("n1").Ready());
  world_.Put(Pod("stranger").Label("app", "db").On("n1").Ready());
  world_.Put(StatefulSet("db"));
  Rest();
  EXPECT_EQ(world_.PodNamed("db-0").metadata().owner_references_size(), 1);
  EXPECT_EQ(world_.PodNamed("stranger").metadata().owner_references_size(), 0);
}

TEST_F(StatefulSets, ClaimsStayWhenASetShrinksOrGoes) {
  world_.Put(StatefulSet("db").Replicas(2).ClaimPerPod("data"));
  Settle();
  Scale(0);
  Settle();
  EXPECT_THAT(Claims(), ElementsAre("data-db-0", "data-db-1"));
  world_.Remove("statefulsets/default/db");
  world_.Commit(ReconcileGarbage(world_.view(), now_));
  EXPECT_THAT(Claims(), ElementsAre("data-db-0", "data-db-1"));
}

TEST_F(StatefulSets, WhenScaledDeletesClaimsOfPodsThatAreGone) {
  world_.Put(StatefulSet("db").Replicas(2).ClaimPerPod("data").Retain(v1::CLAIM_RETENTION_RETAIN,
                                                                      v1::CLAIM_RETENTION_DELETE));
  // One of a user, who gave it the name.
  world_.Put(Claim("data-db-7"));
  Settle();
  Scale(1);
  Rest();
  EXPECT_FALSE(Meta(world_.Find("persistentvolumeclaims/default/data-db-1")->object)
                   .has_deletion_timestamp());
  world_.Remove("pods/default/db-1");
  Rest();
  EXPECT_TRUE(Meta(world_.Find("persistentvolumeclaims/default/data-db-1")->object)
                  .has_deletion_timestamp());
  // A pod that only goes for an update keeps its claim.
  EXPECT_FALSE(Meta(world_.Find("persistentvolumeclaims/default/data-db-0")->object)
                   .has_deletion_timestamp());
  EXPECT_FALSE(Meta(world_.Find("persistentvolumeclaims/default/data-db-7")->object)
                   .has_deletion_timestamp());
  // Back before the claim is gone: the new pod waits for a new claim.
  Scale(2);
  Rest();
  EXPECT_FALSE(Exists("db-1"));
  EXPECT_EQ(Progressing().reason(), "ClaimTerminating");
  world_.Remove("persistentvolumeclaims/default/data-db-1");
  Settle();
  EXPECT_TRUE(Exists("db-1"));
  EXPECT_THAT(Claims(), ElementsAre("data-db-0", "data-db-1", "data-db-7"));
}

TEST_F(StatefulSets, WhenDeletedClaimsAreTheSets) {
  world_.Put(StatefulSet("db").ClaimPerPod("data"));
  Settle();
  const auto owners = [this] {
    return Meta(world_.Find("persistentvolumeclaims/default/data-db-0")->object)
        .owner_references_size();
  };
  EXPECT_EQ(owners(), 0);
  Change([](v1::StatefulSetSpec* spec) {
    spec->mutable_persistent_volume_claim_retention_policy()->set_when_deleted(
        v1::CLAIM_RETENTION_DELETE);
  });
  Settle();
  EXPECT_EQ(owners(), 1);
  Change([](v1::StatefulSetSpec* spec) {
    spec->mutable_persistent_volume_claim_retention_policy()->set_when_deleted(
        v1::CLAIM_RETENTION_RETAIN);
  });
  Settle();
  EXPECT_EQ(owners(), 0);
}

TEST_F(StatefulSets, KeepsRevisionsUpToItsLimit) {
  world_.Put(StatefulSet("db").Image("db:1").History(1));
  Settle();
  for (const std::string image : {"db:2", "db:3", "db:4"}) {
    SetImage(image);
    Settle();
  }
  EXPECT_THAT(Revisions(), ElementsAre(3, 4));
  // A template that comes back is the newest again, under its old name.
  const std::string third = "db:3";
  SetImage(third);
  Settle();
  EXPECT_THAT(Revisions(), ElementsAre(4, 5));
}

TEST_F(StatefulSets, UndoReturnsToTheTemplateBefore) {
  world_.Put(StatefulSet("db").Image("db:1"));
  Settle();
  SetImage("db:2");
  Settle();
  const auto undo = PlanTemplateUndo(world_.view(), *world_.Find("statefulsets/default/db"), 0);
  ASSERT_TRUE(undo.ok()) << undo.status();
  EXPECT_EQ(undo->from_revision, 1);
  EXPECT_EQ(undo->owner.stateful_set().spec().template_().spec().containers(0).image(), "db:1");
  const EntryPtr entry = world_.Find("statefulsets/default/db");
  EXPECT_TRUE(absl::IsFailedPrecondition(PlanTemplateUndo(world_.view(), *entry, 2).status()));
  EXPECT_TRUE(absl::IsNotFound(PlanTemplateUndo(world_.view(), *entry, 7).status()));
}

TEST_F(StatefulSets, ASetThatGoesMakesNothing) {
  world_.Put(StatefulSet("db").Replicas(2).Deleting().Finalizer("foregroundDeletion"));
  EXPECT_TRUE(Pass().empty());
  EXPECT_THAT(PodNames(), IsEmpty());
}

TEST_F(StatefulSets, WaitsForWhatEarlierLawsWrite) {
  world_.Put(StatefulSet("db").Replicas(2));
  Settle();
  Scale(3);
  taken_ = {"pods/default/db-0"};
  EXPECT_TRUE(Pass().writes.empty());
  taken_.clear();
  Settle();
  EXPECT_TRUE(Exists("db-2"));
}

}  // namespace
}  // namespace cluster::controller
