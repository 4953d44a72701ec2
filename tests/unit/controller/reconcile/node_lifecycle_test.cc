#include "controller/reconcile/node_lifecycle.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/now.h"

namespace cluster::controller {
namespace {

using domain::DaemonSet;
using domain::Node;
using domain::Pod;
using domain::ReplicaSet;
using domain::StatefulSet;
using domain::World;

class NodeLifecycle : public ::testing::Test {
 protected:
  NodeLifecycle() {
    world_.Put(set_);
    world_.Put(Node("n1"));
  }
  Changes Pass(Contact contact) {
    contacts_["n1"] = {contact, absl::Seconds(50)};
    Changes changes = ReconcileNodes(world_.view(), {kNow, absl::Seconds(60), &contacts_, &brake_});
    EXPECT_TRUE(world_.Commit(changes).empty());
    return changes;
  }
  const v1::Condition NodeReady() {
    return *FindCondition(world_.Find("nodes/n1")->object.node().status().conditions(), "Ready");
  }
  Pod Serving(const std::string& name) {
    Pod pod(name);
    pod.On("n1").Ready();
    auto* condition = pod.message().mutable_status()->add_conditions();
    condition->set_type("ContainersReady");
    condition->set_status(v1::CONDITION_STATUS_TRUE);
    return pod;
  }

  World world_;
  const v1::Object set_ = ReplicaSet("web");
  NodeContacts contacts_;
  LossBrake brake_;
};

TEST_F(NodeLifecycle, ReadyFollowsTheLease) {
  Pass(Contact::kLost);
  EXPECT_EQ(NodeReady().status(), v1::CONDITION_STATUS_UNKNOWN);
  EXPECT_EQ(NodeReady().reason(), "LeaseExpired");
  EXPECT_EQ(NodeReady().last_transition_time().seconds(), 10'000);
  EXPECT_TRUE(Pass(Contact::kLost).empty());
  EXPECT_TRUE(Pass(Contact::kUnknown).empty());
  const Changes back = Pass(Contact::kReady);
  EXPECT_EQ(NodeReady().status(), v1::CONDITION_STATUS_TRUE);
  EXPECT_EQ(back.events.at(0).reason, "NodeReady");
  EXPECT_TRUE(Pass(Contact::kReady).empty());
}

TEST_F(NodeLifecycle, PodsOfALostNodeAreGivenUpForReplacement) {
  world_.Put(Serving("web-1").OwnedBy(set_));
  Pass(Contact::kLost);
  const v1::Pod pod = world_.PodNamed("web-1");
  EXPECT_TRUE(pod.metadata().has_deletion_timestamp());
  EXPECT_EQ(pod.status().reason(), "NodeLost");
  EXPECT_FALSE(IsTrue(pod.status().conditions(), "Ready"));
  EXPECT_TRUE(Pass(Contact::kLost).empty());
}

TEST_F(NodeLifecycle, Law8ANameIsFreeOnceTheLeaseIsOver) {
  const v1::Object set = StatefulSet("db");
  world_.Put(Serving("db-0").OwnedBy(set));
  world_.Put(Serving("db-1").OwnedBy(set).Deleting());
  Pass(Contact::kUnknown);
  EXPECT_NE(world_.Find("pods/default/db-0"), nullptr);
  const Changes lost = Pass(Contact::kLost);
  EXPECT_EQ(world_.Find("pods/default/db-0"), nullptr);
  EXPECT_EQ(world_.Find("pods/default/db-1"), nullptr);
  EXPECT_EQ(lost.events.back().reason, "NodeLost");
}

TEST_F(NodeLifecycle, Law8ANameIsNotFreeWhileTheBrakeHoldsReplacementsBack) {
  for (int i = 2; i <= 12; ++i) {
    world_.Put(Node(absl::StrCat("n", i)));
    contacts_[absl::StrCat("n", i)] = {Contact::kLost, absl::Seconds(50)};
  }
  world_.Put(Serving("db-0").OwnedBy(StatefulSet("db")));
  const Changes lost = Pass(Contact::kLost);
  EXPECT_NE(world_.Find("pods/default/db-0"), nullptr);
  EXPECT_FALSE(IsTrue(world_.PodNamed("db-0").status().conditions(), "Ready"));
  // Law 10: it says why, and what would change it; once.
  EXPECT_NE(NodeReady().message().find("--i-am-not-partitioned"), std::string::npos);
  EXPECT_TRUE(std::any_of(lost.events.begin(), lost.events.end(), [](const EventNote& event) {
    return event.reason == "ReplacementHeldBack" && event.involved.name() == "n1";
  }));
  EXPECT_TRUE(Pass(Contact::kLost).empty());
}

TEST_F(NodeLifecycle, WhatTheBrakeLetsThroughSaysNothingOfIt) {
  for (int i = 2; i <= 20; ++i) {
    world_.Put(Node(absl::StrCat("n", i)));
    contacts_[absl::StrCat("n", i)] = {Contact::kReady, absl::Seconds(50)};
  }
  Pass(Contact::kLost);
  EXPECT_EQ(NodeReady().message().find("not replaced"), std::string::npos);
}

TEST_F(NodeLifecycle, Law8ADeletedNodesNamesAreFreeOnlyAfterAWhile) {
  Pod pod = Serving("db-0").OwnedBy(StatefulSet("db"));
  pod.message().mutable_status()->mutable_start_time()->set_seconds(1);
  world_.Put(pod);
  world_.Remove("nodes/n1");
  Pass(Contact::kUnknown);
  EXPECT_EQ(world_.PodNamed("db-0").status().reason(), "NodeDeleted");
  const absl::Time free = kNow + absl::Seconds(30) + kUniqueAfterNode;
  EXPECT_EQ(Pass(Contact::kUnknown).wake_at, free);
  EXPECT_NE(world_.Find("pods/default/db-0"), nullptr);
  world_.Commit(ReconcileNodes(world_.view(), {free, absl::Seconds(60), &contacts_, &brake_}));
  EXPECT_EQ(world_.Find("pods/default/db-0"), nullptr);
}

TEST_F(NodeLifecycle, Law8_APodThatIsKeptIsNotReplaced) {
  world_.Put(
      Serving("db-0").OwnedBy(StatefulSet("db")).Annotation("cluster.v1/on-disconnect", "keep"));
  Pass(Contact::kLost);
  EXPECT_FALSE(world_.PodNamed("db-0").metadata().has_deletion_timestamp());
  Pass(Contact::kReady);
  EXPECT_TRUE(IsTrue(world_.PodNamed("db-0").status().conditions(), "Ready"));
}

TEST_F(NodeLifecycle, DaemonPodsWaitForTheirNode) {
  world_.Put(Serving("log-1").OwnedBy(DaemonSet("log")));
  Pass(Contact::kLost);
  EXPECT_FALSE(world_.PodNamed("log-1").metadata().has_deletion_timestamp());
  EXPECT_FALSE(IsTrue(world_.PodNamed("log-1").status().conditions(), "Ready"));
  Pass(Contact::kReady);
  EXPECT_TRUE(IsTrue(world_.PodNamed("log-1").status().conditions(), "Ready"));
}

TEST_F(NodeLifecycle, PodsThatNobodyWouldReplaceWaitForTheNode) {
  world_.Put(Serving("alone"));
  Pass(Contact::kLost);
  EXPECT_FALSE(world_.PodNamed("alone").metadata().has_deletion_timestamp());
  EXPECT_FALSE(IsTrue(world_.PodNamed("alone").status().conditions(), "Ready"));
  Pass(Contact::kReady);
  EXPECT_TRUE(IsTrue(world_.PodNamed("alone").status().conditions(), "Ready"));
  EXPECT_TRUE(Pass(Contact::kReady).empty());
}

TEST_F(NodeLifecycle, PressureBecomesATaintAndGoesWithIt) {
  const auto set_pressure = [this](v1::ConditionStatus status) {
    v1::Object node = world_.Find("nodes/n1")->object;
    auto* conditions = node.mutable_node()->mutable_status()->mutable_conditions();
    SetCondition({"MemoryPressure", status, "", ""}, kNow, conditions);
    SetCondition({"DiskPressure", v1::CONDITION_STATUS_FALSE, "", ""}, kNow, conditions);
    world_.Put(node);
  };
  v1::Object tainted = world_.Find("nodes/n1")->object;
  tainted.mutable_node()->mutable_spec()->add_taints()->set_key("of-the-user");
  world_.Put(tainted);
  set_pressure(v1::CONDITION_STATUS_TRUE);
  Pass(Contact::kReady);
  const auto taints = [this] { return world_.Find("nodes/n1")->object.node().spec().taints(); };
  ASSERT_EQ(taints().size(), 2);
  EXPECT_EQ(taints()[1].key(), "node.kubernetes.io/memory-pressure");
  EXPECT_EQ(taints()[1].effect(), v1::TAINT_EFFECT_NO_SCHEDULE);
  EXPECT_TRUE(Pass(Contact::kReady).empty());
  set_pressure(v1::CONDITION_STATUS_FALSE);
  Pass(Contact::kReady);
  ASSERT_EQ(taints().size(), 1);
  EXPECT_EQ(taints()[0].key(), "of-the-user");
}

TEST_F(NodeLifecycle, AnUnknownContactChangesNothing) {
  world_.Put(Serving("web-1").OwnedBy(set_));
  contacts_.clear();
  EXPECT_TRUE(
      ReconcileNodes(world_.view(), {kNow, absl::Seconds(60), &contacts_, &brake_}).empty());
}

TEST_F(NodeLifecycle, TheBrakeHoldsPodsOfLostNodes) {
  for (int i = 2; i <= 10; ++i) world_.Put(Node("n" + std::to_string(i)));
  for (int i = 1; i <= 6; ++i) contacts_["n" + std::to_string(i)].contact = Contact::kLost;
  world_.Put(Serving("web-1").OwnedBy(set_));
  Pass(Contact::kLost);
  EXPECT_FALSE(world_.PodNamed("web-1").metadata().has_deletion_timestamp());
  EXPECT_FALSE(IsTrue(world_.PodNamed("web-1").status().conditions(), "Ready"));
}

TEST_F(NodeLifecycle, PodsGoWithTheirNodeObject) {
  world_.Put(Serving("web-1").OwnedBy(set_));
  v1::Pod* pod = nullptr;
  v1::Object seen = world_.Find("pods/default/web-1")->object;
  pod = seen.mutable_pod();
  pod->mutable_status()->mutable_start_time()->set_seconds(1);
  world_.Put(seen);
  world_.Put(Pod("waits").On("never-joined"));
  world_.Remove("nodes/n1");
  Pass(Contact::kLost);
  EXPECT_EQ(world_.Find("pods/default/web-1"), nullptr);
  EXPECT_NE(world_.Find("pods/default/waits"), nullptr);
}

TEST_F(NodeLifecycle, Behaviour47WhatALostNodeTookIsADisruption) {
  world_.Put(Serving("web-1").OwnedBy(set_));
  Pass(Contact::kLost);
  const v1::Pod pod = world_.PodNamed("web-1");
  const v1::Condition* condition = FindCondition(pod.status().conditions(), "DisruptionTarget");
  ASSERT_NE(condition, nullptr);
  EXPECT_EQ(condition->status(), v1::CONDITION_STATUS_TRUE);
  EXPECT_EQ(condition->reason(), "DeletionByTaintManager");
}

TEST_F(NodeLifecycle, Behaviour47AHeldPodFailsWithItsNodeObjectAndStays) {
  world_.Put(Serving("work-1").OwnedBy(set_).Finalizer("batch.kubernetes.io/job-tracking"));
  v1::Object seen = world_.Find("pods/default/work-1")->object;
  seen.mutable_pod()->mutable_status()->mutable_start_time()->set_seconds(1);
  world_.Put(seen);
  world_.Remove("nodes/n1");
  Pass(Contact::kLost);
  const v1::Pod pod = world_.PodNamed("work-1");
  EXPECT_EQ(pod.status().phase(), v1::POD_PHASE_FAILED);
  EXPECT_TRUE(pod.metadata().has_deletion_timestamp());
  EXPECT_EQ(FindCondition(pod.status().conditions(), "DisruptionTarget")->reason(),
            "DeletionByPodGC");
  EXPECT_TRUE(Pass(Contact::kLost).writes.empty());
}

}  // namespace
}  // namespace cluster::controller
