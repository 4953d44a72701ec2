// Node affinity, pod affinity and anti-affinity, image locality, packing: one rule at a time.
#include "tests/domain/placing.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/now.h"

namespace cluster::controller {
namespace {

using domain::Away;
using domain::Namespace;
using domain::Near;
using domain::Needs;
using domain::NeedsName;
using domain::Node;
using domain::Pod;
using domain::Prefers;
using domain::RatherAway;
using domain::RatherNear;
using domain::ReplicaSet;
using domain::World;
using ::testing::ElementsAre;
using ::testing::Pair;

constexpr char kHost[] = "kubernetes.io/hostname";

Node Labeled(const std::string& name, const std::string& zone) {
  return Node(name).Label(kHost, name).Label("zone", zone);
}

Pod On(const std::string& name, const std::string& app, const std::string& node) {
  return Pod(name).Label("app", app).On(node);
}

// The node of the pod "new", or "" with the summary in `why`.
std::string NodeOf(const World& world, std::string* why = nullptr, SchedulerOptions options = {}) {
  const Plan plan = ComputePlan(world.view(), options, kNow);
  for (const Binding& binding : plan.bindings) {
    if (binding.pod_key == "pods/default/new") return binding.node;
  }
  if (why != nullptr) *why = plan.unschedulable.at(0).summary;
  return "";
}

struct AffinityCase {
  const char* name;
  domain::PlacingWords words;
  const char* node;  // "": nowhere
};

TEST(NodeAffinity, KnowsEveryOperator) {
  const std::vector<AffinityCase> cases = {
      {"In", Needs("disk", v1::NODE_SELECTOR_OPERATOR_IN, {"tape", "ssd"}), "n2"},
      {"In, nowhere", Needs("disk", v1::NODE_SELECTOR_OPERATOR_IN, {"tape"}), ""},
      {"NotIn holds without the label",
       Needs("disk", v1::NODE_SELECTOR_OPERATOR_NOT_IN, {"hdd", "ssd"}), "n3"},
      {"Exists", Needs("gpu", v1::NODE_SELECTOR_OPERATOR_EXISTS), "n2"},
      {"DoesNotExist", Needs("disk", v1::NODE_SELECTOR_OPERATOR_DOES_NOT_EXIST), "n3"},
      {"Gt", Needs("cores", v1::NODE_SELECTOR_OPERATOR_GT, {"9"}), "n2"},
      {"Gt is not Ge", Needs("cores", v1::NODE_SELECTOR_OPERATOR_GT, {"16"}), ""},
      {"Lt", Needs("cores", v1::NODE_SELECTOR_OPERATOR_LT, {"5"}), "n1"},
      {"Lt of no number", Needs("gpu", v1::NODE_SELECTOR_OPERATOR_LT, {"5"}), ""},
      {"the node's name", NeedsName(v1::NODE_SELECTOR_OPERATOR_IN, "n3"), "n3"},
      {"not that name", NeedsName(v1::NODE_SELECTOR_OPERATOR_NOT_IN, "n1"), "n2"},
      {"a term without requirements matches nothing",
       [](v1::PodSpec* spec) {
         spec->mutable_affinity()
             ->mutable_node_affinity()
             ->mutable_required_during_scheduling_ignored_during_execution()
             ->add_node_selector_terms();
       },
       ""},
  };
  for (const AffinityCase& each : cases) {
    World world;
    world.Put(Node("n1").Label("disk", "hdd").Label("cores", "4"));
    world.Put(Node("n2").Label("disk", "ssd").Label("cores", "16").Label("gpu", "yes"));
    world.Put(Node("n3"));
    world.Put(Pod("new").With(each.words));
    EXPECT_EQ(NodeOf(world), each.node) << each.name;
  }
}

TEST(NodeAffinity, OneOfTheTermsIsEnoughAndAllRequirementsOfATermMustHold) {
  World world;
  world.Put(Node("n1").Label("a", "1"));
  world.Put(Node("n2").Label("b", "1"));
  Pod pod("new");
  pod.With(Needs("c", v1::NODE_SELECTOR_OPERATOR_EXISTS))
      .With(Needs("b", v1::NODE_SELECTOR_OPERATOR_EXISTS));
  world.Put(pod);
  EXPECT_EQ(NodeOf(world), "n2");
  auto* requirement = pod.spec()
                          ->mutable_affinity()
                          ->mutable_node_affinity()
                          ->mutable_required_during_scheduling_ignored_during_execution()
                          ->mutable_node_selector_terms(1)
                          ->add_match_expressions();
  requirement->set_key("a");
  requirement->set_operator_(v1::NODE_SELECTOR_OPERATOR_EXISTS);
  world.Put(pod);
  std::string why;
  EXPECT_EQ(NodeOf(world, &why), "");
  EXPECT_EQ(why,
            "0/2 nodes are available: 2 node(s) didn't match the pod's node affinity on n1, n2.");
}

TEST(NodeAffinity, PreferencesAddUpAndComeBeforeRoom) {
  World world;
  world.Put(Node("n1").Label("a", "1"));
  world.Put(Node("n2").Label("b", "1").Label("c", "1"));
  world.Put(Node("n3"));
  world.Put(Pod("big").Cpu("3").On("n2"));
  world.Put(Pod("new")
                .Cpu("100m")
                .With(Prefers(50, "a", "1"))
                .With(Prefers(30, "b", "1"))
                .With(Prefers(21, "c", "1")));
  EXPECT_EQ(NodeOf(world), "n2");
}

TEST(PodAffinity, GoesToTheZoneOfTheOthers) {
  World world;
  world.Put(Labeled("n1", "a"));
  world.Put(Labeled("n2", "b"));
  world.Put(Labeled("n3", "b"));
  world.Put(On("db", "db", "n3"));
  world.Put(Pod("new").With(Near("app", "db", "zone")));
  EXPECT_EQ(NodeOf(world), "n2");
  world.Put(Pod("new").With(Near("app", "db", kHost)));
  EXPECT_EQ(NodeOf(world), "n3");
  world.Put(Pod("new").With(Near("app", "cache", "zone")));
  std::string why;
  EXPECT_EQ(NodeOf(world, &why), "");
  EXPECT_EQ(why,
            "0/3 nodes are available: 3 node(s) didn't match pod affinity rules on n1, n2, n3.");
}

TEST(PodAffinity, TheFirstOfAGroupThatWantsItselfMayGoAnywhereAndTheOthersFollow) {
  World world;
  world.Put(Labeled("n1", "a").Allocatable("1", "8Gi"));
  world.Put(Labeled("n2", "b"));
  world.Put(Labeled("n3", "b"));
  for (int i = 0; i < 4; ++i) {
    world.Put(Pod(absl::StrCat("web", i))
                  .Cpu("800m")
                  .Label("app", "web")
                  .CreatedAt(i)
                  .With(Near("app", "web", "zone")));
  }
  const Plan plan = ComputePlan(world.view(), {}, kNow);
  ASSERT_EQ(plan.bindings.size(), 4u);
  for (const Binding& binding : plan.bindings) EXPECT_NE(binding.node, "n1") << binding.pod_key;
}

TEST(PodAffinity, ThePodItselfIsNoOtherWhereItIsNotOfTheSelection) {
  World world;
  world.Put(Labeled("n1", "a"));
  world.Put(Pod("new").Label("app", "web").With(Near("app", "db", "zone")));
  EXPECT_EQ(NodeOf(world), "");
}

TEST(PodAntiAffinity, KeepsReplicasApart) {
  World world;
  for (const char* name : {"n1", "n2", "n3"}) world.Put(Labeled(name, "z"));
  for (int i = 0; i < 4; ++i) {
    world.Put(Pod(absl::StrCat("web", i))
                  .Label("app", "web")
                  .CreatedAt(i)
                  .With(Away("app", "web", kHost)));
  }
  const Plan plan = ComputePlan(world.view(), {}, kNow);
  ASSERT_EQ(plan.bindings.size(), 3u);
  EXPECT_EQ(plan.bindings[0].node, "n1");
  EXPECT_EQ(plan.bindings[1].node, "n2");
  EXPECT_EQ(plan.bindings[2].node, "n3");
  EXPECT_EQ(plan.unschedulable.at(0).summary,
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules on n1, n2, "
            "n3, 3 node(s) didn't satisfy existing pods anti-affinity rules on n1, n2, n3.");
}

TEST(PodAntiAffinity, IsSymmetricForPodsThatAreThere) {
  World world;
  world.Put(Labeled("n1", "a"));
  world.Put(Labeled("n2", "b"));
  world.Put(On("loner", "loner", "n1").With(Away("app", "web", "zone")));
  world.Put(Pod("busy").Cpu("3").On("n2"));
  world.Put(Pod("new").Label("app", "web"));
  EXPECT_EQ(NodeOf(world), "n2");
  world.Put(Labeled("n2", "a"));
  std::string why;
  EXPECT_EQ(NodeOf(world, &why), "");
  EXPECT_EQ(why,
            "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules "
            "on n1, n2.");
}

TEST(PodAntiAffinity, LooksOnlyIntoItsNamespaces) {
  World world;
  world.Put(Labeled("n1", "a"));
  world.Put(Namespace("default"));
  world.Put(Namespace("other").Label("team", "x"));
  world.Put(On("web", "web", "n1").In("other"));
  Pod pod("new");
  pod.With(Away("app", "web", kHost));
  world.Put(pod);
  EXPECT_EQ(NodeOf(world), "n1") << "its own namespace alone";
  v1::PodAffinityTerm* term = pod.spec()
                                  ->mutable_affinity()
                                  ->mutable_pod_anti_affinity()
                                  ->mutable_required_during_scheduling_ignored_during_execution(0);
  term->add_namespaces("other");
  world.Put(pod);
  EXPECT_EQ(NodeOf(world), "") << "by name";
  term->clear_namespaces();
  (*term->mutable_namespace_selector()->mutable_match_labels())["team"] = "x";
  world.Put(pod);
  EXPECT_EQ(NodeOf(world), "") << "by label";
  (*term->mutable_namespace_selector()->mutable_match_labels())["team"] = "y";
  world.Put(pod);
  EXPECT_EQ(NodeOf(world), "n1") << "by another label";
  term->mutable_namespace_selector()->clear_match_labels();
  world.Put(pod);
  EXPECT_EQ(NodeOf(world), "") << "every namespace";
}

TEST(PodAntiAffinity, MatchLabelKeysKeepRevisionsApartFromTheirOwnAlone) {
  World world;
  world.Put(Labeled("n1", "a"));
  world.Put(On("old", "web", "n1").Label("rev", "1"));
  Pod pod("new");
  pod.Label("app", "web").Label("rev", "2").With(Away("app", "web", kHost));
  v1::PodAffinityTerm* term = pod.spec()
                                  ->mutable_affinity()
                                  ->mutable_pod_anti_affinity()
                                  ->mutable_required_during_scheduling_ignored_during_execution(0);
  term->add_match_label_keys("rev");
  world.Put(pod);
  EXPECT_EQ(NodeOf(world), "n1");
  term->clear_match_label_keys();
  term->add_mismatch_label_keys("rev");
  world.Put(pod);
  EXPECT_EQ(NodeOf(world), "");
}

TEST(PodAffinity, PreferencesOfThePodAndOfThoseThatAreThereCount) {
  World world;
  world.Put(Labeled("n1", "a"));
  world.Put(Labeled("n2", "b"));
  world.Put(Labeled("n3", "c"));
  world.Put(On("db", "db", "n2"));
  world.Put(On("noisy", "noisy", "n1"));
  world.Put(Pod("new").With(RatherNear(10, "app", "db", "zone")));
  EXPECT_EQ(NodeOf(world), "n2");
  world.Put(Pod("new")
                .With(RatherAway(10, "app", "noisy", "zone"))
                .With(RatherAway(10, "app", "db", "zone")));
  EXPECT_EQ(NodeOf(world), "n3");
  world.Put(On("fan", "fan", "n3").With(RatherNear(50, "app", "star", kHost)));
  world.Put(Pod("new").Label("app", "star"));
  EXPECT_EQ(NodeOf(world), "n3");
  world.Put(On("fan", "fan", "n1").With(RatherAway(50, "app", "star", kHost)));
  EXPECT_EQ(NodeOf(world), "n3") << "n1 is disliked, and of the others n2 is no emptier";
}

TEST(Images, ANodeThatHasABigImageIsWorthMoreThanALittleRoom) {
  World world;
  world.Put(Node("n1"));
  Node with("n2");
  v1::ContainerImage* image = with.message().mutable_status()->add_images();
  image->add_names("app:1");
  image->set_size_bytes(int64_t{900} << 20);
  world.Put(with);
  world.Put(Pod("there").Cpu("100m").On("n2"));
  world.Put(Pod("new").Cpu("100m"));
  EXPECT_EQ(NodeOf(world), "n2");
  world.Put(Pod("there").Cpu("3").On("n2"));
  EXPECT_EQ(NodeOf(world), "n1");
  image->set_size_bytes(int64_t{20} << 20);
  world.Put(with);
  world.Put(Pod("there").Cpu("100m").On("n2"));
  EXPECT_EQ(NodeOf(world), "n1") << "a small image is there in no time";
}

TEST(Images, NamesAreComparedAsNodesListThem) {
  for (const char* name : {"docker.io/library/app:1", "app:1"}) {
    World world;
    world.Put(Node("n1"));
    Node with("n2");
    v1::ContainerImage* image = with.message().mutable_status()->add_images();
    image->add_names("app:1");
    image->set_size_bytes(int64_t{900} << 20);
    world.Put(with);
    world.Put(Pod("there").Cpu("100m").On("n2"));
    world.Put(Pod("new").Image(name).Cpu("100m"));
    EXPECT_EQ(NodeOf(world), "n2") << name;
  }
}

TEST(Packing, FillsTheFullestNodeThatStillFits) {
  World world;
  for (const char* name : {"n1", "n2", "n3"}) world.Put(Node(name).Allocatable("4", "8Gi"));
  world.Put(Pod("a").Cpu("3500m").On("n3"));
  world.Put(Pod("b").Cpu("2").On("n2"));
  const v1::Object owner = ReplicaSet("web");
  for (int i = 0; i < 3; ++i) {
    world.Put(Pod(absl::StrCat("web-", i)).Cpu("1").CreatedAt(i).OwnedBy(owner));
  }
  const Plan packed = ComputePlan(world.view(), {.strategy = Strategy::kPack}, kNow);
  ASSERT_EQ(packed.bindings.size(), 3u);
  EXPECT_EQ(packed.bindings[0].node, "n2");
  EXPECT_EQ(packed.bindings[1].node, "n2");
  EXPECT_EQ(packed.bindings[2].node, "n1");
  const Plan spread = ComputePlan(world.view(), {}, kNow);
  EXPECT_EQ(spread.bindings[0].node, "n1");
  EXPECT_EQ(spread.bindings[1].node, "n2");
}

TEST(Scheduler, Behaviour50NodeSelectorThatMatchesRunsThereAndOneThatMatchesNoneWaits) {
  World world;
  world.Put(Node("n1"));
  world.Put(Node("n2").Label("disk", "ssd"));
  world.Put(Pod("new").OnNodesWith("disk", "ssd"));
  EXPECT_EQ(NodeOf(world), "n2");
  world.Put(Pod("new").OnNodesWith("disk", "tape"));
  std::string why;
  EXPECT_EQ(NodeOf(world, &why), "");
  EXPECT_EQ(why,
            "0/2 nodes are available: 2 node(s) didn't match the pod's nodeSelector on n1, n2.");
}

TEST(Scheduler, Behaviour51HostPortsConflictByPortProtocolAndAddress) {
  struct PortCase {
    const char* held;
    const char* wanted;
    v1::Protocol protocol;
    bool fits;
  };
  const std::vector<PortCase> cases = {
      {"127.0.0.1", "127.0.0.1", v1::PROTOCOL_TCP, false},
      {"127.0.0.1", "", v1::PROTOCOL_TCP, false},
      {"", "127.0.0.1", v1::PROTOCOL_TCP, false},
      {"127.0.0.1", "127.0.0.2", v1::PROTOCOL_TCP, true},
      {"127.0.0.1", "127.0.0.1", v1::PROTOCOL_UDP, true},
      {"", "", v1::PROTOCOL_UDP, true},
  };
  for (const PortCase& each : cases) {
    World world;
    world.Put(Node("n1"));
    world.Put(Pod("held").HostPort(8080, v1::PROTOCOL_TCP, each.held).On("n1"));
    world.Put(Pod("new").HostPort(8080, each.protocol, each.wanted));
    EXPECT_EQ(NodeOf(world), each.fits ? "n1" : "") << each.held << " " << each.wanted;
  }
}

TEST(Scheduler, Behaviour49StartsWhenCapacityFrees) {
  World world;
  world.Put(Node("n1").Allocatable("1", "8Gi"));
  world.Put(Pod("there").Cpu("800m").On("n1"));
  world.Put(Pod("new").Cpu("500m"));
  Scheduler scheduler{SchedulerOptions{}};
  const Plan full = scheduler.Compute(world.view(), kNow);
  EXPECT_EQ(full.unschedulable.at(0).summary,
            "0/1 nodes are available: 1 Insufficient cpu (300m lacking) on n1.");
  const EntryPtr gone = world.Find("pods/default/there");
  world.Remove("pods/default/there");
  scheduler.Note(gone, nullptr);
  EXPECT_EQ(scheduler.Compute(world.view(), kNow).bindings.at(0).node, "n1");
}

}  // namespace
}  // namespace cluster::controller
