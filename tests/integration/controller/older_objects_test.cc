// A controller that is put back after a later version has written its store: it does its work with
// what it knows, and what it does not know is there for the later one when that returns.
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/unknown_field_set.h"
#include "gtest/gtest.h"

#include "controller/object/object_fields.h"
#include "controller/store/sqlite_store.h"
#include "proto/schema/kinds.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

constexpr int kLaterField = 5000;
// Of a kind that there is not.
constexpr char kLaterKey[] = "gadgets/default/one";
constexpr char kLaterValue[] = "whatever a later version makes of it";

template <typename Message>
void AddLaterField(const std::string& text, Message* message) {
  message->GetReflection()
      ->MutableUnknownFields(message)
      ->AddLengthDelimited(kLaterField)
      ->append(text);
}
template <typename Message>
std::string LaterField(const Message& message) {
  const auto& fields = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < fields.field_count(); ++i) {
    if (fields.field(i).number() == kLaterField) return fields.field(i).length_delimited();
  }
  return "";
}

// Where a pod has them.
void AddToSpec(v1::PodSpec* spec) {
  AddLaterField("spec", spec);
  AddLaterField("container", spec->mutable_containers(0));
}
void ExpectSpec(const v1::PodSpec& spec, const std::string& where) {
  EXPECT_EQ(LaterField(spec), "spec") << where;
  EXPECT_EQ(LaterField(spec.containers(0)), "container") << where;
}

class OlderObjects : public testing::Test {
 protected:
  // While the controller is away.
  std::unique_ptr<store::Store> OpenStore() {
    store::SqliteOptions options;
    options.path = cluster_.directory() + "/store.db";
    return store::SqliteStore::Open(options).value();
  }
  static v1::Object ObjectIn(const store::Kv& kv) {
    v1::Object object;
    EXPECT_TRUE(object.ParseFromString(kv.value)) << kv.key;
    return object;
  }
  // As a later version would have written what is there.
  void BecomeLater() {
    cluster_.Stop();
    const std::unique_ptr<store::Store> store = OpenStore();
    store::Txn txn;
    const store::Listing listing = store->List("").value();
    for (const store::Kv& kv : listing.kvs) {
      if (KindOfKey(kv.key) == nullptr) continue;
      v1::Object object = ObjectIn(kv);
      if (object.has_pod()) AddToSpec(object.mutable_pod()->mutable_spec());
      if (object.has_deployment()) {
        AddLaterField("deployment", object.mutable_deployment()->mutable_spec());
        AddLaterField("status", object.mutable_deployment()->mutable_status());
        AddToSpec(object.mutable_deployment()->mutable_spec()->mutable_template_()->mutable_spec());
      }
      if (object.has_replica_set()) {
        AddToSpec(
            object.mutable_replica_set()->mutable_spec()->mutable_template_()->mutable_spec());
      }
      AddLaterField("meta", MutableMeta(&object));
      AddLaterField("object", &object);
      txn.ops.push_back({store::Op::Kind::kPut, kv.key, object.SerializeAsString(), 0});
    }
    txn.ops.push_back({store::Op::Kind::kPut, kLaterKey, kLaterValue, 0});
    ASSERT_TRUE(store->SubmitAndWait(std::move(txn)).status.ok());
  }
  std::set<std::string> PodUids() {
    std::set<std::string> uids;
    for (const v1::Object& pod : cluster_.List("Pod")) uids.insert(Meta(pod).uid());
    return uids;
  }

  TestCluster cluster_{Backend::kSqlite};
};

TEST_F(OlderObjects, FieldsOfALaterVersionSurviveWhatThisOneWrites) {
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(2).Build()}).ok());
  ASSERT_TRUE(cluster_.WaitFor("Pod", [](const auto& pods) { return pods.size() == 2; }));
  const std::set<std::string> before = PodUids();
  BecomeLater();
  cluster_.Start();
  // Pods get their node and report; another one is made of the template.
  auto node = cluster_.MakeNode("node1");
  ASSERT_TRUE(node->Attach().ok());
  ASSERT_TRUE(cluster_.WaitForReady("web", 2));
  EXPECT_EQ(PodUids(), before) << "nothing that this version knows has changed";
  v1::ScaleRequest request;
  request.set_kind("Deployment");
  request.set_name("web");
  request.set_replicas(3);
  v1::ScaleResponse response;
  grpc::ClientContext context;
  const grpc::Status scaled = cluster_.api()->Scale(&context, request, &response);
  ASSERT_TRUE(scaled.ok()) << scaled.error_message();
  ASSERT_TRUE(cluster_.WaitForReady("web", 3));
  ASSERT_TRUE(cluster_.WaitFor("Deployment", [](const auto& deployments) {
    return deployments.begin()->second.deployment().status().ready_replicas() == 3;
  }));
  node->Detach();
  // A later agent is told all of it.
  for (const auto& [uid, held] : node->held()) ExpectSpec(held.assignment.pod().spec(), "node");

  cluster_.Stop();
  int pods = 0;
  const store::Listing listing = OpenStore()->List("").value();
  for (const store::Kv& kv : listing.kvs) {
    if (KindOfKey(kv.key) == nullptr) continue;
    const v1::Object object = ObjectIn(kv);
    if (object.has_deployment()) {
      EXPECT_EQ(LaterField(object), "object");
      EXPECT_EQ(LaterField(object.deployment().metadata()), "meta");
      EXPECT_EQ(LaterField(object.deployment().spec()), "deployment");
      ExpectSpec(object.deployment().spec().template_().spec(), kv.key);
    }
    if (object.has_replica_set()) {
      ExpectSpec(object.replica_set().spec().template_().spec(), kv.key);
    }
    if (!object.has_pod()) continue;
    ++pods;
    ExpectSpec(object.pod().spec(), kv.key);
    // The third one is this version's own.
    EXPECT_EQ(LaterField(Meta(object)), before.contains(Meta(object).uid()) ? "meta" : "")
        << kv.key;
  }
  EXPECT_EQ(pods, 3);
}

TEST_F(OlderObjects, ObjectsOfALaterKindAreLeftAlone) {
  ASSERT_TRUE(cluster_.Apply({MakeConfigMap("settings", "a", "b")}).ok());
  BecomeLater();
  cluster_.Start();
  v1::Object settings;
  ASSERT_TRUE(cluster_.Get("ConfigMap", "settings", &settings).ok());
  ASSERT_TRUE(cluster_.Delete("ConfigMap", "settings").ok());
  cluster_.Stop();
  const store::Listing left = OpenStore()->List("gadgets/").value();
  ASSERT_EQ(left.kvs.size(), 1u);
  EXPECT_EQ(left.kvs[0].value, kLaterValue);
}

}  // namespace
}  // namespace cluster::controller
