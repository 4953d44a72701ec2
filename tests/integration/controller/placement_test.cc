// Evictions within budgets, priorities, and what is said about where pods go, over gRPC.
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/kinds.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

using ::testing::HasSubstr;

class PlacementApi : public testing::Test {
 protected:
  void AttachNodes(int count) {
    for (int i = 1; i <= count; ++i) {
      nodes_.push_back(cluster_.MakeNode(absl::StrCat("node", i)));
      const grpc::Status attached = nodes_.back()->Attach();
      ASSERT_TRUE(attached.ok()) << attached.error_message();
      ASSERT_TRUE(cluster_.WaitForNode(absl::StrCat("node", i), true));
    }
  }

  static v1::Object Budget(const std::string& most_down) {
    v1::Object object = NewObject(*FindKind("PodDisruptionBudget"));
    MutableMeta(&object)->set_name("web");
    auto* spec = object.mutable_pod_disruption_budget()->mutable_spec();
    spec->set_max_unavailable(most_down);
    (*spec->mutable_selector()->mutable_match_labels())["app"] = "web";
    return object;
  }

  static v1::Object Class(const std::string& name, int value) {
    v1::Object object = NewObject(*FindKind("PriorityClass"));
    MutableMeta(&object)->set_name(name);
    object.mutable_priority_class()->set_value(value);
    return object;
  }

  static v1::Object Asking(const std::string& name, const std::string& cpu,
                           const std::string& priority_class = "") {
    v1::Object object = MakePod(name);
    v1::PodSpec* spec = object.mutable_pod()->mutable_spec();
    (*spec->mutable_containers(0)->mutable_resources()->mutable_requests())["cpu"] = cpu;
    spec->set_priority_class_name(priority_class);
    return object;
  }

  grpc::Status Evict(const std::string& pod) {
    grpc::ClientContext context;
    v1::EvictRequest request;
    request.set_namespace_("default");
    request.set_pod(pod);
    v1::EvictResponse response;
    return cluster_.api()->Evict(&context, request, &response);
  }

  bool WaitForAllowed(int disruptions) {
    return cluster_.WaitFor("PodDisruptionBudget", [=](const auto& objects) {
      const auto found = objects.find("poddisruptionbudgets/default/web");
      return found != objects.end() &&
             found->second.pod_disruption_budget().status().observed_generation() > 0 &&
             found->second.pod_disruption_budget().status().disruptions_allowed() == disruptions;
    });
  }

  bool WaitForPod(const std::string& name, const std::function<bool(const v1::Pod&)>& condition) {
    return cluster_.WaitFor("Pod", [&](const auto& objects) {
      const auto found = objects.find("pods/default/" + name);
      return found != objects.end() && condition(found->second.pod());
    });
  }

  TestCluster cluster_;
  std::vector<std::unique_ptr<FakeNode>> nodes_;
};

TEST_F(PlacementApi, Behaviour38AnEvictionThatBreaksTheBudgetIsRefusedUntilTheBudgetAllowsIt) {
  AttachNodes(2);
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(2).Build(), Budget("0")}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 2));
  ASSERT_TRUE(WaitForAllowed(0));
  const std::string pod = Meta(cluster_.List("Pod")[0]).name();
  const grpc::Status refused = Evict(pod);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.error_message(),
            "Cannot evict pod as it would violate the pod's disruption budget: web allows 0 "
            "disruptions now, it needs 2 healthy pods and has 2 currently");
  ASSERT_TRUE(cluster_.Apply({Budget("1")}).ok());
  ASSERT_TRUE(WaitForAllowed(1));
  const grpc::Status allowed = Evict(pod);
  EXPECT_TRUE(allowed.ok()) << allowed.error_message();
  EXPECT_TRUE(cluster_.WaitFor(
      "Pod", [&](const auto& objects) { return !objects.contains("pods/default/" + pod); }));
}

TEST_F(PlacementApi, AShortManifestOfANodeLeavesItTheLabelsOfItsAgent) {
  AttachNodes(1);
  v1::Object node = NewObject(*FindKind("Node"));
  MutableMeta(&node)->set_name("node1");
  (*MutableMeta(&node)->mutable_labels())["disk"] = "ssd";
  v1::Taint* taint = node.mutable_node()->mutable_spec()->add_taints();
  taint->set_key("full");
  taint->set_effect(v1::TAINT_EFFECT_NO_SCHEDULE);
  ASSERT_TRUE(cluster_.Apply({node}).ok());
  const v1::Object stored = cluster_.List("Node").at(0);
  EXPECT_EQ(stored.node().spec().taints_size(), 1);
  EXPECT_EQ(Meta(stored).labels().at("disk"), "ssd");
  EXPECT_EQ(Meta(stored).labels().at("kubernetes.io/hostname"), "node1");
}

TEST_F(PlacementApi, OfTwoEvictionsTheSecondSeesWhatTheFirstHasLeft) {
  AttachNodes(2);
  // Nothing ends or is replaced, so that only the eviction itself can tell the second.
  for (const auto& node : nodes_) node->Behave({.ends = false});
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(2).Build(), Budget("1")}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 2));
  ASSERT_TRUE(WaitForAllowed(1));
  const std::vector<v1::Object> pods = cluster_.List("Pod");
  EXPECT_TRUE(Evict(Meta(pods.at(0)).name()).ok());
  EXPECT_EQ(Evict(Meta(pods.at(1)).name()).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(PlacementApi, APodGetsThePriorityOfItsClassOrIsRefused) {
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster_.Apply({Asking("urgent", "1", "high"), Class("high", 1000)}, &response).ok())
      << "the class may stand after the pod";
  const v1::PodSpec& spec = response.results(0).object().pod().spec();
  EXPECT_EQ(spec.priority(), 1000);
  EXPECT_EQ(spec.preemption_policy(), v1::PREEMPTION_POLICY_PREEMPT_LOWER_PRIORITY);
  ASSERT_TRUE(cluster_.Apply({Asking("urgent", "1", "high")}, &response).ok());
  EXPECT_EQ(response.results(0).outcome(), v1::APPLY_OUTCOME_UNCHANGED);
  const grpc::Status refused = cluster_.Apply({Asking("other", "1", "none")});
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("no PriorityClass with name none was found"));
  v1::Object default_class = Class("normal", 1);
  default_class.mutable_priority_class()->set_global_default(true);
  ASSERT_TRUE(cluster_.Apply({default_class}).ok());
  ASSERT_TRUE(cluster_.Apply({Asking("plain", "1")}, &response).ok());
  EXPECT_EQ(response.results(0).object().pod().spec().priority(), 1);
  MutableMeta(&default_class)->set_name("second");
  EXPECT_THAT(cluster_.Apply({default_class}).error_message(),
              HasSubstr("normal is the default already"));
}

TEST_F(PlacementApi, TheSystemsClassesAreThereAndStay) {
  v1::Object object;
  ASSERT_TRUE(cluster_.Get("PriorityClass", "system-node-critical", &object, "").ok());
  EXPECT_EQ(object.priority_class().value(), 2000001000);
  EXPECT_EQ(cluster_.Delete("PriorityClass", "system-node-critical").error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(PlacementApi, Behaviour52AHigherPodTakesTheRoomOfALower) {
  AttachNodes(1);
  ASSERT_TRUE(cluster_.Apply({Class("high", 1000), Asking("low", "3")}).ok());
  ASSERT_TRUE(WaitForPod("low", [](const v1::Pod& pod) { return IsReady(pod); }));
  ASSERT_TRUE(cluster_.Apply({Asking("urgent", "3", "high")}).ok());
  EXPECT_TRUE(WaitForPod("urgent", [](const v1::Pod& pod) { return IsReady(pod); }));
  EXPECT_TRUE(cluster_.WaitFor(
      "Pod", [](const auto& objects) { return !objects.contains("pods/default/low"); }));
}

TEST_F(PlacementApi, WhySaysWhatLacksOnEveryNode) {
  AttachNodes(1);
  ASSERT_TRUE(cluster_.Apply({Asking("huge", "100")}).ok());
  grpc::ClientContext context;
  v1::WhyRequest request;
  request.set_namespace_("default");
  request.set_pod("huge");
  v1::WhyResponse why;
  ASSERT_TRUE(cluster_.api()->Why(&context, request, &why).ok());
  ASSERT_EQ(why.nodes_size(), 1);
  ASSERT_EQ(why.nodes(0).failed_size(), 1);
  EXPECT_EQ(why.nodes(0).failed(0).rule(), "Insufficient cpu");
  EXPECT_FALSE(why.nodes(0).failed(0).lacking().empty());
  EXPECT_THAT(why.summary(), HasSubstr("0/1 nodes are available: 1 Insufficient cpu"));
}

TEST_F(PlacementApi, PlanSaysWhatAnApplyWouldDoAndWritesNothing) {
  AttachNodes(2);
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(2).Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 2));
  grpc::ClientContext context;
  v1::PlanRequest request;
  *request.add_objects() = DeploymentBuilder("web").Replicas(4).Image("app:2").Build();
  *request.add_objects() = Asking("huge", "100");
  v1::PlanResponse plan;
  const grpc::Status status = cluster_.api()->Plan(&context, request, &plan);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(plan.objects_size(), 2);
  EXPECT_EQ(plan.objects(0).outcome(), v1::APPLY_OUTCOME_CONFIGURED);
  EXPECT_THAT(plan.objects(0).changes(),
              testing::ElementsAre("spec.replicas", "spec.template.spec.containers[0].image"));
  EXPECT_EQ(plan.objects(1).outcome(), v1::APPLY_OUTCOME_CREATED);
  ASSERT_EQ(plan.pods_size(), 2);
  EXPECT_EQ(plan.pods(0).workload(), "deployment/web");
  EXPECT_EQ(plan.pods(0).ended(), 2);
  int placed = 0;
  for (const v1::PodsOnNode& each : plan.pods(0).placed()) placed += each.count();
  EXPECT_EQ(placed, 4);
  EXPECT_EQ(plan.pods(1).workload(), "pod/huge");
  EXPECT_EQ(plan.pods(1).unplaced(), 1);
  EXPECT_THAT(plan.pods(1).reason(), HasSubstr("Insufficient cpu"));
  v1::Object object;
  EXPECT_EQ(cluster_.Get("Pod", "huge", &object).error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(cluster_.Get("Deployment", "web", &object).ok());
  EXPECT_EQ(object.deployment().spec().replicas(), 2);
}

TEST_F(PlacementApi, RebalanceMovesPodsToANodeThatCameLater) {
  AttachNodes(1);
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(4).Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 4));
  nodes_.push_back(cluster_.MakeNode("node2"));
  ASSERT_TRUE(nodes_.back()->Attach().ok());
  ASSERT_TRUE(cluster_.WaitForNode("node2", true));
  grpc::ClientContext context;
  v1::RebalanceResponse plan;
  ASSERT_TRUE(cluster_.api()->Rebalance(&context, v1::RebalanceRequest(), &plan).ok());
  ASSERT_EQ(plan.moves_size(), 2);
  EXPECT_EQ(plan.moves(0).from(), "node1");
  EXPECT_EQ(plan.moves(0).to(), "node2");
  EXPECT_EQ(plan.moves(0).held_back(), "");
  EXPECT_EQ(plan.moves(1).held_back(), "a quarter of the workload (1) is on the move");
  ASSERT_TRUE(Evict(plan.moves(0).pod()).ok());
  EXPECT_TRUE(cluster_.WaitFor("Pod", [](const auto& objects) {
    int there = 0;
    for (const auto& [key, object] : objects) {
      if (object.pod().spec().node_name() == "node2" && IsReady(object.pod())) ++there;
    }
    return there == 1;
  }));
}

}  // namespace
}  // namespace cluster::controller
