#include "controller/reconcile/daemon_set.h"

#include <algorithm>

#include "controller/object/node_choice.h"
#include "controller/object/node_match.h"
#include "controller/reconcile/daemon_nodes.h"
#include "controller/reconcile/set_pods.h"
#include "set_bench.h"

namespace cluster::controller {
namespace {

bool AnyTermHolds(const v1::NodeSelector& selector, const v1::Node& node) {
  const auto& terms = selector.node_selector_terms();
  return std::any_of(terms.begin(), terms.end(),
                     [&node](const auto& term) { return MatchesNodeTerm(term, node); });
}

using domain::DaemonSet;
using domain::Node;
using domain::Pod;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DaemonSets : public SetBench {
 protected:
  DaemonSets() {
    for (const std::string name : {"n1", "n2", "n3"}) world_.Put(Node(name));
  }
  v1::DaemonSet Set() const { return world_.Find("daemonsets/default/log")->object.daemon_set(); }
  v1::DaemonSetStatus Status() const { return Set().status(); }
  template <typename Edit>
  void Change(Edit edit) {
    v1::DaemonSet set = Set();
    edit(set.mutable_spec());
    set.mutable_metadata()->set_generation(set.metadata().generation() + 1);
    world_.Put(Wrap(std::move(set)));
  }
  void SetImage(const std::string& image) {
    Change([&](v1::DaemonSetSpec* spec) {
      spec->mutable_template_()->mutable_spec()->mutable_containers(0)->set_image(image);
    });
  }
  void LabelNode(const std::string& name, const std::string& key, const std::string& value) {
    v1::Object node = world_.Find("nodes/" + name)->object;
    (*MutableMeta(&node)->mutable_labels())[key] = value;
    world_.Put(node);
  }
  std::string PodOn(const std::string& node) const {
    for (const v1::Pod& pod : Pods()) {
      if (PinnedNode(pod.spec()) == node) return pod.metadata().name();
    }
    return "";
  }
  // Nodes that pods are bound to, by node name.
  std::vector<std::string> Nodes() const {
    std::vector<std::string> nodes;
    for (const v1::Pod& pod : Pods()) nodes.push_back(pod.spec().node_name());
    std::sort(nodes.begin(), nodes.end());
    return nodes;
  }
  std::vector<std::string> Images() const {
    std::vector<std::string> images;
    for (const std::string node : {"n1", "n2", "n3"}) images.push_back(ImageOf(PodOn(node)));
    return images;
  }
  int Ending() const {
    int ending = 0;
    for (const v1::Pod& pod : Pods()) ending += pod.metadata().has_deletion_timestamp() ? 1 : 0;
    return ending;
  }
};

TEST_F(DaemonSets, Behaviour39EachNodeHasOnePod) {
  world_.Put(DaemonSet("log"));
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("n1", "n2", "n3"));
  EXPECT_EQ(Status().desired_number_scheduled(), 3);
  EXPECT_EQ(Status().current_number_scheduled(), 3);
  EXPECT_EQ(Status().number_available(), 3);
  EXPECT_EQ(Status().updated_number_scheduled(), 3);
  EXPECT_EQ(Status().number_unavailable(), 0);
  world_.Put(Node("n4"));
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("n1", "n2", "n3", "n4"));
}

TEST_F(DaemonSets, Behaviour39ADeletedPodIsReplacedOnItsNode) {
  world_.Put(DaemonSet("log"));
  Settle();
  const std::string name = PodOn("n2");
  AskToEnd(name);
  Rest();
  EXPECT_EQ(PodNames().size(), 3u) << "the new one waits for the end of the old one";
  Settle();
  EXPECT_NE(PodOn("n2"), name);
  EXPECT_THAT(Nodes(), ElementsAre("n1", "n2", "n3"));
}

TEST_F(DaemonSets, Behaviour39AFailedPodIsReplaced) {
  world_.Put(DaemonSet("log"));
  Settle();
  const std::string name = PodOn("n2");
  Fail(name);
  EXPECT_EQ(Pass().wake_at, now_ + kFailedPodPause);
  now_ += kFailedPodPause;
  const Changes changes = Pass();
  EXPECT_EQ(changes.events.at(0).reason, "FailedDaemonPod");
  Settle();
  EXPECT_NE(PodOn("n2"), name);
  EXPECT_THAT(Nodes(), ElementsAre("n1", "n2", "n3"));
}

TEST_F(DaemonSets, Behaviour39FollowsTheLabelsOfNodes) {
  world_.Put(DaemonSet("log").OnNodesWith("color", "blue"));
  Settle();
  EXPECT_THAT(PodNames(), IsEmpty());
  EXPECT_EQ(Status().desired_number_scheduled(), 0);
  LabelNode("n2", "color", "blue");
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("n2"));
  LabelNode("n2", "color", "green");
  Settle();
  EXPECT_THAT(PodNames(), IsEmpty());
  Change([](v1::DaemonSetSpec* spec) {
    (*spec->mutable_template_()->mutable_spec()->mutable_node_selector())["color"] = "green";
  });
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("n2"));
}

TEST_F(DaemonSets, RequiredNodeAffinityDecidesToo) {
  DaemonSet set("log");
  v1::NodeSelectorRequirement* zone =
      set.spec()
          ->mutable_affinity()
          ->mutable_node_affinity()
          ->mutable_required_during_scheduling_ignored_during_execution()
          ->add_node_selector_terms()
          ->add_match_expressions();
  zone->set_key("zone");
  zone->set_operator_(v1::NODE_SELECTOR_OPERATOR_IN);
  zone->add_values("a");
  world_.Put(set);
  LabelNode("n1", "zone", "a");
  LabelNode("n2", "zone", "b");
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("n1"));
}

TEST_F(DaemonSets, TaintsKeepPodsFromComingAndSomeFromStaying) {
  world_.Put(Node("n1").Tainted("team", "db", v1::TAINT_EFFECT_NO_SCHEDULE));
  world_.Put(DaemonSet("log"));
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("n2", "n3"));
  world_.Put(Node("n2").Tainted("team", "db", v1::TAINT_EFFECT_NO_SCHEDULE));
  world_.Put(Node("n3").Tainted("team", "db", v1::TAINT_EFFECT_NO_EXECUTE));
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("n2"));
  EXPECT_EQ(Status().number_misscheduled(), 1);
  EXPECT_EQ(Status().desired_number_scheduled(), 0);
  Change([](v1::DaemonSetSpec* spec) {
    auto* any = spec->mutable_template_()->mutable_spec()->add_tolerations();
    any->set_operator_(v1::TOLERATION_OPERATOR_EXISTS);
  });
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("n1", "n2", "n3"));
}

TEST_F(DaemonSets, CordonedAndStressedNodesKeepAndGetTheirPods) {
  world_.Put(Node("n1").Cordoned());
  world_.Put(
      Node("n2").Tainted("node.kubernetes.io/disk-pressure", "", v1::TAINT_EFFECT_NO_SCHEDULE));
  world_.Put(Node("n3").Tainted("node.kubernetes.io/not-ready", "", v1::TAINT_EFFECT_NO_EXECUTE));
  world_.Put(DaemonSet("log"));
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("n1", "n2", "n3"));
}

TEST_F(DaemonSets, PodsAreOnlyForTheirNode) {
  world_.Put(Node("n1").Allocatable("0", "8Gi"));
  world_.Put(DaemonSet("log").Cpu("1"));
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("", "n2", "n3"));
  const v1::Pod waiting = world_.PodNamed(PodOn("n1"));
  EXPECT_EQ(PinnedNode(waiting.spec()), "n1");
  const v1::Condition* why = FindCondition(waiting.status().conditions(), "PodScheduled");
  ASSERT_NE(why, nullptr);
  EXPECT_THAT(why->message(), HasSubstr("1 Insufficient cpu (1 lacking) on n1"));
  EXPECT_THAT(why->message(),
              HasSubstr("2 node(s) didn't match the pod's node affinity on n2, n3"));
  EXPECT_EQ(Status().number_unavailable(), 1);
}

TEST_F(DaemonSets, APodForANodeThatIsGoneGoes) {
  world_.Put(Node("n1").Allocatable("0", "8Gi"));
  world_.Put(DaemonSet("log").Cpu("1"));
  Settle();
  world_.Remove("nodes/n1");
  Settle();
  EXPECT_THAT(Nodes(), ElementsAre("n2", "n3"));
}

TEST_F(DaemonSets, Behaviour40UpdatesOneNodeAfterAnother) {
  world_.Put(DaemonSet("log").Image("log:1"));
  Settle();
  SetImage("log:2");
  Rest();
  EXPECT_EQ(Ending(), 1);
  EXPECT_TRUE(world_.PodNamed(PodOn("n1")).metadata().has_deletion_timestamp());
  world_.Remove("pods/default/" + PodOn("n1"));
  Rest();
  EXPECT_EQ(ImageOf(PodOn("n1")), "log:2");
  EXPECT_EQ(Ending(), 0) << "the next node waits until this one serves again";
  Settle();
  EXPECT_THAT(Images(), ElementsAre("log:2", "log:2", "log:2"));
  EXPECT_EQ(Status().updated_number_scheduled(), 3);
}

TEST_F(DaemonSets, Behaviour40RollbackLeavesPodsThatHaveTheGoodTemplate) {
  world_.Put(DaemonSet("log").Image("log:1"));
  Settle();
  const std::string on_n2 = UidOf(PodOn("n2"));
  const std::string on_n3 = UidOf(PodOn("n3"));
  broken_images_ = {"log:broken"};
  SetImage("log:broken");
  Settle();
  EXPECT_THAT(Images(), ElementsAre("log:broken", "log:1", "log:1"));
  const auto undo = PlanTemplateUndo(world_.view(), *world_.Find("daemonsets/default/log"), 0);
  ASSERT_TRUE(undo.ok()) << undo.status();
  world_.Put(undo->owner);
  Settle();
  EXPECT_THAT(Images(), ElementsAre("log:1", "log:1", "log:1"));
  EXPECT_EQ(UidOf(PodOn("n2")), on_n2);
  EXPECT_EQ(UidOf(PodOn("n3")), on_n3);
  EXPECT_THAT(Revisions(), ElementsAre(2, 3));
}

TEST_F(DaemonSets, APodThatDoesNotServeIsUpdatedWhateverTheBudget) {
  world_.Put(DaemonSet("log").Image("log:1"));
  Settle();
  for (const std::string node : {"n2", "n3"}) {
    SetReady(PodOn(node), false);
    broken_.insert(PodOn(node));
  }
  SetImage("log:2");
  Rest();
  EXPECT_EQ(Ending(), 2);
  EXPECT_FALSE(world_.PodNamed(PodOn("n1")).metadata().has_deletion_timestamp());
}

TEST_F(DaemonSets, ByPercentSeveralNodesAtOnce) {
  world_.Put(DaemonSet("log").Image("log:1").Rolling("0", "50%"));
  Settle();
  SetImage("log:2");
  Rest();
  EXPECT_EQ(Ending(), 2);
}

TEST_F(DaemonSets, SurgeStartsTheNewPodBeforeTheOldOneGoes) {
  world_.Put(DaemonSet("log").Image("log:1").Rolling("1", "0"));
  Settle();
  SetImage("log:2");
  Rest();
  EXPECT_EQ(PodNames().size(), 4u);
  EXPECT_EQ(Ending(), 0);
  for (const v1::Pod& pod : Pods()) {
    if (pod.spec().containers(0).image() == "log:2") {
      EditPod(pod.metadata().name(),
              [](v1::Pod* each) { each->mutable_spec()->set_node_name("n1"); });
      SetReady(pod.metadata().name(), true);
    }
  }
  Pass();
  EXPECT_EQ(Ending(), 1);
  Settle();
  EXPECT_THAT(Images(), ElementsAre("log:2", "log:2", "log:2"));
  EXPECT_THAT(Nodes(), ElementsAre("n1", "n2", "n3"));
}

TEST_F(DaemonSets, OnDeleteWaitsForSomebodyToDelete) {
  world_.Put(DaemonSet("log").Image("log:1").OnDelete());
  Settle();
  SetImage("log:2");
  Settle();
  EXPECT_THAT(Images(), ElementsAre("log:1", "log:1", "log:1"));
  AskToEnd(PodOn("n2"));
  Settle();
  EXPECT_THAT(Images(), ElementsAre("log:1", "log:2", "log:1"));
}

TEST_F(DaemonSets, MinReadySecondsHoldTheNextNodeBack) {
  world_.Put(DaemonSet("log").Image("log:1").MinReady(10));
  Settle();
  EXPECT_EQ(Status().number_ready(), 3);
  EXPECT_EQ(Status().number_available(), 0);
  now_ += absl::Seconds(10);
  Settle();
  EXPECT_EQ(Status().number_available(), 3);
  SetImage("log:2");
  Settle();
  EXPECT_THAT(Images(), ElementsAre("log:2", "log:1", "log:1"));
  EXPECT_EQ(Pass().wake_at, now_ + absl::Seconds(10));
  now_ += absl::Seconds(10);
  Settle();
  EXPECT_THAT(Images(), ElementsAre("log:2", "log:2", "log:1"));
}

TEST_F(DaemonSets, OfTwoPodsOnANodeTheOlderStays) {
  world_.Put(DaemonSet("log"));
  Settle();
  v1::Pod twin = world_.PodNamed(PodOn("n1"));
  const std::string first = twin.metadata().name();
  twin.mutable_metadata()->set_name("twin");
  twin.mutable_metadata()->set_uid("twin");
  world_.Put(Wrap(twin));
  Settle();
  EXPECT_TRUE(Exists(first));
  EXPECT_FALSE(Exists("twin"));
}

TEST_F(DaemonSets, PodsCarryHashTolerationsAndOwner) {
  world_.Put(DaemonSet("log"));
  Pass();
  const v1::Pod pod = Pods().at(0);
  const auto& revisions = world_.view().All(v1::Object::kControllerRevision);
  ASSERT_EQ(revisions.size(), 1u);
  const v1::ControllerRevision revision = revisions.begin().entry()->object.controller_revision();
  EXPECT_EQ(LabelOf(pod.metadata(), kRevisionLabel), HashOf(revision));
  EXPECT_EQ(revision.metadata().name(), "log-" + HashOf(revision));
  EXPECT_EQ(pod.metadata().owner_references(0).kind(), "DaemonSet");
  std::set<std::string> keys;
  for (const v1::Toleration& each : pod.spec().tolerations()) keys.insert(each.key());
  EXPECT_THAT(keys,
              ElementsAre("node.kubernetes.io/disk-pressure", "node.kubernetes.io/memory-pressure",
                          "node.kubernetes.io/not-ready", "node.kubernetes.io/pid-pressure",
                          "node.kubernetes.io/unreachable", "node.kubernetes.io/unschedulable"));
}

TEST(NodeChoice, OperatorsOfRequiredAffinity) {
  struct Case {
    v1::NodeSelectorOperator how;
    std::vector<std::string> values;
    bool with;     // on a node with size=10
    bool without;  // on one without
  };
  const Case cases[] = {
      {v1::NODE_SELECTOR_OPERATOR_IN, {"9", "10"}, true, false},
      {v1::NODE_SELECTOR_OPERATOR_NOT_IN, {"10"}, false, true},
      {v1::NODE_SELECTOR_OPERATOR_EXISTS, {}, true, false},
      {v1::NODE_SELECTOR_OPERATOR_DOES_NOT_EXIST, {}, false, true},
      {v1::NODE_SELECTOR_OPERATOR_GT, {"9"}, true, false},
      {v1::NODE_SELECTOR_OPERATOR_LT, {"9"}, false, false},
  };
  const v1::Object with = Node("n").Label("size", "10").get();
  const v1::Object without = Node("m").get();
  for (const Case& each : cases) {
    v1::NodeSelector selector;
    EXPECT_FALSE(AnyTermHolds(selector, with.node())) << "no term matches nothing";
    auto* requirement = selector.add_node_selector_terms()->add_match_expressions();
    requirement->set_key("size");
    requirement->set_operator_(each.how);
    for (const std::string& value : each.values) requirement->add_values(value);
    EXPECT_EQ(AnyTermHolds(selector, with.node()), each.with) << each.how;
    EXPECT_EQ(AnyTermHolds(selector, without.node()), each.without) << each.how;
  }
}

}  // namespace
}  // namespace cluster::controller
