// StatefulSets and DaemonSets live through random days: users scale, update, delete and undo; pods
// get ready, fail and end; nodes are lost, come back, change their labels and taints; commits are
// torn. After every write the laws hold: one pod per name, in order, within the budgets; and in the
// end everything is as it was asked for. A failure prints its seed.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/object/node_choice.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/reconcile.h"
#include "controller/reconcile/template_history.h"
#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/invariants.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::DaemonSet;
using domain::Node;
using domain::StatefulSet;
using domain::World;

constexpr int kNodes = 4;

struct Options {
  bool lose_nodes = false;
  bool tear_commits = false;
  // Between any two events the controller comes to rest, so that none of its decisions is stale.
  bool settle = false;
};

bool IsReadyPod(const v1::Pod& pod) {
  return IsTrue(pod.status().conditions(), "Ready") && !pod.metadata().has_deletion_timestamp() &&
         pod.status().phase() == v1::POD_PHASE_RUNNING;
}

// What really runs on the nodes, whatever the objects say: a pod runs from the time its node hears
// of it until the node has ended it, or has lost its lease and stops what is unique.
class Machines {
 public:
  void Start(const std::string& node, const v1::Pod& pod) {
    running_[node][pod.metadata().uid()] = pod.metadata().name();
  }
  void Stop(const std::string& node, const std::string& uid) { running_[node].erase(uid); }
  void StopUnique(const std::string& node) {
    std::erase_if(running_[node], [](const auto& pod) { return pod.second[0] == 's'; });
  }
  // Pods that the controller no longer lists for a node that it speaks to.
  void KeepOnly(const std::string& node, const std::set<std::string>& uids) {
    std::erase_if(running_[node], [&](const auto& pod) { return !uids.contains(pod.first); });
  }
  // The name of a StatefulSet's pod that runs twice, or "".
  std::string Twin() const {
    std::set<std::string> names;
    for (const auto& [node, pods] : running_) {
      for (const auto& [uid, name] : pods) {
        if (name[0] == 's' && !names.insert(name).second) return name;
      }
    }
    return "";
  }

 private:
  std::map<std::string, std::map<std::string, std::string>> running_;  // node -> uid -> name
};

class SetLife {
 public:
  SetLife(uint64_t seed, Options options) : random_(seed), options_(options), names_(seed) {
    for (int i = 0; i < kNodes; ++i) {
      const std::string name = absl::StrCat("n", i);
      world_.Put(Node(name).Allocatable("4", "8Gi", 20).Label("color", i % 2 == 0 ? "a" : "b"));
      contacts_[name] = {Contact::kReady, absl::ZeroDuration()};
    }
    world_.Put(domain::Namespace("default"));
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      now_ += absl::Milliseconds(Below(5000));
      if (Below(3) == 0) {
        UserActs();
      } else {
        ClusterActs();
      }
      if (options_.settle) {
        Settle();
      } else if (Below(2) == 0) {
        Pass();
      }
    }
  }

  // Everything works again, and time passes: the asked-for state is reached and kept.
  void Recover() {
    options_.tear_commits = false;
    for (auto& [name, contact] : contacts_) SetContact(name, Contact::kReady);
    // Somewhere every pod may run.
    v1::Object open = world_.Find("nodes/n0")->object;
    open.mutable_node()->mutable_spec()->clear_taints();
    world_.Put(open);
    for (int round = 0; round < 200 && !::testing::Test::HasFailure(); ++round) {
      now_ += absl::Seconds(5);
      const store::Rev before = world_.view().revision();
      Settle();
      const auto pods = world_.view().All(v1::Object::kPod);
      for (const auto& [key, entry] : pods) Advance(entry, true);
      if (world_.view().revision() == before) break;
    }
    Settle();
    CheckEnd();
  }

 private:
  int Below(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }

  // ---- users ----

  void UserActs() {
    const bool daemon = Below(3) == 0;
    const std::string name = absl::StrCat(daemon ? "d" : "s", Below(2));
    const std::string key = absl::StrCat(daemon ? "daemonsets" : "statefulsets", "/default/", name);
    const EntryPtr before = world_.Find(key);
    const int choice = Below(10);
    if (before == nullptr) {
      daemon ? CreateDaemonSet(name) : CreateStatefulSet(name);
    } else if (choice < 4) {
      Edit(before);
    } else if (choice < 6) {
      SetImage(before, absl::StrCat("app:", Below(4)));
    } else if (choice == 6) {
      const auto undo = PlanTemplateUndo(world_.view(), *before, 0);
      if (undo.ok()) Store(undo->owner);
    } else if (choice == 7 && Below(3) == 0) {
      world_.Remove(key);
    } else {
      DeleteSomePod();
    }
  }

  void CreateStatefulSet(const std::string& name) {
    StatefulSet set(name);
    set.Replicas(Below(5)).Cpu("100m").Uid(absl::StrCat(name, "-", ++uids_)).Start(Below(2));
    set.MaxUnavailable(Below(2) == 0 ? "1" : "50%");
    if (Below(3) == 0) set.Parallel();
    if (Below(4) == 0) set.Partition(Below(3));
    if (Below(6) == 0) set.OnDelete();
    world_.Put(set);
  }

  void CreateDaemonSet(const std::string& name) {
    DaemonSet set(name);
    set.Cpu("100m").Uid(absl::StrCat(name, "-", ++uids_));
    if (Below(3) == 0) set.Rolling("1", "0");
    if (Below(3) == 0) set.Rolling("0", "50%");
    if (Below(3) == 0) set.OnNodesWith("color", "a");
    world_.Put(set);
  }

  void Store(v1::Object after) {
    MutableMeta(&after)->set_generation(Meta(after).generation() + 1);
    world_.Put(std::move(after));
  }

  void Edit(const EntryPtr& before) {
    v1::Object after = before->object;
    if (after.has_stateful_set()) {
      v1::StatefulSetSpec* spec = after.mutable_stateful_set()->mutable_spec();
      if (Below(4) == 0 && spec->update_strategy().has_rolling_update()) {
        spec->mutable_update_strategy()->mutable_rolling_update()->set_partition(Below(3));
      } else {
        spec->set_replicas(Below(5));
      }
    } else {
      v1::DaemonSetSpec* spec = after.mutable_daemon_set()->mutable_spec();
      auto* selector = spec->mutable_template_()->mutable_spec()->mutable_node_selector();
      selector->clear();
      if (Below(2) == 0) (*selector)["color"] = Below(2) == 0 ? "a" : "b";
    }
    Store(std::move(after));
  }

  void SetImage(const EntryPtr& before, const std::string& image) {
    v1::Object after = before->object;
    v1::PodTemplateSpec* pods =
        after.has_stateful_set() ? after.mutable_stateful_set()->mutable_spec()->mutable_template_()
                                 : after.mutable_daemon_set()->mutable_spec()->mutable_template_();
    pods->mutable_spec()->mutable_containers(0)->set_image(image);
    Store(std::move(after));
  }

  EntryPtr SomePod() {
    const auto& pods = world_.view().All(v1::Object::kPod);
    if (pods.empty()) return nullptr;
    return std::next(pods.begin(), Below(static_cast<int>(pods.size()))).entry();
  }

  void DeleteSomePod() {
    const EntryPtr pod = SomePod();
    if (pod == nullptr) return;
    if (pod->object.pod().spec().node_name().empty()) return world_.Remove(pod->key);
    if (pod->object.pod().metadata().has_deletion_timestamp()) return;
    v1::Object after = pod->object;
    *MutableMeta(&after)->mutable_deletion_timestamp() = Seconds(now_);
    world_.Put(after);
  }

  // ---- nodes ----

  bool IsLost(const std::string& node) const {
    const auto contact = contacts_.find(node);
    return contact != contacts_.end() && contact->second.contact == Contact::kLost;
  }

  // A lost node has stopped what is unique by the time the controller counts it as lost; one that
  // is back first drops what is no longer its own.
  void SetContact(const std::string& node, Contact contact) {
    contacts_[node] = {contact, now_ - absl::UnixEpoch()};
    if (contact == Contact::kLost) machines_.StopUnique(node);
    if (contact != Contact::kReady) return;
    std::set<std::string> uids;
    for (const EntryPtr& pod : world_.view().PodsOnNode(node)) uids.insert(Meta(pod->object).uid());
    machines_.KeepOnly(node, uids);
  }

  void ClusterActs() {
    const std::string node = absl::StrCat("n", Below(kNodes));
    if (options_.lose_nodes && Below(6) == 0) {
      return SetContact(node, IsLost(node) ? Contact::kReady : Contact::kLost);
    }
    if (Below(12) == 0) return ChangeNode(node);
    for (int i = 0; i < 3; ++i) {
      const EntryPtr pod = SomePod();
      if (pod != nullptr) Advance(pod, false);
    }
  }

  void ChangeNode(const std::string& name) {
    v1::Object after = world_.Find("nodes/" + name)->object;
    (*MutableMeta(&after)->mutable_labels())["color"] = Below(2) == 0 ? "a" : "b";
    auto* taints = after.mutable_node()->mutable_spec()->mutable_taints();
    taints->Clear();
    if (Below(3) == 0) {
      taints->Add()->set_key("team");
      // One that evicts would end pods in an order of its own.
      taints->Mutable(0)->set_effect(v1::TAINT_EFFECT_NO_SCHEDULE);
    }
    world_.Put(after);
  }

  // What its node does to a pod next.
  void Advance(const EntryPtr& entry, bool well) {
    const v1::Pod& pod = entry->object.pod();
    const std::string& node = pod.spec().node_name();
    if (node.empty() || IsLost(node)) return;
    if (pod.metadata().has_deletion_timestamp()) {
      machines_.Stop(node, pod.metadata().uid());
      return world_.Remove(entry->key);
    }
    const bool over = pod.status().phase() == v1::POD_PHASE_FAILED;
    if (over) return machines_.Stop(node, pod.metadata().uid());
    machines_.Start(node, pod);
    ASSERT_EQ(machines_.Twin(), "");
    const bool fails = !well && Below(10) == 0;
    if (IsReadyPod(pod) && !fails) return;
    v1::Object after = entry->object;
    v1::PodStatus* status = after.mutable_pod()->mutable_status();
    const bool ready = !fails;
    status->set_phase(fails && Below(2) == 0 ? v1::POD_PHASE_FAILED : v1::POD_PHASE_RUNNING);
    for (const char* type : {"ContainersReady", "Ready"}) {
      SetCondition({type, ready ? v1::CONDITION_STATUS_TRUE : v1::CONDITION_STATUS_FALSE, "", ""},
                   now_, status->mutable_conditions());
    }
    world_.Put(after);
  }

  // ---- the controller ----

  // One pass; false when there was nothing to do.
  bool Pass() {
    world_.Pack();
    Changes changes =
        Reconcile(world_.view(), {now_, now_ - absl::UnixEpoch(), &contacts_, &brake_, &names_});
    MergeChanges(PlanChanges(world_.view(), ComputePlan(world_.view(), {}, now_), now_), &changes);
    const bool torn = options_.tear_commits && Below(3) == 0;
    const bool holes = options_.tear_commits && Below(3) == 0;
    const size_t end = torn && !changes.writes.empty()
                           ? static_cast<size_t>(Below(static_cast<int>(changes.writes.size())))
                           : changes.writes.size();
    // What a pass does is judged by what it saw: later writes of it may rest on earlier ones.
    const std::map<std::string, int> served = Served();
    std::map<std::string, int> taken_down;
    for (size_t i = 0; i < end; ++i) {
      if (holes && Below(4) == 0) continue;
      const Write& write = changes.writes[i];
      CheckOrder(write);
      CountTakenDown(write, &taken_down);
      EXPECT_TRUE(world_.Commit(write)) << write.key << ": built on a revision that is not there";
    }
    CheckBudgets(served, taken_down);
    CheckNames();
    EXPECT_EQ(domain::OvercommitProblem(world_.view()), "");
    return !changes.writes.empty();
  }

  void Settle() {
    for (int i = 0; i < 60; ++i) {
      if (!Pass() || ::testing::Test::HasFailure()) return;
    }
    FAIL() << "the controller writes on and on";
  }

  // ---- laws ----

  EntryPtr OwnerOf(const v1::Object& pod) const {
    const auto* owner = ControllerOf(Meta(pod));
    return owner == nullptr ? nullptr : world_.view().FindUid(owner->uid());
  }

  static int OrdinalIn(const std::string& name) {
    return std::stoi(name.substr(name.rfind('-') + 1));
  }

  static std::string Label(const v1::Object& pod) { return LabelOf(Meta(pod), kRevisionLabel); }

  // Ordered sets: a pod is made only when all before it serve, and taken away only when all after
  // it are gone.
  void CheckOrder(const Write& write) {
    const EntryPtr before = world_.Find(write.key);
    const bool makes = write.put.has_value() && write.put->has_pod() && before == nullptr;
    const bool ends = before != nullptr && before->object.has_pod() && write.put.has_value() &&
                      !Meta(before->object).has_deletion_timestamp() &&
                      Meta(*write.put).has_deletion_timestamp();
    if (!makes && !ends) return;
    const EntryPtr owner = OwnerOf(*write.put);
    if (owner == nullptr || !owner->object.has_stateful_set()) return;
    const v1::StatefulSet& set = owner->object.stateful_set();
    if (set.spec().pod_management_policy() == v1::POD_MANAGEMENT_POLICY_PARALLEL) return;
    const int start = set.spec().ordinals().start();
    const int ordinal = OrdinalIn(Meta(*write.put).name());
    if (makes) {
      for (int i = start; i < ordinal; ++i) {
        const EntryPtr pod =
            world_.Find(absl::StrCat("pods/default/", set.metadata().name(), "-", i));
        EXPECT_TRUE(pod != nullptr && IsReadyPod(pod->object.pod()))
            << write.key << " is made before " << i << " serves";
      }
    }
    const bool too_many = ordinal < start || ordinal >= start + set.spec().replicas();
    if (!ends || !too_many) return;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      if (OwnerOf(entry->object) != owner) continue;
      EXPECT_LE(OrdinalIn(Meta(entry->object).name()), ordinal)
          << write.key << " is taken away before " << key;
    }
  }

  // Pods that serve, by their set's key.
  std::map<std::string, int> Served() const {
    std::map<std::string, int> served;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      const EntryPtr owner = OwnerOf(entry->object);
      if (owner != nullptr && IsReadyPod(entry->object.pod())) ++served[owner->key];
    }
    return served;
  }

  // A pod that serves and is taken down though it is wanted where it is: for an update.
  void CountTakenDown(const Write& write, std::map<std::string, int>* counts) {
    const EntryPtr before = world_.Find(write.key);
    if (before == nullptr || !before->object.has_pod()) return;
    if (!IsReadyPod(before->object.pod())) return;
    const bool goes = !write.put.has_value() || Meta(*write.put).has_deletion_timestamp();
    if (!goes || IsLost(before->object.pod().spec().node_name())) return;
    const EntryPtr owner = OwnerOf(before->object);
    if (owner == nullptr) return;
    if (owner->object.has_stateful_set()) {
      const v1::StatefulSetSpec& spec = owner->object.stateful_set().spec();
      const int ordinal = OrdinalIn(Meta(before->object).name()) - spec.ordinals().start();
      if (ordinal < 0 || ordinal >= spec.replicas()) return;
      EXPECT_NE(spec.update_strategy().type(), v1::STATEFUL_SET_STRATEGY_TYPE_ON_DELETE);
      EXPECT_GE(ordinal, spec.update_strategy().rolling_update().partition()) << write.key;
    } else {
      const EntryPtr node = world_.Find("nodes/" + before->object.pod().spec().node_name());
      if (node == nullptr || !CountsFor(owner->object.daemon_set(), node->object.node())) return;
    }
    ++(*counts)[owner->key];
  }

  // This test's own idea of where a DaemonSet has to be.
  static bool CountsFor(const v1::DaemonSet& set, const v1::Node& node) {
    for (const auto& [key, value] : set.spec().template_().spec().node_selector()) {
      if (node.metadata().labels().at(key) != value) return false;
    }
    return std::none_of(node.spec().taints().begin(), node.spec().taints().end(),
                        [](const v1::Taint& taint) { return taint.key() == "team"; });
  }

  static int Part(const std::string& text, int total) {
    if (text.back() != '%') return std::stoi(text);
    return (total * std::stoi(text) + 99) / 100;
  }

  void CheckBudgets(const std::map<std::string, int>& served,
                    const std::map<std::string, int>& taken_down) {
    for (const auto& [key, count] : taken_down) {
      const v1::Object set = world_.Find(key)->object;
      int wanted = 0;
      int most = 1;
      if (set.has_stateful_set()) {
        wanted = set.stateful_set().spec().replicas();
        most = Part(set.stateful_set().spec().update_strategy().rolling_update().max_unavailable(),
                    wanted);
      } else {
        for (const auto& [name, node] : world_.view().All(v1::Object::kNode)) {
          wanted += CountsFor(set.daemon_set(), node->object.node()) ? 1 : 0;
        }
        const v1::RollingUpdate& update =
            set.daemon_set().spec().update_strategy().rolling_update();
        // By surge a pod goes only when the new one serves: then both count, or two of one node.
        if (Part(update.max_surge(), wanted) > 0) continue;
        most = Part(update.max_unavailable(), wanted);
      }
      EXPECT_LE(count, std::max(most, 1)) << key;
      const auto serving = served.find(key);
      const int left = (serving == served.end() ? 0 : serving->second) - count;
      EXPECT_GE(left, wanted - std::max(most, 1)) << key << " keeps too few pods that serve";
    }
  }

  // No two pods for one node of one DaemonSet but for one old and one new.
  void CheckNames() {
    std::map<std::string, std::set<std::string>> places;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      const EntryPtr owner = OwnerOf(entry->object);
      if (owner == nullptr || !owner->object.has_daemon_set()) continue;
      if (entry->object.pod().metadata().has_deletion_timestamp()) continue;
      const std::string node = PinnedNode(entry->object.pod().spec());
      EXPECT_TRUE(
          places[absl::StrCat(owner->key, " on ", node)].insert(Label(entry->object)).second)
          << key << " is one too many on " << node;
    }
  }

  void CheckEnd() {
    for (const auto& [key, entry] : world_.view().All(v1::Object::kStatefulSet)) {
      const v1::StatefulSet& set = entry->object.stateful_set();
      EXPECT_EQ(set.status().replicas(), set.spec().replicas()) << key;
      EXPECT_EQ(set.status().available_replicas(), set.spec().replicas()) << key;
      for (int i = 0; i < set.spec().replicas(); ++i) {
        const int ordinal = set.spec().ordinals().start() + i;
        const EntryPtr pod =
            world_.Find(absl::StrCat("pods/default/", set.metadata().name(), "-", ordinal));
        ASSERT_NE(pod, nullptr) << key << " " << ordinal;
        if (set.spec().update_strategy().has_rolling_update() &&
            i >= set.spec().update_strategy().rolling_update().partition()) {
          EXPECT_EQ(Label(pod->object), set.status().update_revision()) << pod->key;
        }
      }
    }
    for (const auto& [key, entry] : world_.view().All(v1::Object::kDaemonSet)) {
      const v1::DaemonSet& set = entry->object.daemon_set();
      int wanted = 0;
      for (const auto& [name, node] : world_.view().All(v1::Object::kNode)) {
        wanted += CountsFor(set, node->object.node()) ? 1 : 0;
      }
      EXPECT_EQ(set.status().desired_number_scheduled(), wanted) << key;
      EXPECT_EQ(set.status().updated_number_scheduled(), wanted) << key;
      EXPECT_EQ(set.status().number_available(), wanted) << key;
    }
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      EXPECT_NE(OwnerOf(entry->object), nullptr) << key << " is left over";
    }
    for (const auto& [key, entry] : world_.view().All(v1::Object::kControllerRevision)) {
      EXPECT_NE(OwnerOf(entry->object), nullptr) << key << " is left over";
    }
  }

  std::mt19937_64 random_;
  Options options_;
  Random names_;
  World world_;
  Machines machines_;
  NodeContacts contacts_;
  LossBrake brake_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  int uids_ = 0;
};

// An instrumented life takes many times as long.
#ifdef CLUSTER_SANITIZED
constexpr int kSetLives = 2;
#else
constexpr int kSetLives = 60;
#endif

class SetLaws : public ::testing::TestWithParam<int> {
 protected:
  void Live(Options options) {
    for (int i = 0; i < kSetLives && !HasFailure(); ++i) {
      const auto seed = static_cast<uint64_t>(1000 * GetParam() + i);
      SCOPED_TRACE(absl::StrCat("seed ", seed));
      SetLife life(seed, options);
      life.Run(120);
      life.Recover();
    }
  }
};

TEST_P(SetLaws, OrderNamesAndBudgetsHold) { Live({.settle = true}); }
TEST_P(SetLaws, TheyHoldWhenTheControllerIsBehind) { Live({}); }
TEST_P(SetLaws, Law8NoNameRunsTwiceWhenNodesAreLost) { Live({.lose_nodes = true}); }
TEST_P(SetLaws, Law3TornCommitsCostNoCorrectness) {
  Live({.lose_nodes = true, .tear_commits = true});
}

INSTANTIATE_TEST_SUITE_P(Seeds, SetLaws, ::testing::Range(0, 3));

}  // namespace
}  // namespace cluster::controller
