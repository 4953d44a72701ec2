// StatefulSets and DaemonSets through the real controller and sessions.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/kinds.h"
#include "proto/schema/reader.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

using Objects = std::map<std::string, v1::Object>;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::Object Read(const std::string& yaml) {
  ReadResult result = ReadManifests(yaml, "test.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  return result.documents.at(0).object;
}

v1::Object Set(const std::string& kind, const std::string& name, const std::string& image,
               const std::string& spec = "") {
  return Read(absl::StrCat("{apiVersion: apps/v1, kind: ", kind, ", metadata: {name: ", name,
                           "}, spec: {", spec, "template: {metadata: {labels: {app: ", name,
                           "}}, spec: {containers: [{name: app, image: '", image, "'}]}}}}"));
}

std::string ImageOf(const v1::Object& pod) { return pod.pod().spec().containers(0).image(); }

// Pods of these names, each ready and with that image.
std::function<bool(const Objects&)> AreReady(const std::map<std::string, std::string>& images) {
  return [images](const Objects& objects) {
    if (objects.size() != images.size()) return false;
    return std::all_of(images.begin(), images.end(), [&](const auto& each) {
      const auto pod = objects.find("pods/default/" + each.first);
      return pod != objects.end() && IsReady(pod->second.pod()) &&
             ImageOf(pod->second) == each.second;
    });
  };
}

class Sets : public testing::Test {
 protected:
  void AttachNodes(int count) {
    for (int i = 1; i <= count; ++i) {
      nodes_.push_back(cluster_.MakeNode(absl::StrCat("node", i)));
      const grpc::Status attached = nodes_.back()->Attach();
      ASSERT_TRUE(attached.ok()) << attached.error_message();
      ASSERT_TRUE(cluster_.WaitForNode(absl::StrCat("node", i), true));
    }
  }
  void Scale(const std::string& name, int replicas) {
    grpc::ClientContext context;
    v1::ScaleRequest request;
    request.set_kind("StatefulSet");
    request.set_name(name);
    request.set_replicas(replicas);
    v1::ScaleResponse response;
    const grpc::Status scaled = cluster_.api()->Scale(&context, request, &response);
    ASSERT_TRUE(scaled.ok()) << scaled.error_message();
  }
  v1::UndoResponse Undo(const std::string& kind, const std::string& name) {
    grpc::ClientContext context;
    v1::UndoRequest request;
    request.set_kind(kind);
    request.set_name(name);
    v1::UndoResponse response;
    const grpc::Status undone = cluster_.api()->Undo(&context, request, &response);
    EXPECT_TRUE(undone.ok()) << undone.error_message();
    return response;
  }
  void DeleteSet(const std::string& kind, const std::string& name, v1::Propagation propagation) {
    grpc::ClientContext context;
    v1::DeleteRequest request;
    request.set_kind(kind);
    request.set_name(name);
    request.set_propagation(propagation);
    v1::DeleteResponse response;
    ASSERT_TRUE(cluster_.api()->Delete(&context, request, &response).ok());
  }
  std::map<std::string, std::string> UidsByNode() {
    std::map<std::string, std::string> uids;
    for (const v1::Object& pod : cluster_.List("Pod")) {
      uids[pod.pod().spec().node_name()] = Meta(pod).uid();
    }
    return uids;
  }

  TestCluster cluster_;
  std::vector<std::unique_ptr<FakeNode>> nodes_;
};

// Behaviour41: seen by a watch, each pod is added when all before it are ready, and ends when all
// after it are gone.
TEST_F(Sets, Behaviour41_PodsComeAndGoInOrder) {
  AttachNodes(2);
  grpc::ClientContext context;
  v1::WatchRequest request;
  request.set_kind("Pod");
  request.set_from_revision(1);
  const auto stream = cluster_.api()->Watch(&context, request);
  ASSERT_TRUE(cluster_.Apply({Set("StatefulSet", "db", "app:1", "replicas: 3, ")}).ok());
  std::map<std::string, v1::Object> pods;
  std::vector<std::string> added;
  std::vector<std::string> ended;
  bool scaled = false;
  v1::WatchEvent event;
  while (ended.size() < 3 && stream->Read(&event)) {
    const std::string name = Meta(event.object()).name();
    if (event.type() == v1::WATCH_EVENT_TYPE_ADDED) {
      for (const auto& [each, pod] : pods) EXPECT_TRUE(IsReady(pod.pod())) << each;
      added.push_back(name);
    }
    if (event.type() == v1::WATCH_EVENT_TYPE_DELETED) {
      pods.erase(name);
      ended.push_back(name);
      continue;
    }
    pods[name] = event.object();
    const bool all_ready = pods.size() == 3 && std::all_of(pods.begin(), pods.end(), [](auto& pod) {
                             return IsReady(pod.second.pod());
                           });
    if (all_ready && !scaled) {
      scaled = true;
      Scale("db", 0);
    }
    int ending = 0;
    for (const auto& [each, pod] : pods) ending += Meta(pod).has_deletion_timestamp() ? 1 : 0;
    EXPECT_LE(ending, 1);
  }
  context.TryCancel();
  EXPECT_THAT(added, ElementsAre("db-0", "db-1", "db-2"));
  EXPECT_THAT(ended, ElementsAre("db-2", "db-1", "db-0"));
}

TEST_F(Sets, Behaviour42_OnlyPodsFromThePartitionOnAreUpdated) {
  AttachNodes(1);
  const std::string spec = "replicas: 3, updateStrategy: {rollingUpdate: {partition: 2}}, ";
  ASSERT_TRUE(cluster_.Apply({Set("StatefulSet", "db", "app:1", spec)}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("db", 3));
  ASSERT_TRUE(cluster_.Apply({Set("StatefulSet", "db", "app:2", spec)}).ok());
  const std::map<std::string, std::string> mixed = {
      {"db-0", "app:1"}, {"db-1", "app:1"}, {"db-2", "app:2"}};
  ASSERT_TRUE(cluster_.WaitFor("Pod", AreReady(mixed)));
  v1::Object first;
  ASSERT_TRUE(cluster_.Get("Pod", "db-0", &first).ok());
  ASSERT_TRUE(cluster_.Delete("Pod", "db-0").ok());
  ASSERT_TRUE(cluster_.WaitFor("Pod", [&](const Objects& objects) {
    return AreReady(mixed)(objects) &&
           Meta(objects.at("pods/default/db-0")).uid() != Meta(first).uid();
  }));
}

TEST_F(Sets, Behaviour43_AFailedPodIsMadeAnewUnderItsName) {
  AttachNodes(1);
  FakeNode::Behaviour idle;
  idle.runs = false;
  nodes_[0]->Behave(idle);
  ASSERT_TRUE(cluster_.Apply({Set("StatefulSet", "db", "app:1")}).ok());
  ASSERT_TRUE(nodes_[0]->WaitFor([](const FakeNode& node) { return node.Holds("db-0"); }));
  v1::Object first;
  ASSERT_TRUE(cluster_.Get("Pod", "db-0", &first).ok());
  v1::PodStatusUpdate failed;
  failed.set_uid(Meta(first).uid());
  failed.set_namespace_("default");
  failed.set_name("db-0");
  failed.set_sequence(1000);
  failed.mutable_status()->set_phase(v1::POD_PHASE_FAILED);
  failed.mutable_status()->set_reason("Evicted");
  nodes_[0]->SendStatus(failed);
  nodes_[0]->Behave({});
  EXPECT_TRUE(cluster_.WaitFor("Pod", [&](const Objects& objects) {
    const auto pod = objects.find("pods/default/db-0");
    return pod != objects.end() && Meta(pod->second).uid() != Meta(first).uid() &&
           IsReady(pod->second.pod());
  }));
}

TEST_F(Sets, Law8_ANameOfALostNodeIsGivenOnceItsLeaseIsOver) {
  AttachNodes(2);
  ASSERT_TRUE(cluster_.Apply({Set("StatefulSet", "db", "app:1", "replicas: 2, ")}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("db", 2));
  const std::map<std::string, std::string> before = UidsByNode();
  ASSERT_EQ(before.size(), 2u);
  nodes_[1]->Detach();
  ASSERT_TRUE(cluster_.WaitForNode("node2", false));
  EXPECT_TRUE(cluster_.WaitFor("Pod", [&](const Objects& objects) {
    return objects.size() == 2 && std::all_of(objects.begin(), objects.end(), [](const auto& pod) {
             return IsReady(pod.second.pod()) && pod.second.pod().spec().node_name() == "node1";
           });
  }));
  // What was on the other node goes on undisturbed.
  bool kept = false;
  for (const v1::Object& pod : cluster_.List("Pod")) kept |= Meta(pod).uid() == before.at("node1");
  EXPECT_TRUE(kept);
  ASSERT_TRUE(nodes_[1]->Attach().ok());
  EXPECT_TRUE(nodes_[1]->WaitFor([](const FakeNode& node) { return node.held().empty(); }));
}

TEST_F(Sets, UndoPutsTheOldTemplateBack) {
  AttachNodes(1);
  ASSERT_TRUE(cluster_.Apply({Set("StatefulSet", "db", "app:1")}).ok());
  ASSERT_TRUE(cluster_.WaitFor("Pod", AreReady({{"db-0", "app:1"}})));
  ASSERT_TRUE(cluster_.Apply({Set("StatefulSet", "db", "app:2")}).ok());
  ASSERT_TRUE(cluster_.WaitFor("Pod", AreReady({{"db-0", "app:2"}})));
  EXPECT_EQ(Undo("StatefulSet", "db").from_history(), 1);
  EXPECT_TRUE(cluster_.WaitFor("Pod", AreReady({{"db-0", "app:1"}})));
}

TEST_F(Sets, Behaviour39_EachNodeHasItsPodAndGetsItBack) {
  AttachNodes(3);
  ASSERT_TRUE(cluster_.Apply({Set("DaemonSet", "log", "app:1")}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("log", 3));
  const std::map<std::string, std::string> before = UidsByNode();
  ASSERT_EQ(before.size(), 3u);
  for (const v1::Object& pod : cluster_.List("Pod")) {
    if (pod.pod().spec().node_name() != "node2") continue;
    ASSERT_TRUE(cluster_.Delete("Pod", Meta(pod).name()).ok());
  }
  EXPECT_TRUE(cluster_.WaitFor("Pod", [&](const Objects& objects) {
    std::set<std::string> nodes;
    for (const auto& [key, pod] : objects) {
      if (!IsReady(pod.pod()) || Meta(pod).uid() == before.at("node2")) return false;
      nodes.insert(pod.pod().spec().node_name());
    }
    return nodes.size() == 3 && objects.size() == 3;
  }));
  EXPECT_TRUE(cluster_.WaitFor("DaemonSet", [](const Objects& objects) {
    return objects.begin()->second.daemon_set().status().number_available() == 3;
  }));
}

TEST_F(Sets, Behaviour40_RollbackRestartsNoPodThatHasTheGoodTemplate) {
  AttachNodes(3);
  ASSERT_TRUE(cluster_.Apply({Set("DaemonSet", "log", "app:1")}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("log", 3));
  const std::map<std::string, std::string> before = UidsByNode();
  FakeNode::Behaviour broken;
  broken.runs = false;
  for (const auto& node : nodes_) node->Behave(broken);
  ASSERT_TRUE(cluster_.Apply({Set("DaemonSet", "log", "app:2")}).ok());
  std::string updated;
  ASSERT_TRUE(cluster_.WaitFor("Pod", [&](const Objects& objects) {
    for (const auto& [key, pod] : objects) {
      if (ImageOf(pod) == "app:2") updated = pod.pod().spec().node_name();
    }
    return !updated.empty();
  }));
  for (const auto& node : nodes_) node->Behave({});
  Undo("DaemonSet", "log");
  ASSERT_TRUE(cluster_.WaitFor("Pod", [](const Objects& objects) {
    return objects.size() == 3 && std::all_of(objects.begin(), objects.end(), [](const auto& pod) {
             return IsReady(pod.second.pod()) && ImageOf(pod.second) == "app:1";
           });
  }));
  int same = 0;
  for (const auto& [node, uid] : UidsByNode()) same += before.at(node) == uid ? 1 : 0;
  EXPECT_GE(same, 1) << "those that the update had not reached are as they were";
}

TEST_F(Sets, DeletionTakesPodsAndRevisionsAlongAndLeavesClaims) {
  AttachNodes(1);
  ASSERT_TRUE(cluster_
                  .Apply({Set("StatefulSet", "db", "app:1",
                              "volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: "
                              "[ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}], ")})
                  .ok());
  ASSERT_TRUE(cluster_.WaitForReady("db", 1));
  ASSERT_EQ(cluster_.List("ControllerRevision").size(), 1u);
  DeleteSet("StatefulSet", "db", v1::PROPAGATION_FOREGROUND);
  EXPECT_TRUE(cluster_.WaitFor("StatefulSet", [](const auto& objects) { return objects.empty(); }));
  EXPECT_THAT(cluster_.List("Pod"), IsEmpty());
  EXPECT_THAT(cluster_.List("ControllerRevision"), IsEmpty());
  EXPECT_EQ(cluster_.List("PersistentVolumeClaim").size(), 1u);
}

TEST_F(Sets, OrphansAreAdoptedByTheNextSetOfTheName) {
  AttachNodes(1);
  ASSERT_TRUE(cluster_.Apply({Set("StatefulSet", "db", "app:1")}).ok());
  ASSERT_TRUE(cluster_.WaitForReady("db", 1));
  v1::Object before;
  ASSERT_TRUE(cluster_.Get("Pod", "db-0", &before).ok());
  DeleteSet("StatefulSet", "db", v1::PROPAGATION_ORPHAN);
  ASSERT_TRUE(cluster_.WaitFor("StatefulSet", [](const auto& objects) { return objects.empty(); }));
  ASSERT_TRUE(cluster_.WaitFor("Pod", [](const Objects& objects) {
    return objects.size() == 1 && Meta(objects.begin()->second).owner_references().empty();
  }));
  ASSERT_TRUE(cluster_.Apply({Set("StatefulSet", "db", "app:1")}).ok());
  EXPECT_TRUE(cluster_.WaitFor("StatefulSet", [](const Objects& objects) {
    return !objects.empty() &&
           objects.begin()->second.stateful_set().status().ready_replicas() == 1;
  }));
  v1::Object after;
  ASSERT_TRUE(cluster_.Get("Pod", "db-0", &after).ok());
  EXPECT_EQ(Meta(after).uid(), Meta(before).uid());
}

}  // namespace
}  // namespace cluster::controller
