#include <algorithm>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "proto/schema/kinds.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

class Workload : public testing::TestWithParam<Backend> {
 protected:
  void AttachNodes(int count) {
    for (int i = 1; i <= count; ++i) {
      nodes_.push_back(cluster_.MakeNode(absl::StrCat("node", i)));
      const grpc::Status attached = nodes_.back()->Attach();
      ASSERT_TRUE(attached.ok()) << attached.error_message();
      ASSERT_TRUE(cluster_.WaitForNode(absl::StrCat("node", i), true));
    }
  }

  TestCluster cluster_{GetParam()};
  std::vector<std::unique_ptr<FakeNode>> nodes_;
};
INSTANTIATE_TEST_SUITE_P(Stores, Workload, testing::Values(Backend::kMemory, Backend::kSqlite),
                         [](const auto& each) {
                           return each.param == Backend::kMemory ? "Memory" : "Sqlite";
                         });

std::string NodeOf(const v1::Object& object) { return object.pod().spec().node_name(); }

TEST_P(Workload, ADeploymentOfThreeRunsOnThreeNodes) {
  AttachNodes(3);
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(3).Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 3));
  std::set<std::string> used;
  for (const v1::Object& pod : cluster_.List("Pod")) used.insert(NodeOf(pod));
  EXPECT_EQ(used.size(), 3u);
  EXPECT_TRUE(cluster_.WaitFor("Deployment", [](const auto& objects) {
    const auto found = objects.find("deployments/default/web");
    return found != objects.end() && found->second.deployment().status().available_replicas() == 3;
  }));
}

TEST_P(Workload, Behaviour1_APodIsAddedModifiedAndDeletedForAWatcher) {
  AttachNodes(1);
  grpc::ClientContext context;
  v1::WatchRequest request;
  request.set_kind("Pod");
  request.set_from_revision(1);
  const auto stream = cluster_.api()->Watch(&context, request);
  v1::Object pod = MakePod("one");
  (*MutableMeta(&pod)->mutable_labels())["time"] = "now";
  ASSERT_TRUE(cluster_.Apply({pod}).ok());
  ASSERT_TRUE(cluster_.WaitFor("Pod", [](const auto& objects) {
    const auto found = objects.find("pods/default/one");
    return found != objects.end() && IsReady(found->second.pod());
  }));
  ASSERT_EQ(cluster_.List("Pod", "time=now").size(), 1u);
  EXPECT_EQ(Meta(cluster_.List("Pod", "time=now")[0]).name(), "one");
  EXPECT_TRUE(cluster_.List("Pod", "time=then").empty());
  ASSERT_TRUE(cluster_.Delete("Pod", "one").ok());
  std::vector<std::string> story;
  v1::WatchEvent event;
  while (stream->Read(&event)) {
    if (event.type() == v1::WATCH_EVENT_TYPE_ADDED) story.push_back("added");
    if (event.type() == v1::WATCH_EVENT_TYPE_MODIFIED &&
        Meta(event.object()).has_deletion_timestamp() && story.back() != "ending") {
      story.push_back("ending");
    }
    if (event.type() == v1::WATCH_EVENT_TYPE_DELETED) {
      story.push_back("deleted");
      break;
    }
  }
  context.TryCancel();
  EXPECT_EQ(story, (std::vector<std::string>{"added", "ending", "deleted"}));
  EXPECT_TRUE(cluster_.List("Pod", "time=now").empty());
}

TEST_P(Workload, Behaviour32_ADeletedPodIsReplaced) {
  AttachNodes(2);
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(2).Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 2));
  const std::string victim = Meta(cluster_.List("Pod")[0]).name();
  ASSERT_TRUE(cluster_.Delete("Pod", victim).ok());
  EXPECT_TRUE(cluster_.WaitFor(
      "Pod", [&](const auto& objects) { return !objects.contains("pods/default/" + victim); }));
  EXPECT_TRUE(cluster_.WaitForReady("web", 2));
}

// Pods of a rollout to app:2, as a watch tells of them.
class SeenRollout {
 public:
  void See(const v1::WatchEvent& event) {
    const std::string key = Key(event.object());
    if (event.type() == v1::WATCH_EVENT_TYPE_DELETED) {
      pods_.erase(key);
    } else {
      pods_[key] = event.object();
    }
    alive_ = available_ = fresh_ = 0;
    for (const auto& [name, pod] : pods_) {
      if (Meta(pod).has_deletion_timestamp()) continue;
      ++alive_;
      if (!IsReady(pod.pod())) continue;
      ++available_;
      if (pod.pod().spec().containers(0).image() == "app:2") ++fresh_;
    }
  }
  int alive() const { return alive_; }
  int available() const { return available_; }
  int fresh() const { return fresh_; }

 private:
  std::map<std::string, v1::Object> pods_;
  int alive_ = 0;
  int available_ = 0;
  int fresh_ = 0;
};

// Behaviour33: never fewer available than replicas - maxUnavailable, never more than replicas +
// maxSurge; seen by a watch over the whole rollout.
TEST_P(Workload, Behaviour33_ARollingUpdateKeepsItsBounds) {
  AttachNodes(3);
  const auto deployment = [](const std::string& image) {
    return DeploymentBuilder("web").Replicas(4).Rolling("1", "1").Image(image).Build();
  };
  ASSERT_TRUE(cluster_.Apply({deployment("app:1")}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 4));
  grpc::ClientContext context;
  v1::WatchRequest request;
  request.set_kind("Pod");
  const auto stream = cluster_.api()->Watch(&context, request);
  ASSERT_TRUE(cluster_.Apply({deployment("app:2")}).ok());
  SeenRollout seen;
  v1::WatchEvent event;
  bool complete = false;
  while (seen.fresh() < 4 && stream->Read(&event)) {
    seen.See(event);
    complete |= event.revision() > 0;
    if (!complete) continue;
    EXPECT_LE(seen.alive(), 5);
    EXPECT_GE(seen.available(), 3);
  }
  context.TryCancel();
  EXPECT_EQ(seen.fresh(), 4);
  EXPECT_TRUE(cluster_.WaitForReady("web", 4));
}

TEST_P(Workload, UndoPutsTheOldTemplateBack) {
  AttachNodes(1);
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(1).Image("app:1").Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 1));
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(1).Image("app:2").Build()}).ok());
  const auto runs = [](const std::string& image) {
    return [image](const std::map<std::string, v1::Object>& objects) {
      return objects.size() == 1 && IsReady(objects.begin()->second.pod()) &&
             objects.begin()->second.pod().spec().containers(0).image() == image;
    };
  };
  ASSERT_TRUE(cluster_.WaitFor("Pod", runs("app:2")));
  grpc::ClientContext context;
  v1::UndoRequest request;
  request.set_kind("Deployment");
  request.set_name("web");
  v1::UndoResponse response;
  const grpc::Status undone = cluster_.api()->Undo(&context, request, &response);
  ASSERT_TRUE(undone.ok()) << undone.error_message();
  EXPECT_EQ(response.from_history(), 1);
  EXPECT_TRUE(cluster_.WaitFor("Pod", runs("app:1")));
}

TEST_P(Workload, RolloutsArePausedResumedAndRestarted) {
  AttachNodes(1);
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(1).Image("app:1").Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 1));
  const auto edit = [this](v1::RolloutAction action, const std::string& kind = "Deployment") {
    grpc::ClientContext context;
    v1::RolloutRequest request;
    request.set_kind(kind);
    request.set_name("web");
    request.set_action(action);
    v1::RolloutResponse response;
    return cluster_.api()->Rollout(&context, request, &response);
  };
  ASSERT_TRUE(edit(v1::ROLLOUT_ACTION_PAUSE).ok());
  EXPECT_EQ(edit(v1::ROLLOUT_ACTION_PAUSE).error_message(), "deployment/web is paused already");
  EXPECT_EQ(edit(v1::ROLLOUT_ACTION_RESTART).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_TRUE(edit(v1::ROLLOUT_ACTION_RESUME).ok());
  EXPECT_EQ(edit(v1::ROLLOUT_ACTION_RESUME).error_message(), "deployment/web is not paused");
  EXPECT_EQ(edit(v1::ROLLOUT_ACTION_UNSPECIFIED).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(edit(v1::ROLLOUT_ACTION_RESTART, "DaemonSet").error_code(),
            grpc::StatusCode::NOT_FOUND);

  ASSERT_TRUE(edit(v1::ROLLOUT_ACTION_RESTART).ok());
  EXPECT_TRUE(cluster_.WaitFor("Pod", [](const std::map<std::string, v1::Object>& objects) {
    return objects.size() == 1 && IsReady(objects.begin()->second.pod()) &&
           Meta(objects.begin()->second)
               .annotations()
               .contains("kubectl.kubernetes.io/restartedAt");
  }));
}

// Behaviour85: what a lost node ran is running elsewhere; what is left of it there ends before the
// node counts again.
TEST_P(Workload, Behaviour85_PodsOfALostNodeAreReplacedAndItsCopiesEndBeforeItIsReady) {
  AttachNodes(2);
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(2).Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 2));
  FakeNode& lost = *nodes_[1];
  lost.Detach();
  ASSERT_TRUE(cluster_.WaitForNode("node2", false));
  ASSERT_TRUE(cluster_.WaitForReady("web", 2));
  for (const v1::Object& pod : cluster_.List("Pod")) {
    if (Meta(pod).has_deletion_timestamp()) continue;
    EXPECT_EQ(NodeOf(pod), "node1");
  }
  ASSERT_EQ(lost.held().size(), 1u);
  const std::string stale = lost.held().begin()->second.assignment.pod().metadata().name();
  // It comes back, but cannot end the copy yet.
  FakeNode::Behaviour stubborn;
  stubborn.ends = false;
  lost.Behave(stubborn);
  ASSERT_TRUE(lost.Attach().ok());
  std::string stale_uid;
  ASSERT_TRUE(lost.WaitFor([&](const FakeNode& node) {
    for (const auto& [uid, held] : node.held()) {
      if (held.assignment.pod().metadata().has_deletion_timestamp()) stale_uid = uid;
    }
    return !stale_uid.empty();
  }));
  // Whenever the node is ready, the copy is gone.
  std::vector<std::thread> threads;
  bool ready_with_copy = false;
  threads.emplace_back([&] {
    cluster_.WaitFor("Node", [&](const auto& objects) {
      const v1::Object& node = objects.at("nodes/node2");
      for (const v1::Condition& condition : node.node().status().conditions()) {
        if (condition.type() != "Ready" || condition.status() != v1::CONDITION_STATUS_TRUE)
          continue;
        v1::Object pod;
        ready_with_copy = cluster_.Get("Pod", stale, &pod).ok();
        return true;
      }
      return false;
    });
  });
  lost.Behave({});
  v1::PodStatusUpdate gone;
  gone.set_uid(stale_uid);
  gone.set_namespace_("default");
  gone.set_name(stale);
  gone.set_sequence(1000);
  gone.set_gone(true);
  lost.SendStatus(gone);
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(ready_with_copy);
  EXPECT_TRUE(cluster_.WaitForNode("node2", true));
  EXPECT_TRUE(lost.WaitFor([&](const FakeNode& node) { return !node.Holds(stale); }));
}

// Law 3: hints may be lost; the state alone decides. A controller that was not there while its
// nodes and objects changed ends in the same state.
TEST(WorkloadOverRestarts, Law3_LevelTriggered) {
  TestCluster cluster(Backend::kSqlite);
  std::unique_ptr<FakeNode> node = cluster.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster.Apply({DeploymentBuilder("web").Replicas(3).Build()}).ok());
  ASSERT_TRUE(cluster.WaitForReady("web", 3));
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(cluster.Apply({DeploymentBuilder("web").Replicas(2 + round).Build()}).ok());
    cluster.Restart();
    ASSERT_TRUE(node->Attach().ok());
    EXPECT_TRUE(cluster.WaitForReady("web", 2 + round)) << round;
  }
}

// The watch goes on where it was, so it sees every revision, the last one again, of which there may
// be more; the controller is another after a few.
TEST(WorkloadOverRestarts, Behaviour83_ARolloutGoesOnOverRestartsWithinItsBounds) {
  TestCluster cluster(Backend::kSqlite);
  std::vector<std::unique_ptr<FakeNode>> nodes;
  for (const char* name : {"node1", "node2", "node3"}) {
    nodes.push_back(cluster.MakeNode(name));
    ASSERT_TRUE(nodes.back()->Attach().ok());
  }
  const auto deployment = [](const std::string& image) {
    v1::Object web = DeploymentBuilder("web").Replicas(4).Rolling("1", "1").Image(image).Build();
    // So that it is under way for a while.
    web.mutable_deployment()->mutable_spec()->set_min_ready_seconds(1);
    return web;
  };
  ASSERT_TRUE(cluster.Apply({deployment("app:1")}).ok());
  ASSERT_TRUE(cluster.WaitForReady("web", 4));
  SeenRollout seen;
  int64_t from = 1;
  int restarts = 0;
  bool was_full = false;  // before the rollout there are fewer
  ASSERT_TRUE(cluster.Apply({deployment("app:2")}).ok());
  while (seen.fresh() < 4) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    v1::WatchRequest request;
    request.set_kind("Pod");
    request.set_from_revision(from);
    const auto stream = cluster.api()->Watch(&context, request);
    v1::WatchEvent event;
    // Of a new revision, too, however many there were of the last one.
    const int64_t before = from + 1;
    for (int i = 0; (i < 5 || event.revision() <= before) && seen.fresh() < 4; ++i) {
      ASSERT_TRUE(stream->Read(&event)) << seen.fresh() << " are new after revision " << from;
      seen.See(event);
      from = event.revision() - 1;
      was_full |= seen.available() == 4;
      EXPECT_LE(seen.alive(), 5) << "revision " << from;
      if (was_full) {
        EXPECT_GE(seen.available(), 3) << "revision " << from;
      }
    }
    context.TryCancel();
    if (seen.fresh() == 4) break;
    cluster.Restart();
    ++restarts;
    for (const auto& node : nodes) ASSERT_TRUE(node->Attach().ok());
  }
  EXPECT_GE(restarts, 3);
  EXPECT_TRUE(cluster.WaitForReady("web", 4));
}

// Law 9: nothing is over-committed, in no revision that a watch can see.
TEST_P(Workload, Law9_NothingIsOverCommitted) {
  AttachNodes(2);
  v1::Object deployment = DeploymentBuilder("big").Replicas(12).Build();
  auto* requests = deployment.mutable_deployment()
                       ->mutable_spec()
                       ->mutable_template_()
                       ->mutable_spec()
                       ->mutable_containers(0)
                       ->mutable_resources()
                       ->mutable_requests();
  (*requests)["cpu"] = "1";
  grpc::ClientContext context;
  v1::WatchRequest request;
  request.set_kind("Pod");
  request.set_from_revision(1);
  const auto stream = cluster_.api()->Watch(&context, request);
  ASSERT_TRUE(cluster_.Apply({deployment}).ok());
  // Two nodes of four cores run eight of twelve.
  ASSERT_TRUE(cluster_.WaitForReady("big", 8));
  std::map<std::string, std::string> placed;
  v1::WatchEvent event;
  size_t ready = 0;
  std::set<std::string> ready_pods;
  while (ready < 8 && stream->Read(&event)) {
    placed[Key(event.object())] = NodeOf(event.object());
    // Those of a node that was lost for a while are replaced.
    if (event.type() == v1::WATCH_EVENT_TYPE_DELETED) placed.erase(Key(event.object()));
    std::map<std::string, int> used;
    for (const auto& [key, node] : placed) {
      if (node.empty()) continue;
      EXPECT_LE(++used[node], 4) << node;
    }
    if (IsReady(event.object().pod())) ready_pods.insert(Key(event.object()));
    ready = ready_pods.size();
  }
  context.TryCancel();
}

TEST_P(Workload, AHundredReplicasAreReadyAndGoAgain) {
  AttachNodes(3);
  const absl::Time begin = absl::Now();
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("many").Replicas(100).Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("many", 100));
  RecordProperty("ready_milliseconds",
                 static_cast<int>(absl::ToInt64Milliseconds(absl::Now() - begin)));
  ASSERT_TRUE(cluster_.Delete("Deployment", "many").ok());
  EXPECT_TRUE(cluster_.WaitFor("Pod", [](const auto& objects) { return objects.empty(); }));
  EXPECT_TRUE(cluster_.List("ReplicaSet").empty());
}

TEST_P(Workload, ForegroundDeletionTakesTheOwnerLast) {
  AttachNodes(1);
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(2).Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 2));
  grpc::ClientContext context;
  v1::DeleteRequest request;
  request.set_kind("Deployment");
  request.set_name("web");
  request.set_propagation(v1::PROPAGATION_FOREGROUND);
  v1::DeleteResponse response;
  ASSERT_TRUE(cluster_.api()->Delete(&context, request, &response).ok());
  EXPECT_FALSE(response.gone());
  EXPECT_TRUE(cluster_.WaitFor("Deployment", [](const auto& objects) { return objects.empty(); }));
  EXPECT_TRUE(cluster_.List("Pod").empty());
  EXPECT_TRUE(cluster_.List("ReplicaSet").empty());
}

TEST_P(Workload, OrphansStayAndKeepRunning) {
  AttachNodes(1);
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(2).Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 2));
  grpc::ClientContext context;
  v1::DeleteRequest request;
  request.set_kind("Deployment");
  request.set_name("web");
  request.set_propagation(v1::PROPAGATION_ORPHAN);
  v1::DeleteResponse response;
  ASSERT_TRUE(cluster_.api()->Delete(&context, request, &response).ok());
  EXPECT_TRUE(cluster_.WaitFor("Deployment", [](const auto& objects) { return objects.empty(); }));
  const std::vector<v1::Object> sets = cluster_.List("ReplicaSet");
  ASSERT_EQ(sets.size(), 1u);
  EXPECT_TRUE(Meta(sets[0]).owner_references().empty());
  EXPECT_TRUE(cluster_.WaitForReady("web", 2));
}

TEST_P(Workload, Behaviour35_ASecondChangeDuringARolloutWins) {
  AttachNodes(2);
  const auto deployment = [](const std::string& image) {
    return DeploymentBuilder("web").Replicas(4).Image(image).Build();
  };
  ASSERT_TRUE(cluster_.Apply({deployment("app:1")}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 4));
  ASSERT_TRUE(cluster_.Apply({deployment("app:2")}).ok());
  ASSERT_TRUE(cluster_.Apply({deployment("app:3")}).ok());
  EXPECT_TRUE(cluster_.WaitFor("Pod", [](const auto& objects) {
    return objects.size() == 4 && std::all_of(objects.begin(), objects.end(), [](const auto& each) {
             return IsReady(each.second.pod()) &&
                    each.second.pod().spec().containers(0).image() == "app:3";
           });
  }));
}

TEST_P(Workload, ACordonedNodeGetsNothingNew) {
  AttachNodes(2);
  grpc::ClientContext context;
  v1::CordonRequest request;
  request.set_node("node1");
  request.set_unschedulable(true);
  v1::CordonResponse response;
  ASSERT_TRUE(cluster_.api()->Cordon(&context, request, &response).ok());
  EXPECT_TRUE(response.changed());
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(4).Build()}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 4));
  for (const v1::Object& pod : cluster_.List("Pod")) EXPECT_EQ(NodeOf(pod), "node2");
}

}  // namespace
}  // namespace cluster::controller
