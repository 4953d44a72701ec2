#include "controller/cache/view.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PodText {
 public:
  explicit PodText(const std::string& name) {
    pod_.set_kind("Pod");
    pod_.mutable_metadata()->set_namespace_("default");
    pod_.mutable_metadata()->set_name(name);
    pod_.mutable_metadata()->set_uid("uid-" + name);
  }
  PodText& Label(const std::string& key, const std::string& value) {
    (*pod_.mutable_metadata()->mutable_labels())[key] = value;
    return *this;
  }
  PodText& Owner(const std::string& uid) {
    auto* owner = pod_.mutable_metadata()->add_owner_references();
    owner->set_uid(uid);
    owner->set_controller(true);
    return *this;
  }
  PodText& Node(const std::string& node) {
    pod_.mutable_spec()->set_node_name(node);
    return *this;
  }
  EntryPtr Stored(store::Rev rev) const {
    store::Kv kv;
    kv.value = SerializeObject(Wrap(pod_));
    kv.key = Key(Wrap(pod_));
    kv.mod_rev = rev;
    kv.create_rev = 1;
    return ParseEntry(kv).value();
  }
  v1::Object Object() const { return Wrap(pod_); }

 private:
  v1::Pod pod_;
};

std::vector<std::string> Keys(const std::vector<EntryPtr>& entries) {
  std::vector<std::string> keys;
  for (const EntryPtr& entry : entries) keys.push_back(entry->key);
  return keys;
}

TEST(View, FindsWhatAPassLooksForWithoutLookingAtEverything) {
  View view;
  view.Put(PodText("owner").Stored(1));
  view.Put(PodText("owned").Owner("uid-owner").Node("n1").Stored(2));
  view.Put(PodText("abandoned").Owner("uid-nobody").Stored(3));
  EXPECT_THAT(Keys(view.WithoutController(v1::Object::kPod)), ElementsAre("pods/default/owner"));
  EXPECT_THAT(Keys(view.Abandoned()), ElementsAre("pods/default/abandoned"));
  EXPECT_THAT(Keys(view.PodsOfMissingNodes()), ElementsAre("pods/default/owned"));
  view.Remove("pods/default/owner");
  EXPECT_THAT(Keys(view.Abandoned()), ElementsAre("pods/default/abandoned", "pods/default/owned"));
  EXPECT_THAT(view.WithoutController(v1::Object::kPod), IsEmpty());

  EXPECT_THAT(view.Terminating(), IsEmpty());
  v1::Object pod = PodText("ends").Object();
  MutableMeta(&pod)->mutable_deletion_timestamp()->set_seconds(1);
  MutableMeta(&pod)->add_finalizers("held");
  pod.mutable_pod()->mutable_status()->set_phase(v1::POD_PHASE_FAILED);
  v1::Condition* ready = pod.mutable_pod()->mutable_status()->add_conditions();
  ready->set_type("Ready");
  ready->set_reason(std::string(kNodeLostReason));
  view.Put(MakeEntry(pod, 5, 5));
  for (const auto& found :
       {view.Terminating(), view.EndedPods(), view.HeldPods(), view.PodsOfLostNodes()}) {
    EXPECT_THAT(Keys(found), ElementsAre("pods/default/ends"));
  }
  view.Put(PodText("ends").Stored(9));
  for (const auto& found :
       {view.Terminating(), view.EndedPods(), view.HeldPods(), view.PodsOfLostNodes()}) {
    EXPECT_THAT(found, IsEmpty());
  }
}

TEST(View, TheVersionOfWhatAnOwnerHasOnlyGrows) {
  View view;
  const auto version = [&view] { return view.OwnedVersion(v1::Object::kPod, "uid-a"); };
  std::vector<int64_t> versions = {version()};
  view.Put(PodText("one").Owner("uid-a").Stored(1));
  versions.push_back(version());
  view.Put(PodText("one").Owner("uid-a").Node("n1").Stored(2));
  versions.push_back(version());
  view.Remove("pods/default/one");
  versions.push_back(version());
  view.Put(PodText("one").Owner("uid-a").Stored(3));
  versions.push_back(version());
  for (size_t i = 1; i < versions.size(); ++i) EXPECT_GT(versions[i], versions[i - 1]);
  view.Put(PodText("other").Owner("uid-b").Stored(4));
  EXPECT_EQ(version(), versions.back());
}

TEST(ParseEntry, FillsResourceVersionFromTheStore) {
  const EntryPtr entry = PodText("web").Stored(42);
  EXPECT_EQ(Meta(entry->object).resource_version(), "42");
  EXPECT_EQ(entry->key, "pods/default/web");
  EXPECT_EQ(entry->mod_rev, 42);
}

TEST(ParseEntry, RefusesWhatIsNoObject) {
  store::Kv kv;
  kv.key = "pods/default/web";
  kv.value = "\xff\xff\xff";
  EXPECT_TRUE(absl::IsDataLoss(ParseEntry(kv).status()));
  kv.value = "";
  EXPECT_TRUE(absl::IsDataLoss(ParseEntry(kv).status()));
}

TEST(ParseEntry, RefusesAnObjectUnderAnotherObjectsKey) {
  store::Kv kv;
  kv.key = "pods/default/other";
  kv.value = SerializeObject(PodText("web").Object());
  const absl::Status status = ParseEntry(kv).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("pods/default/web"));
}

TEST(SerializeObject, LeavesResourceVersionOutAndIsDeterministic) {
  v1::Object one = PodText("web").Label("a", "1").Label("b", "2").Label("c", "3").Object();
  v1::Object two = PodText("web").Label("c", "3").Label("b", "2").Label("a", "1").Object();
  MutableMeta(&two)->set_resource_version("7");
  EXPECT_EQ(SerializeObject(one), SerializeObject(two));
  EXPECT_EQ(Meta(two).resource_version(), "7");
}

TEST(KindOfKey, KnowsPluralsAlone) {
  EXPECT_EQ(KindOfKey("pods/default/web")->name, "Pod");
  EXPECT_EQ(KindOfKey("nodes/node1")->name, "Node");
  EXPECT_EQ(KindOfKey("images/sha256:1"), nullptr);
  EXPECT_EQ(KindOfKey("pod/default/web"), nullptr);
  EXPECT_EQ(KindOfKey("pods"), nullptr);
  EXPECT_EQ(KindOfKey(""), nullptr);
}

TEST(View, FindsByKeyNameAndUid) {
  View view;
  view.Put(PodText("web").Stored(3));
  EXPECT_EQ(view.Find("pods/default/web")->mod_rev, 3);
  EXPECT_EQ(view.Find(v1::Object::kPod, "default", "web")->mod_rev, 3);
  EXPECT_EQ(view.FindUid("uid-web")->key, "pods/default/web");
  EXPECT_EQ(view.Find("pods/default/absent"), nullptr);
  EXPECT_EQ(view.Find("sessions/node1"), nullptr);
  EXPECT_EQ(view.Find(v1::Object::kNode, "", "web"), nullptr);
  EXPECT_EQ(view.FindUid("uid-absent"), nullptr);
}

TEST(View, IndexesFollowAChange) {
  View view;
  view.Put(PodText("web").Label("app", "web").Owner("rs1").Stored(1));
  view.Put(PodText("web").Label("app", "db").Owner("rs2").Node("node1").Stored(2));
  EXPECT_THAT(view.WithLabel(v1::Object::kPod, "app", "web"), IsEmpty());
  EXPECT_THAT(Keys(view.WithLabel(v1::Object::kPod, "app", "db")), ElementsAre("pods/default/web"));
  EXPECT_THAT(view.OwnedBy(v1::Object::kPod, "rs1"), IsEmpty());
  EXPECT_THAT(Keys(view.OwnedBy(v1::Object::kPod, "rs2")), ElementsAre("pods/default/web"));
  EXPECT_THAT(Keys(view.PodsOnNode("node1")), ElementsAre("pods/default/web"));
  EXPECT_EQ(view.All(v1::Object::kPod).size(), 1u);
}

TEST(View, RemoveTakesTheObjectOutOfEveryIndex) {
  View view;
  view.Put(PodText("web").Label("app", "web").Owner("rs1").Node("node1").Stored(1));
  view.Remove("pods/default/web");
  view.Remove("pods/default/web");
  view.Remove("images/sha256:1");
  EXPECT_THAT(view.All(v1::Object::kPod), IsEmpty());
  EXPECT_THAT(view.WithLabel(v1::Object::kPod, "app", "web"), IsEmpty());
  EXPECT_THAT(view.OwnedBy(v1::Object::kPod, "rs1"), IsEmpty());
  EXPECT_THAT(view.PodsOnNode("node1"), IsEmpty());
  EXPECT_EQ(view.FindUid("uid-web"), nullptr);
}

TEST(View, AUidTakenOverByAnotherNameStaysFound) {
  View view;
  view.Put(PodText("old").Stored(1));
  v1::Object moved = PodText("new").Object();
  MutableMeta(&moved)->set_uid("uid-old");
  view.Put(MakeEntry(moved, 2, 2));
  view.Remove("pods/default/old");
  ASSERT_NE(view.FindUid("uid-old"), nullptr);
  EXPECT_EQ(view.FindUid("uid-old")->key, "pods/default/new");
}

EntryPtr StoredService(const std::string& name, v1::ServiceType type, const std::string& address,
                       int node_port, store::Rev rev) {
  v1::Object object;
  v1::Service* service = object.mutable_service();
  service->mutable_metadata()->set_namespace_("default");
  service->mutable_metadata()->set_name(name);
  service->mutable_metadata()->set_uid("uid-" + name);
  service->mutable_spec()->set_type(type);
  service->mutable_spec()->set_cluster_ip(address);
  v1::ServicePort* port = service->mutable_spec()->add_ports();
  port->set_protocol(v1::PROTOCOL_UDP);
  port->set_node_port(node_port);
  return MakeEntry(object, rev, 1);
}

TEST(View, FindsWhoHasAnAddressOrAPortOfTheNodes) {
  View view;
  view.Put(StoredService("a", v1::SERVICE_TYPE_NODE_PORT, "10.60.0.5", 30053, 1));
  view.Put(StoredService("headless", v1::SERVICE_TYPE_CLUSTER_IP, "None", 0, 2));
  EXPECT_THAT(Keys(view.Claiming("10.60.0.5")), ElementsAre("services/default/a"));
  EXPECT_THAT(Keys(view.Claiming("UDP/30053")), ElementsAre("services/default/a"));
  EXPECT_THAT(Keys(view.Claiming("TCP/30053")), IsEmpty());
  EXPECT_THAT(Keys(view.Claiming("None")), IsEmpty());
  view.Put(StoredService("a", v1::SERVICE_TYPE_CLUSTER_IP, "10.60.0.6", 30053, 3));
  EXPECT_THAT(Keys(view.Claiming("10.60.0.5")), IsEmpty());
  EXPECT_THAT(Keys(view.Claiming("10.60.0.6")), ElementsAre("services/default/a"));
  EXPECT_THAT(Keys(view.Claiming("UDP/30053")), IsEmpty()) << "its type has none";
  view.Remove("services/default/a");
  EXPECT_THAT(Keys(view.Claiming("10.60.0.6")), IsEmpty());
}

TEST(View, OrdersByKeyWhateverTheOrderOfArrival) {
  View view;
  for (const char* name : {"c", "a", "b"}) {
    view.Put(PodText(name).Label("app", "web").Node("node1").Stored(1));
  }
  const auto sorted = ElementsAre("pods/default/a", "pods/default/b", "pods/default/c");
  EXPECT_THAT(Keys(view.PodsOnNode("node1")), sorted);
  EXPECT_THAT(Keys(view.WithLabel(v1::Object::kPod, "app", "web")), sorted);
}

TEST(View, LabelsThatLookAlikeStayApart) {
  View view;
  view.Put(PodText("a").Label("x", "y=z").Stored(1));
  view.Put(PodText("b").Label("x=y", "z").Stored(1));
  EXPECT_THAT(Keys(view.WithLabel(v1::Object::kPod, "x", "y=z")), ElementsAre("pods/default/a"));
}

TEST(View, ResetForgetsEverythingBefore) {
  View view;
  view.Put(PodText("old").Label("app", "web").Stored(1));
  view.Reset(9, {PodText("new").Stored(5)});
  EXPECT_EQ(view.revision(), 9);
  EXPECT_EQ(view.Find("pods/default/old"), nullptr);
  EXPECT_THAT(view.WithLabel(v1::Object::kPod, "app", "web"), IsEmpty());
  EXPECT_NE(view.Find("pods/default/new"), nullptr);
}

TEST(View, ACopyDoesNotSeeLaterChanges) {
  View view;
  view.Put(PodText("a").Stored(1));
  const View copy = view;
  view.Put(PodText("b").Stored(2));
  view.Remove("pods/default/a");
  EXPECT_NE(copy.Find("pods/default/a"), nullptr);
  EXPECT_EQ(copy.Find("pods/default/b"), nullptr);
}

// Whatever the sequence of changes, each index equals the one built from the final objects.
TEST(View, IndexesEqualAFreshBuildAfterRandomChanges) {
  std::mt19937 random(20'240'101);
  const auto any = [&random](unsigned n) { return std::to_string(random() % n); };
  View view;
  for (int step = 0; step < 3000; ++step) {
    const std::string name = "p" + any(40);
    if (random() % 4 == 0) {
      view.Remove("pods/default/" + name);
    } else {
      view.Put(
          PodText(name).Label("app", any(3)).Owner("rs" + any(3)).Node("n" + any(3)).Stored(1));
    }
  }
  View fresh;
  std::vector<EntryPtr> entries;
  for (const auto& [key, entry] : view.All(v1::Object::kPod)) entries.push_back(entry);
  fresh.Reset(1, entries);
  for (const char* n : {"0", "1", "2"}) {
    EXPECT_EQ(view.PodsOnNode(std::string("n") + n), fresh.PodsOnNode(std::string("n") + n));
    EXPECT_EQ(view.OwnedBy(v1::Object::kPod, std::string("rs") + n),
              fresh.OwnedBy(v1::Object::kPod, std::string("rs") + n));
    EXPECT_EQ(view.WithLabel(v1::Object::kPod, "app", n),
              fresh.WithLabel(v1::Object::kPod, "app", n));
  }
  for (int i = 0; i < 40; ++i) {
    const std::string uid = "uid-p" + std::to_string(i);
    EXPECT_EQ(view.FindUid(uid), fresh.FindUid(uid));
  }
}

}  // namespace
}  // namespace cluster
