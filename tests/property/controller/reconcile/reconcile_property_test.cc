// A cluster in memory lives through random days: users deploy, scale, update, undo and delete; pods
// get ready and end; nodes are lost and come back; commits are torn. After every pass of the
// controller its laws hold, and in the end everything is as it was asked for. A failure prints its
// seed.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/reconcile.h"
#include "controller/reconcile/rollout.h"
#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/invariants.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::Deployment;
using domain::Node;
using domain::World;

struct Strategy {
  const char* surge;
  const char* unavailable;
  bool recreate = false;
};
constexpr Strategy kStrategies[] = {{"25%", "25%"}, {"1", "0"},     {"0", "1"},
                                    {"100%", "0"},  {"50%", "50%"}, {"", "", true}};

// Kubernetes' rounding, on its own here: surge up, unavailable down, never both zero.
int Part(const std::string& text, int replicas, bool up) {
  if (text.back() != '%') return std::stoi(text);
  const int percent = std::stoi(text);
  return (replicas * percent + (up ? 99 : 0)) / 100;
}

// Pods of one Deployment, counted afresh.
struct Count {
  int active = 0;
  int available = 0;
};

class Life {
 public:
  struct Options {
    bool lose_nodes = false;
    bool tear_commits = false;
    // Between any two events the controller comes to rest, so that none of its decisions is stale.
    bool settle = false;
  };

  Life(uint64_t seed, Options options) : random_(seed), options_(options), names_(seed) {
    for (int i = 0; i < 4; ++i) {
      const std::string name = absl::StrCat("n", i);
      world_.Put(Node(name).Allocatable("4", "8Gi", 12));
      contacts_[name] = {Contact::kReady, absl::ZeroDuration()};
    }
    world_.Put(domain::Namespace("default"));
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) {
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
    for (auto& [name, contact] : contacts_) contact.contact = Contact::kReady;
    for (int round = 0; round < 80 && !::testing::Test::HasFatalFailure(); ++round) {
      now_ += absl::Seconds(5);
      const store::Rev before = world_.view().revision();
      Settle();
      const auto pods = world_.view().All(v1::Object::kPod);
      for (const auto& [key, entry] : pods) Advance(entry);
      if (world_.view().revision() == before) break;
    }
    Settle();
    for (const auto& [key, entry] : world_.view().All(v1::Object::kDeployment)) {
      const v1::Deployment& deployment = entry->object.deployment();
      const int replicas = deployment.spec().replicas();
      EXPECT_EQ(CountOf(deployment).active, replicas) << key;
      EXPECT_EQ(deployment.status().updated_replicas(), replicas) << key;
      EXPECT_EQ(deployment.status().available_replicas(), replicas) << key;
    }
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      EXPECT_EQ(OwnersDeployment(entry->object.pod()).empty(), false) << key << " is left over";
    }
  }

 private:
  int Below(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }

  // ---- users ----

  void UserActs() {
    const std::string name = absl::StrCat("d", Below(3));
    const EntryPtr before = world_.Find("deployments/default/" + name);
    const int choice = Below(8);
    if (before == nullptr) {
      Create(name);
    } else if (choice < 3) {
      Change(before, [this](v1::DeploymentSpec* spec) { spec->set_replicas(Below(7)); });
    } else if (choice < 5) {
      Change(before, [this](v1::DeploymentSpec* spec) {
        spec->mutable_template_()->mutable_spec()->mutable_containers(0)->set_image(
            absl::StrCat("app:", Below(4)));
      });
    } else if (choice == 5) {
      const auto undo = PlanUndo(world_.view(), "default", name, 0);
      if (undo.ok()) {
        Change(before, [&undo](v1::DeploymentSpec* spec) { *spec = undo->deployment.spec(); });
        const auto after = world_.Find("deployments/default/" + name)->object.deployment();
        EXPECT_EQ(after.spec().template_().ShortDebugString(),
                  undo->deployment.spec().template_().ShortDebugString());
      }
    } else if (choice == 6 && Below(3) == 0) {
      world_.Remove(before->key);
    } else {
      DeleteSomePod();
    }
  }

  void Create(const std::string& name) {
    Deployment deployment(name);
    const Strategy& strategy = kStrategies[Below(6)];
    deployment.Replicas(Below(6)).Cpu("200m").Uid(absl::StrCat(name, "-", ++uids_));
    if (strategy.recreate) {
      deployment.Recreate();
    } else {
      deployment.Surge(strategy.surge, strategy.unavailable);
    }
    world_.Put(deployment);
  }

  template <typename Edit>
  void Change(const EntryPtr& before, Edit edit) {
    v1::Object after = before->object;
    edit(after.mutable_deployment()->mutable_spec());
    MutableMeta(&after)->set_generation(Meta(after).generation() + 1);
    world_.Put(after);
  }

  EntryPtr SomePod() {
    const auto& pods = world_.view().All(v1::Object::kPod);
    if (pods.empty()) return nullptr;
    return std::next(pods.begin(), Below(static_cast<int>(pods.size()))).entry();
  }

  void DeleteSomePod() {
    const EntryPtr pod = SomePod();
    if (pod == nullptr) return;
    if (pod->object.pod().spec().node_name().empty()) {
      world_.Remove(pod->key);
    } else if (!pod->object.pod().metadata().has_deletion_timestamp()) {
      v1::Object after = pod->object;
      *MutableMeta(&after)->mutable_deletion_timestamp() = Seconds(now_);
      world_.Put(after);
    }
  }

  // ---- nodes ----

  bool IsLost(const std::string& node) const {
    const auto contact = contacts_.find(node);
    return contact != contacts_.end() && contact->second.contact == Contact::kLost;
  }

  void ClusterActs() {
    if (options_.lose_nodes && Below(6) == 0) {
      NodeContact& contact = contacts_[absl::StrCat("n", Below(4))];
      contact.contact = contact.contact == Contact::kLost ? Contact::kReady : Contact::kLost;
      contact.since = now_ - absl::UnixEpoch();
      return;
    }
    for (int i = 0; i < 3; ++i) {
      const EntryPtr pod = SomePod();
      if (pod != nullptr) Advance(pod);
    }
  }

  // What its node does to a pod next.
  void Advance(const EntryPtr& entry) {
    const v1::Pod& pod = entry->object.pod();
    if (pod.spec().node_name().empty() || IsLost(pod.spec().node_name())) return;
    if (pod.metadata().has_deletion_timestamp()) {
      world_.Remove(entry->key);
      return;
    }
    if (IsTrue(pod.status().conditions(), "Ready")) return;
    v1::Object after = entry->object;
    after.mutable_pod()->mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
    auto* conditions = after.mutable_pod()->mutable_status()->mutable_conditions();
    SetCondition({"ContainersReady", v1::CONDITION_STATUS_TRUE, "", ""}, now_, conditions);
    SetCondition({"Ready", v1::CONDITION_STATUS_TRUE, "", ""}, now_, conditions);
    world_.Put(after);
  }

  // ---- the controller ----

  // One pass; false when there was nothing to do.
  bool Pass() {
    world_.Pack();
    // What is settled may be left out, and that changes nothing.
    Random names = names_;
    LossBrake brake = brake_;
    const Changes everything =
        Reconcile(world_.view(), {now_, now_ - absl::UnixEpoch(), &contacts_, &brake, &names});
    Changes changes = Reconcile(
        world_.view(), {now_, now_ - absl::UnixEpoch(), &contacts_, &brake_, &names_, &settled_});
    EXPECT_EQ(changes.writes.size(), everything.writes.size());
    for (size_t i = 0; i < std::min(changes.writes.size(), everything.writes.size()); ++i) {
      EXPECT_EQ(changes.writes[i].key, everything.writes[i].key);
    }
    MergeChanges(PlanChanges(world_.view(), ComputePlan(world_.view(), {}, now_), now_), &changes);
    std::map<std::string, Count> before;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kDeployment)) {
      before[key] = CountOf(entry->object.deployment());
    }
    const bool torn = options_.tear_commits && Below(3) == 0;
    const bool holes = options_.tear_commits && Below(3) == 0;
    const size_t end = torn && !changes.writes.empty()
                           ? static_cast<size_t>(Below(static_cast<int>(changes.writes.size())))
                           : changes.writes.size();
    for (size_t i = 0; i < end; ++i) {
      if (holes && Below(4) == 0) continue;
      const Write& write = changes.writes[i];
      EXPECT_TRUE(world_.Commit(write)) << write.key << ": built on a revision that is not there";
      CheckRecreate(write);
    }
    Check(before);
    return !changes.writes.empty();
  }

  void Settle() {
    for (int i = 0; i < 60; ++i) {
      if (!Pass() || ::testing::Test::HasFatalFailure()) return;
    }
    FAIL() << "the controller writes on and on";
  }

  // ---- laws ----

  // The Deployment that a pod belongs to, or "".
  std::string OwnersDeployment(const v1::Pod& pod) const {
    const auto* set = ControllerOf(pod.metadata());
    if (set == nullptr) return "";
    const EntryPtr entry = world_.view().FindUid(set->uid());
    if (entry == nullptr) return "";
    const auto* deployment = ControllerOf(Meta(entry->object));
    if (deployment == nullptr || world_.view().FindUid(deployment->uid()) == nullptr) return "";
    return "deployments/default/" + deployment->name();
  }

  Count CountOf(const v1::Deployment& deployment) const {
    Count count;
    const std::string key = "deployments/default/" + deployment.metadata().name();
    for (const auto& [pod_key, entry] : world_.view().All(v1::Object::kPod)) {
      const v1::Pod& pod = entry->object.pod();
      if (pod.metadata().has_deletion_timestamp() || OwnersDeployment(pod) != key) continue;
      ++count.active;
      if (IsTrue(pod.status().conditions(), "Ready") && !IsLost(pod.spec().node_name())) {
        ++count.available;
      }
    }
    return count;
  }

  void Check(const std::map<std::string, Count>& before) {
    ASSERT_EQ(domain::OvercommitProblem(world_.view()), "");
    for (const auto& [key, entry] : world_.view().All(v1::Object::kDeployment)) {
      const v1::DeploymentSpec& spec = entry->object.deployment().spec();
      const Count now = CountOf(entry->object.deployment());
      const Count was = before.at(key);
      int surge = 0;
      int unavailable = spec.replicas();
      if (spec.strategy().type() == v1::STRATEGY_TYPE_ROLLING_UPDATE) {
        surge = Part(spec.strategy().rolling_update().max_surge(), spec.replicas(), true);
        unavailable =
            Part(spec.strategy().rolling_update().max_unavailable(), spec.replicas(), false);
        if (surge == 0 && unavailable == 0) unavailable = 1;
      }
      // Above the bound only what a user's change left there, and never more of it.
      ASSERT_LE(now.active, std::max(spec.replicas() + surge, was.active)) << key;
      if (options_.settle && !options_.lose_nodes) {
        ASSERT_GE(now.available, std::min(spec.replicas() - unavailable, was.available)) << key;
      }
    }
  }

  // No new pod is made while a pod of another revision is left.
  void CheckRecreate(const Write& write) {
    if (write.expected != 0 || !write.put.has_value() || !write.put->has_pod()) return;
    const std::string key = OwnersDeployment(write.put->pod());
    if (key.empty()) return;
    const auto deployment = world_.Find(key)->object.deployment();
    if (deployment.spec().strategy().type() != v1::STRATEGY_TYPE_RECREATE) return;
    const std::string& set = ControllerOf(write.put->pod().metadata())->uid();
    for (const auto& [pod_key, entry] : world_.view().All(v1::Object::kPod)) {
      if (OwnersDeployment(entry->object.pod()) != key) continue;
      EXPECT_EQ(ControllerOf(Meta(entry->object))->uid(), set)
          << pod_key << " is left while " << write.key << " is made";
    }
  }

  std::mt19937_64 random_;
  Options options_;
  Random names_;
  World world_;
  NodeContacts contacts_;
  LossBrake brake_;
  Settled settled_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  int uids_ = 0;
};

// An instrumented life takes many times as long.
#ifdef CLUSTER_SANITIZED
constexpr int kLives = 2;
#else
constexpr int kLives = 40;
#endif

class ReconcileLaws : public ::testing::TestWithParam<int> {
 protected:
  void Live(Life::Options options) {
    for (int i = 0; i < kLives && !HasFailure(); ++i) {
      const auto seed = static_cast<uint64_t>(1000 * GetParam() + i);
      SCOPED_TRACE(absl::StrCat("seed ", seed));
      Life life(seed, options);
      life.Run(120);
      life.Recover();
    }
  }
};

TEST_P(ReconcileLaws, BoundsHoldThroughUpdatesScalingAndDeletion) { Live({.settle = true}); }
TEST_P(ReconcileLaws, BoundsHoldWhenTheControllerIsBehind) { Live({}); }
TEST_P(ReconcileLaws, BoundsHoldWhenNodesAreLost) { Live({.lose_nodes = true}); }
TEST_P(ReconcileLaws, Law3TornCommitsCostNoCorrectness) {
  Live({.lose_nodes = true, .tear_commits = true});
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReconcileLaws, ::testing::Range(0, 3));

}  // namespace
}  // namespace cluster::controller
