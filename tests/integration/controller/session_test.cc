#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/object/object_fields.h"
#include "proto/schema/kinds.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

v1::Object PodOn(const std::string& node, const std::string& name) {
  v1::Object pod = MakePod(name);
  pod.mutable_pod()->mutable_spec()->set_node_name(node);
  return pod;
}

auto Holds(const std::string& pod) {
  return [pod](const FakeNode& node) { return node.Holds(pod); };
}

TEST(Session, ANodeIsMadeAtItsFirstHelloAndKeepsItsRange) {
  TestCluster cluster(Backend::kSqlite);
  auto first = cluster.MakeNode("node1");
  auto second = cluster.MakeNode("node2");
  ASSERT_TRUE(first->Attach().ok());
  ASSERT_TRUE(second->Attach().ok());
  const std::string range = first->welcome().pod_cidr();
  EXPECT_EQ(range, "10.64.0.0/22");
  EXPECT_EQ(second->welcome().pod_cidr(), "10.64.4.0/22");
  EXPECT_EQ(first->welcome().cluster_cidr(), "10.64.0.0/10");
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  v1::Object node;
  ASSERT_TRUE(cluster.Get("Node", "node1", &node).ok());
  EXPECT_EQ(node.node().spec().pod_cidr(), range);
  EXPECT_EQ(node.node().status().allocatable().at("cpu"), "4");
  cluster.Restart();
  ASSERT_TRUE(first->Attach().ok());
  EXPECT_EQ(first->welcome().pod_cidr(), range);
}

TEST(Session, NumbersGrowAndTheTermFencesThePast) {
  TestCluster cluster(Backend::kSqlite);
  auto node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  const v1::Welcome before = node->welcome();
  ASSERT_TRUE(node->Attach().ok());
  EXPECT_GT(node->welcome().session(), before.session());
  cluster.Restart();
  ASSERT_TRUE(node->Attach().ok());
  EXPECT_GT(node->welcome().session(), before.session());
  EXPECT_GT(node->welcome().term(), before.term());
}

TEST(Session, ASecondAgentOfTheSameNameIsRefused) {
  TestCluster cluster;
  auto node = cluster.MakeNode("node1");
  auto other = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  const grpc::Status refused = other->Attach();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_NE(refused.error_message().find("node1"), std::string::npos);
  EXPECT_TRUE(node->WaitFor([](const FakeNode& agent) { return agent.attached(); }));
  // Once the first is gone the name is free.
  node->Detach();
  grpc::Status taken = refused;
  EXPECT_TRUE(other->WaitFor([&](const FakeNode&) { return true; }));
  for (int i = 0; i < 100 && !taken.ok(); ++i) taken = other->Attach();
  EXPECT_TRUE(taken.ok()) << taken.error_message();
}

TEST(Session, ANodeOfAnotherMachineJoinsOverTcp) {
  TestCluster cluster;
  auto node = cluster.MakeRemoteNode("node1");
  const grpc::Status attached = node->Attach();
  ASSERT_TRUE(attached.ok()) << attached.error_message();
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  ASSERT_TRUE(cluster.Apply({PodOn("node1", "a")}).ok());
  EXPECT_TRUE(node->WaitFor(Holds("a")));
}

TEST(Session, ABadNodeNameIsRefused) {
  TestCluster cluster;
  auto node = cluster.MakeNode("Node_1");
  EXPECT_EQ(node->Attach().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(Session, AssignmentsComeCompleteThenAsChanges) {
  TestCluster cluster;
  auto node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  ASSERT_TRUE(cluster.Apply({PodOn("node1", "a")}).ok());
  ASSERT_TRUE(node->WaitFor(Holds("a")));
  ASSERT_TRUE(cluster.Apply({PodOn("node1", "b")}).ok());
  ASSERT_TRUE(node->WaitFor(Holds("b")));
  node->Detach();
  const auto& received = node->received();
  ASSERT_GE(received.size(), 3u);
  EXPECT_TRUE(received[0].complete());
  for (size_t i = 1; i < received.size(); ++i) {
    EXPECT_FALSE(received[i].complete());
    EXPECT_EQ(received[i].applies_to(), received[i - 1].results_in());
    // Only what changed.
    EXPECT_LE(received[i].assignments_size(), 1);
  }
}

TEST(Session, ANodeThatHoldsTheSameIsToldNothingAgain) {
  TestCluster cluster(Backend::kSqlite);
  auto node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  ASSERT_TRUE(cluster.Apply({PodOn("node1", "a")}).ok());
  ASSERT_TRUE(cluster.WaitFor("Pod", [](const auto& objects) {
    return objects.size() == 1 && IsReady(objects.begin()->second.pod());
  }));
  // Also over a restart of the controller: epochs are durable, and a report of the node's own does
  // not change them.
  for (int round = 0; round < 2; ++round) {
    node->Detach();
    const size_t before = node->received().size();
    if (round == 1) cluster.Restart();
    ASSERT_TRUE(node->Attach().ok());
    ASSERT_TRUE(
        node->WaitFor([&](const FakeNode& agent) { return agent.received().size() > before; }));
    node->Detach();
    EXPECT_FALSE(node->received()[before].complete());
    EXPECT_EQ(node->received()[before].assignments_size(), 0);
  }
}

TEST(Session, AReportDoesNotChangeTheEpochAndALabelDoes) {
  TestCluster cluster;
  auto node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  v1::Object pod = PodOn("node1", "a");
  ASSERT_TRUE(cluster.Apply({pod}).ok());
  ASSERT_TRUE(cluster.WaitFor("Pod", [](const auto& objects) {
    return objects.size() == 1 && IsReady(objects.begin()->second.pod());
  }));
  int64_t epoch = 0;
  ASSERT_TRUE(node->WaitFor([&](const FakeNode& agent) {
    epoch = agent.held().begin()->second.epoch;
    return true;
  }));
  (*MutableMeta(&pod)->mutable_labels())["tier"] = "web";
  ASSERT_TRUE(cluster.Apply({pod}).ok());
  ASSERT_TRUE(node->WaitFor(
      [&](const FakeNode& agent) { return agent.held().begin()->second.epoch > epoch; }));
  node->Detach();
  int told = 0;
  for (const v1::Assignments& message : node->received()) told += message.assignments_size();
  EXPECT_EQ(told, 2);
}

TEST(Session, ADisagreementEndsInACompleteList) {
  TestCluster cluster;
  auto node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  ASSERT_TRUE(cluster.Apply({PodOn("node1", "a")}).ok());
  ASSERT_TRUE(node->WaitFor(Holds("a")));
  const size_t before = [&] {
    size_t count = 0;
    node->WaitFor([&](const FakeNode& agent) {
      count = agent.received().size();
      return true;
    });
    return count;
  }();
  v1::NodeMessage resync;
  resync.mutable_assignments_ack()->set_resync(true);
  node->Send(resync);
  ASSERT_TRUE(node->WaitFor([&](const FakeNode& agent) {
    for (size_t i = before; i < agent.received().size(); ++i) {
      if (agent.received()[i].complete()) return agent.received()[i].assignments_size() == 1;
    }
    return false;
  }));
}

TEST(Session, AnAgentThatForgotEverythingGetsEverything) {
  TestCluster cluster;
  auto node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  ASSERT_TRUE(cluster.Apply({PodOn("node1", "a")}).ok());
  ASSERT_TRUE(cluster.WaitFor("Pod", [](const auto& objects) {
    return objects.size() == 1 && IsReady(objects.begin()->second.pod());
  }));
  node->Detach();
  node->WipeDisk();
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(node->WaitFor(Holds("a")));
  // Its sequences start anew, and its reports count all the same.
  v1::Object pod;
  ASSERT_TRUE(cluster.Get("Pod", "a", &pod).ok());
  v1::PodStatusUpdate update;
  update.set_uid(Meta(pod).uid());
  update.set_namespace_("default");
  update.set_name("a");
  update.set_sequence(2);
  update.mutable_status()->set_phase(v1::POD_PHASE_SUCCEEDED);
  node->SendStatus(update);
  EXPECT_TRUE(cluster.WaitFor("Pod", [](const auto& objects) {
    return objects.begin()->second.pod().status().phase() == v1::POD_PHASE_SUCCEEDED;
  }));
}

TEST(Session, ReferencesComeAlongAndAreRefreshed) {
  TestCluster cluster;
  auto node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  v1::Object pod = PodOn("node1", "a");
  pod.mutable_pod()
      ->mutable_spec()
      ->mutable_containers(0)
      ->add_env_from()
      ->mutable_config_map_ref()
      ->set_name("settings");
  ASSERT_TRUE(
      cluster.Apply({pod, MakeConfigMap("settings", "k", "1"), MakeConfigMap("other", "k", "1")})
          .ok());
  const auto shows = [](const std::string& value) {
    return [value](const FakeNode& agent) {
      if (agent.held().empty()) return false;
      const auto& references = agent.held().begin()->second.assignment.references();
      return references.size() == 1 && references[0].config_map().data().at("k") == value;
    };
  };
  ASSERT_TRUE(node->WaitFor(shows("1")));
  ASSERT_TRUE(cluster.Apply({MakeConfigMap("settings", "k", "2")}).ok());
  ASSERT_TRUE(node->WaitFor(shows("2")));
  // Also what changed while the node was away.
  node->Detach();
  ASSERT_TRUE(cluster.Apply({MakeConfigMap("settings", "k", "3")}).ok());
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(node->WaitFor(shows("3")));
}

TEST(Session, NodesKnowTheirPeers) {
  TestCluster cluster;
  auto first = cluster.MakeNode("node1");
  auto second = cluster.MakeNode("node2");
  ASSERT_TRUE(first->Attach().ok());
  ASSERT_TRUE(second->Attach().ok());
  ASSERT_TRUE(first->WaitFor([](const FakeNode& agent) {
    for (const v1::Assignments& message : agent.received()) {
      if (message.new_peers_size() != 1) continue;
      const v1::Peer& peer = message.new_peers(0);
      return peer.node() == "node2" && peer.address() == "192.0.2.2" &&
             peer.pod_cidr() == "10.64.4.0/22";
    }
    return false;
  }));
}

TEST(Session, ANodeThatFallsSilentIsLostThoughItsStreamStands) {
  TestCluster cluster;
  auto node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  FakeNode::Behaviour silent;
  silent.beats = false;
  node->Behave(silent);
  ASSERT_TRUE(cluster.WaitForNode("node1", false));
  node->Behave({});
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
}

TEST(Session, ADeclaredNodeWithoutAnAgentSaysSo) {
  TestCluster cluster;
  v1::Object node = NewObject(*FindKind("Node"));
  MutableMeta(&node)->set_name("node9");
  ASSERT_TRUE(cluster.Apply({node}).ok());
  EXPECT_TRUE(cluster.WaitFor("Node", [](const auto& objects) {
    for (const v1::Condition& condition : objects.at("nodes/node9").node().status().conditions()) {
      if (condition.type() == "Ready") return !condition.message().empty();
    }
    return false;
  }));
}

TEST(Session, AControllerThatStartsGivesEveryNodeAWholeLease) {
  SessionOptions patient = FastSessions();
  patient.beat = absl::Seconds(10);
  TestCluster cluster(Backend::kSqlite, patient);
  auto node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  node->Detach();
  cluster.Restart();
  // Something else happens, and node1 is still ready.
  auto other = cluster.MakeNode("node2");
  ASSERT_TRUE(other->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node2", true));
  v1::Object object;
  ASSERT_TRUE(cluster.Get("Node", "node1", &object).ok());
  EXPECT_TRUE(NodeIsReady(object.node()));
}

TEST(Session, APodThatIsForceDeletedOnALostNodeIsEndedWhenItComesBack) {
  TestCluster cluster;
  auto node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  ASSERT_TRUE(cluster.Apply({PodOn("node1", "a")}).ok());
  ASSERT_TRUE(node->WaitFor(Holds("a")));
  node->Detach();
  ASSERT_TRUE(cluster.WaitForNode("node1", false));
  ASSERT_TRUE(cluster.Delete("Pod", "a", 0).ok());
  EXPECT_TRUE(cluster.List("Pod").empty());
  ASSERT_TRUE(node->Attach().ok());
  EXPECT_TRUE(node->WaitFor([](const FakeNode& agent) { return !agent.Holds("a"); }));
  EXPECT_TRUE(cluster.WaitForNode("node1", true));
}

TEST(Session, DeletionOfABoundPodWaitsForTheNodeAndIsShortenedOnly) {
  TestCluster cluster;
  auto node = cluster.MakeNode("node1");
  FakeNode::Behaviour stubborn;
  stubborn.ends = false;
  node->Behave(stubborn);
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.WaitForNode("node1", true));
  ASSERT_TRUE(cluster.Apply({PodOn("node1", "a")}).ok());
  ASSERT_TRUE(node->WaitFor(Holds("a")));
  ASSERT_TRUE(cluster.Delete("Pod", "a", 60).ok());
  v1::Object pod;
  ASSERT_TRUE(cluster.Get("Pod", "a", &pod).ok());
  EXPECT_EQ(Meta(pod).deletion_grace_period_seconds(), 60);
  ASSERT_TRUE(cluster.Delete("Pod", "a", 120).ok());
  ASSERT_TRUE(cluster.Get("Pod", "a", &pod).ok());
  EXPECT_EQ(Meta(pod).deletion_grace_period_seconds(), 60);
  ASSERT_TRUE(cluster.Delete("Pod", "a", 1).ok());
  ASSERT_TRUE(cluster.Get("Pod", "a", &pod).ok());
  EXPECT_EQ(Meta(pod).deletion_grace_period_seconds(), 1);
  ASSERT_TRUE(node->WaitFor([](const FakeNode& agent) {
    const auto& meta = agent.held().begin()->second.assignment.pod().metadata();
    return meta.deletion_grace_period_seconds() == 1;
  }));
  v1::PodStatusUpdate gone;
  gone.set_uid(Meta(pod).uid());
  gone.set_namespace_("default");
  gone.set_name("a");
  gone.set_sequence(100);
  gone.set_gone(true);
  node->SendStatus(gone);
  EXPECT_TRUE(cluster.WaitFor("Pod", [](const auto& objects) { return objects.empty(); }));
}

}  // namespace
}  // namespace cluster::controller
