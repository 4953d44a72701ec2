// A Deployment called web in a world of its own, and nodes that do as they are told.
#pragma once

#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/data_versions.h"
#include "controller/reconcile/garbage.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/replicas.h"
#include "controller/reconcile/revisions.h"
#include "controller/reconcile/rollout.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {

inline const absl::Time kStart = absl::FromUnixSeconds(10'000);

class RolloutTest : public ::testing::Test {
 protected:
  // One pass of every law that a rollout needs.
  Changes Pass() {
    Changes changes = ReconcileGarbage(world_.view(), now_);
    for (const bool rollouts : {true, false}) {
      absl::flat_hash_set<std::string> taken;
      for (const Write& write : changes.writes) taken.insert(write.key);
      MergeChanges(rollouts ? ReconcileRollouts(world_.view(), taken, now_, &random_, &settled_)
                            : ReconcileReplicas(world_.view(), taken, now_, &random_, &settled_),
                   &changes);
    }
    MergeChanges(ReconcileCopies(world_.view(), changes), &changes);
    EXPECT_TRUE(world_.Commit(changes).empty());
    return changes;
  }
  void Settle() {
    for (int i = 0; i < 20; ++i) {
      if (Pass().writes.empty()) return;
    }
    FAIL() << "no fixpoint after twenty passes";
  }
  // Every pod gets ready, and those being ended are gone.
  void NodesDoTheirWork() {
    const auto pods = world_.view().All(v1::Object::kPod);
    for (const auto& [key, entry] : pods) {
      v1::Object pod = entry->object;
      if (IsTerminating(pod.pod())) {
        world_.Remove(key);
        continue;
      }
      pod.mutable_pod()->mutable_spec()->set_node_name("n");
      pod.mutable_pod()->mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
      SetCondition({"Ready", v1::CONDITION_STATUS_TRUE, "", ""}, now_,
                   pod.mutable_pod()->mutable_status()->mutable_conditions());
      world_.Put(pod);
    }
  }
  void Complete() {
    for (int i = 0; i < 40; ++i) {
      Settle();
      if (Progressing().reason() == "NewReplicaSetAvailable") return;
      NodesDoTheirWork();
    }
    FAIL() << "the rollout did not end";
  }
  // Applies as the API does: a change of spec is a new generation.
  void Apply(domain::Deployment deployment) {
    const EntryPtr before = world_.Find("deployments/default/web");
    if (before != nullptr) {
      *deployment.message().mutable_status() = before->object.deployment().status();
      *deployment.meta() = Meta(before->object);
      deployment.meta()->set_generation(deployment.meta()->generation() + 1);
    }
    world_.Put(deployment);
  }
  v1::Deployment Get() const { return world_.Find("deployments/default/web")->object.deployment(); }
  v1::Condition Progressing() const {
    const auto deployment = Get();
    const auto* condition = FindCondition(deployment.status().conditions(), "Progressing");
    return condition == nullptr ? v1::Condition() : *condition;
  }
  std::vector<v1::ReplicaSet> Sets() const {
    std::vector<v1::ReplicaSet> sets;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kReplicaSet)) {
      sets.push_back(entry->object.replica_set());
    }
    return sets;
  }
  // Replicas of the set with this image; -1 when there is none.
  int SizeOf(const std::string& image) const {
    for (const v1::ReplicaSet& set : Sets()) {
      if (set.spec().template_().spec().containers(0).image() == image) {
        return set.spec().replicas();
      }
    }
    return -1;
  }
  int PodsWith(const std::string& image) const {
    int count = 0;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      if (entry->object.pod().spec().containers(0).image() == image) ++count;
    }
    return count;
  }

  domain::World world_;
  Random random_{1};
  Settled settled_;
  absl::Time now_ = kStart;
};

}  // namespace cluster::controller
