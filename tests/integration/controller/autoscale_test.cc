// Autoscalers over real gRPC: nodes that say what their pods use.
#include <atomic>
#include <map>

#include "gtest/gtest.h"

#include "base/clock.h"
#include "controller/object/replicas.h"
#include "controller/reconcile/conditions.h"
#include "proto/schema/kinds.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

using NodeStream = grpc::ClientReaderWriter<v1::NodeFrame, v1::ControllerFrame>;

// A node whose pods each use so many thousandths of a core.
class BusyNode {
 public:
  BusyNode(const TestCluster& cluster, const std::string& name)
      : name_(name), node_(cluster.MakeNode(name)) {
    FakeNode::Behaviour behaviour;
    behaviour.streams = [this](const v1::OpenStream& open, v1::NodeSession::Stub* stub) {
      if (open.has_stats()) Answer(open, stub);
    };
    node_->Behave(std::move(behaviour));
  }
  FakeNode& operator*() { return *node_; }
  void Use(int64_t milli) { milli_ = milli; }
  int asked() const { return asked_; }

 private:
  void Answer(const v1::OpenStream& open, v1::NodeSession::Stub* stub) {
    ++asked_;
    grpc::ClientContext context;
    const std::unique_ptr<NodeStream> stream = stub->DialBack(&context);
    v1::NodeFrame hello;
    hello.set_hello(open.stream_id());
    stream->Write(hello);
    v1::NodeFrame frame;
    frame.mutable_stats()->set_node(name_);
    node_->WaitFor([&](const FakeNode& node) {
      const absl::Duration now = RealClock()->Monotonic();
      if (last_ != absl::ZeroDuration()) {
        used_ += static_cast<int64_t>(absl::ToDoubleNanoseconds(now - last_)) * milli_ / 1000;
      }
      last_ = now;
      for (const auto& [uid, held] : node.held()) {
        v1::PodStats* pod = frame.mutable_stats()->add_pods();
        pod->set_uid(uid);
        pod->mutable_resources()->set_cpu_nanoseconds(used_);
      }
      return true;
    });
    stream->Write(frame);
    stream->WritesDone();
    v1::ControllerFrame rest;
    while (stream->Read(&rest)) {
    }
    stream->Finish();
  }

  const std::string name_;
  std::unique_ptr<FakeNode> node_;
  std::atomic<int64_t> milli_{0};
  std::atomic<int> asked_{0};
  // Under the node's own mutex.
  int64_t used_ = 0;
  absl::Duration last_;
};

v1::Object WebWithRequest(int replicas) {
  v1::Object object = DeploymentBuilder("web").Replicas(replicas).Build();
  auto* container = object.mutable_deployment()
                        ->mutable_spec()
                        ->mutable_template_()
                        ->mutable_spec()
                        ->mutable_containers(0);
  (*container->mutable_resources()->mutable_requests())["cpu"] = "500m";
  return object;
}

v1::Object Autoscaler() {
  v1::Object object = NewObject(*FindKind("hpa"));
  v1::HorizontalPodAutoscaler* autoscaler = object.mutable_horizontal_pod_autoscaler();
  autoscaler->mutable_metadata()->set_name("web");
  v1::HorizontalPodAutoscalerSpec* spec = autoscaler->mutable_spec();
  spec->mutable_scale_target_ref()->set_kind("Deployment");
  spec->mutable_scale_target_ref()->set_name("web");
  spec->set_max_replicas(3);
  v1::ScalingRules* down = spec->mutable_behavior()->mutable_scale_down();
  down->set_stabilization_window_seconds(0);
  return object;
}

class Autoscale : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE((*node_).Attach().ok());
    ASSERT_TRUE(cluster_.WaitForNode("node1", true));
  }
  bool WaitForReplicas(int replicas) {
    return cluster_.WaitFor("Deployment", [&](const auto& objects) {
      const auto found = objects.find("deployments/default/web");
      return found != objects.end() && ReplicasOf(found->second) == replicas;
    });
  }
  bool WaitForStatus(
      const std::function<bool(const v1::HorizontalPodAutoscalerStatus&)>& condition) {
    return cluster_.WaitFor("HorizontalPodAutoscaler", [&](const auto& objects) {
      const auto found = objects.find("horizontalpodautoscalers/default/web");
      return found != objects.end() &&
             condition(found->second.horizontal_pod_autoscaler().status());
    });
  }

  TestCluster cluster_;
  BusyNode node_{cluster_, "node1"};
};

TEST_F(Autoscale, UpAndDownAfterWhatThePodsUse) {
  node_.Use(2000);
  ASSERT_TRUE(cluster_.Apply({WebWithRequest(1), Autoscaler()}).ok());
  ASSERT_TRUE(WaitForReplicas(3));
  ASSERT_TRUE(cluster_.WaitForReady("web", 3));
  EXPECT_TRUE(WaitForStatus([](const auto& status) {
    return status.current_replicas() == 3 && status.has_last_scale_time() &&
           IsTrue(status.conditions(), "AbleToScale") &&
           IsTrue(status.conditions(), "ScalingActive") &&
           IsTrue(status.conditions(), "ScalingLimited");
  }));
  EXPECT_TRUE(cluster_.WaitFor("Event", [](const auto& objects) {
    for (const auto& [key, object] : objects) {
      if (object.event().reason() == "SuccessfulRescale" &&
          object.event().involved_object().kind() == "HorizontalPodAutoscaler") {
        return true;
      }
    }
    return false;
  }));
  node_.Use(0);
  EXPECT_TRUE(WaitForReplicas(1));
}

TEST_F(Autoscale, AManifestWithoutReplicasKeepsThem) {
  v1::Object autoscaler = Autoscaler();
  autoscaler.mutable_horizontal_pod_autoscaler()->mutable_spec()->set_min_replicas(2);
  v1::Object web = WebWithRequest(1);
  web.mutable_deployment()->mutable_spec()->clear_replicas();
  ASSERT_TRUE(cluster_.Apply({web, autoscaler}).ok());
  ASSERT_TRUE(WaitForReplicas(2));
  (*MutableMeta(&web)->mutable_labels())["team"] = "a";
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster_.Apply({web}, &response).ok());
  EXPECT_EQ(response.results(0).outcome(), v1::APPLY_OUTCOME_CONFIGURED);
  EXPECT_EQ(ReplicasOf(response.results(0).object()), 2);
}

TEST_F(Autoscale, OnlyNodesThatRunPodsOfATargetAreAsked) {
  BusyNode idle(cluster_, "node2");
  ASSERT_TRUE((*idle).Attach().ok());
  ASSERT_TRUE(cluster_.WaitForNode("node2", true));
  v1::Object web = WebWithRequest(1);
  auto* spec = web.mutable_deployment()->mutable_spec()->mutable_template_()->mutable_spec();
  spec->set_node_name("node1");
  ASSERT_TRUE(cluster_.Apply({web}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 1));
  EXPECT_EQ(node_.asked(), 0) << "nobody wants to know";
  ASSERT_TRUE(cluster_.Apply({Autoscaler()}).ok());
  ASSERT_TRUE(WaitForStatus([](const auto& status) { return status.current_metrics_size() == 1; }));
  EXPECT_GE(node_.asked(), 2);
  EXPECT_EQ(idle.asked(), 0);
}

TEST_F(Autoscale, ANodeThatDoesNotAnswerLeavesItsPodsUnknown) {
  FakeNode::Behaviour deaf;
  deaf.streams = [](const v1::OpenStream&, v1::NodeSession::Stub*) {};
  (*node_).Behave(deaf);
  ASSERT_TRUE(cluster_.Apply({WebWithRequest(1), Autoscaler()}).ok());
  EXPECT_TRUE(WaitForStatus([](const auto& status) {
    const v1::Condition* active = FindCondition(status.conditions(), "ScalingActive");
    return active != nullptr && active->reason() == "FailedGetResourceMetric";
  }));
  EXPECT_TRUE(WaitForReplicas(1));
}

}  // namespace
}  // namespace cluster::controller
