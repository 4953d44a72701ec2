#include "gtest/gtest.h"

#include "proto/schema/kinds.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

class Status : public testing::Test {
 protected:
  void SetUp() override {
    FakeNode::Behaviour quiet;
    quiet.runs = false;
    node_->Behave(quiet);
    ASSERT_TRUE(node_->Attach().ok());
    ASSERT_TRUE(cluster_.WaitForNode("node1", true));
    v1::Object pod = MakePod("a");
    pod.mutable_pod()->mutable_spec()->set_node_name("node1");
    v1::ApplyResponse response;
    ASSERT_TRUE(cluster_.Apply({pod}, &response).ok());
    uid_ = Meta(response.results(0).object()).uid();
    ASSERT_TRUE(node_->WaitFor([](const FakeNode& node) { return node.Holds("a"); }));
  }

  // Sends a report and waits until the controller says that it is dealt with.
  void Report(int64_t sequence, v1::PodPhase phase, int restarts = 0) {
    v1::PodStatusUpdate update;
    update.set_uid(uid_);
    update.set_namespace_("default");
    update.set_name("a");
    update.set_sequence(sequence);
    update.mutable_status()->set_phase(phase);
    v1::ContainerStatus* container = update.mutable_status()->add_container_statuses();
    container->set_name("app");
    container->set_restart_count(restarts);
    node_->SendStatus(update);
    ASSERT_TRUE(node_->WaitFor(
        [](const FakeNode& node) { return node.status_acked() == node.batches_sent(); }));
  }

  v1::PodStatus Stored() {
    v1::Object pod;
    EXPECT_TRUE(cluster_.Get("Pod", "a", &pod).ok());
    return pod.pod().status();
  }

  TestCluster cluster_;
  std::unique_ptr<FakeNode> node_ = cluster_.MakeNode("node1");
  std::string uid_;
};

TEST_F(Status, Law2_PhasesOnlyMoveForward) {
  Report(1, v1::POD_PHASE_RUNNING);
  EXPECT_EQ(Stored().phase(), v1::POD_PHASE_RUNNING);
  Report(2, v1::POD_PHASE_PENDING);
  EXPECT_EQ(Stored().phase(), v1::POD_PHASE_RUNNING);
  Report(3, v1::POD_PHASE_SUCCEEDED);
  EXPECT_EQ(Stored().phase(), v1::POD_PHASE_SUCCEEDED);
  Report(4, v1::POD_PHASE_RUNNING);
  Report(5, v1::POD_PHASE_FAILED);
  EXPECT_EQ(Stored().phase(), v1::POD_PHASE_SUCCEEDED);
}

TEST_F(Status, Law1_TheNodeWritesTheStatusAndNothingElse) {
  v1::Object before;
  ASSERT_TRUE(cluster_.Get("Pod", "a", &before).ok());
  Report(1, v1::POD_PHASE_RUNNING);
  v1::Object after;
  ASSERT_TRUE(cluster_.Get("Pod", "a", &after).ok());
  EXPECT_EQ(after.pod().spec().SerializeAsString(), before.pod().spec().SerializeAsString());
  EXPECT_EQ(Meta(after).generation(), Meta(before).generation());
  // And a user's apply leaves the status as it is.
  v1::Object manifest = MakePod("a");
  (*MutableMeta(&manifest)->mutable_labels())["tier"] = "web";
  manifest.mutable_pod()->mutable_status()->set_phase(v1::POD_PHASE_FAILED);
  ASSERT_TRUE(cluster_.Apply({manifest}).ok());
  EXPECT_EQ(Stored().phase(), v1::POD_PHASE_RUNNING);
}

TEST_F(Status, AReportThatComesTwiceOrLateChangesNothing) {
  Report(1, v1::POD_PHASE_RUNNING, 0);
  Report(5, v1::POD_PHASE_RUNNING, 3);
  v1::Object before;
  ASSERT_TRUE(cluster_.Get("Pod", "a", &before).ok());
  Report(5, v1::POD_PHASE_RUNNING, 3);
  Report(3, v1::POD_PHASE_RUNNING, 2);
  Report(4, v1::POD_PHASE_SUCCEEDED, 2);
  v1::Object after;
  ASSERT_TRUE(cluster_.Get("Pod", "a", &after).ok());
  EXPECT_EQ(Meta(after).resource_version(), Meta(before).resource_version());
  EXPECT_EQ(Stored().container_statuses(0).restart_count(), 3);
}

TEST_F(Status, OneBatchOfManyReportsIsOneAnswer) {
  std::vector<v1::Object> pods;
  for (int i = 0; i < 200; ++i) {
    v1::Object pod = MakePod("p" + std::to_string(i));
    pod.mutable_pod()->mutable_spec()->set_node_name("node1");
    pods.push_back(pod);
  }
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster_.Apply(pods, &response).ok());
  v1::NodeMessage message;
  message.mutable_status()->set_sequence(1);
  for (const v1::ApplyResult& result : response.results()) {
    v1::PodStatusUpdate* update = message.mutable_status()->add_pods();
    update->set_uid(Meta(result.object()).uid());
    update->set_namespace_("default");
    update->set_name(Meta(result.object()).name());
    update->set_sequence(1);
    update->mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
  }
  node_->Send(message);
  ASSERT_TRUE(node_->WaitFor([](const FakeNode& node) { return node.status_acked() == 1; }));
  EXPECT_EQ(cluster_.List("Pod", "", "status.phase=Running").size(), 200u);
}

TEST_F(Status, AReportOfAPodThatIsGoneIsAnsweredWithItsRemoval) {
  v1::PodStatusUpdate update;
  update.set_uid("11111111-1111-4111-8111-111111111111");
  update.set_namespace_("default");
  update.set_name("nobody");
  update.set_sequence(1);
  update.mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
  node_->SendStatus(update);
  EXPECT_TRUE(node_->WaitFor([&](const FakeNode& node) {
    for (const v1::Assignments& message : node.received()) {
      for (const std::string& uid : message.removed()) {
        if (uid == update.uid()) return true;
      }
    }
    return false;
  }));
}

TEST_F(Status, EventsOfNodesAreCounted) {
  v1::NodeMessage message;
  v1::Event* event = message.mutable_status()->add_events();
  event->mutable_involved_object()->set_kind("Pod");
  event->mutable_involved_object()->set_namespace_("default");
  event->mutable_involved_object()->set_name("a");
  event->mutable_involved_object()->set_uid(uid_);
  event->set_type("Warning");
  event->set_reason("BackOff");
  event->set_message("Back-off restarting failed container");
  for (int i = 1; i <= 3; ++i) {
    message.mutable_status()->set_sequence(i);
    node_->Send(message);
  }
  EXPECT_TRUE(cluster_.WaitFor("Event", [](const auto& objects) {
    int found = 0;
    int count = 0;
    for (const auto& [key, object] : objects) {
      if (object.event().reason() != "BackOff") continue;
      ++found;
      count = object.event().count();
    }
    return found == 1 && count == 3;
  }));
}

// What the API writes and what the node reports meet on one object; nothing of either is lost.
TEST_F(Status, ReportsAndAppliesOfOnePodDoNotLoseEachOther) {
  for (int i = 1; i <= 50; ++i) {
    v1::Object manifest = MakePod("a");
    (*MutableMeta(&manifest)->mutable_labels())["round"] = std::to_string(i);
    v1::PodStatusUpdate update;
    update.set_uid(uid_);
    update.set_namespace_("default");
    update.set_name("a");
    update.set_sequence(i);
    update.mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
    update.mutable_status()->set_message(std::to_string(i));
    node_->SendStatus(update);
    ASSERT_TRUE(cluster_.Apply({manifest}).ok());
  }
  EXPECT_TRUE(cluster_.WaitFor("Pod", [](const auto& objects) {
    const v1::Pod& pod = objects.at("pods/default/a").pod();
    return pod.status().message() == "50" && pod.metadata().labels().at("round") == "50";
  }));
}

TEST_F(Status, APodThatIsGoneFromItsNodeHasFailedWhileSomethingHoldsIt) {
  node_->Behave({.runs = false, .ends = false});
  v1::Object held = MakePod("a");
  held.mutable_pod()->mutable_spec()->set_node_name("node1");
  MutableMeta(&held)->add_finalizers("example.com/hold");
  ASSERT_TRUE(cluster_.Apply({held}).ok());
  ASSERT_TRUE(cluster_.Delete("Pod", "a").ok());
  v1::PodStatusUpdate update;
  update.set_uid(uid_);
  update.set_namespace_("default");
  update.set_name("a");
  update.set_sequence(1);
  update.set_gone(true);
  update.mutable_status()->set_phase(v1::POD_PHASE_PENDING);
  node_->SendStatus(update);
  ASSERT_TRUE(node_->WaitFor([](const FakeNode& node) { return node.status_acked() == 1; }));
  EXPECT_EQ(Stored().phase(), v1::POD_PHASE_FAILED);
}

}  // namespace
}  // namespace cluster::controller
