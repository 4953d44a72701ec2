// A cluster of one StatefulSet or DaemonSet after another: passes of their laws, and nodes that do
// what is asked of them.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/claims.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/daemon_set.h"
#include "controller/reconcile/garbage.h"
#include "controller/reconcile/stateful_set.h"
#include "controller/reconcile/template_history.h"
#include "controller/scheduler/scheduler.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {

class SetBench : public ::testing::Test {
 protected:
  // One pass of both laws.
  Changes Pass() {
    Changes changes = ReconcileStatefulSets(world_.view(), taken_, now_, &random_);
    MergeChanges(ReconcileDaemonSets(world_.view(), taken_, now_, &random_), &changes);
    EXPECT_TRUE(world_.Commit(changes).empty());
    return changes;
  }
  // Passes until nothing is written any more.
  void Rest() {
    for (int i = 0; i < 10; ++i) {
      if (Pass().writes.empty()) return;
    }
    FAIL() << "no fixpoint after ten passes";
  }
  // Rest, and nodes that place pods, start them and end them, until nothing moves any more.
  void Settle() {
    for (int i = 0; i < 50; ++i) {
      const store::Rev before = world_.view().revision();
      Rest();
      world_.Commit(ReconcileClaims(world_.view(), now_));
      world_.Commit(PlanChanges(world_.view(), ComputePlan(world_.view(), {}, now_), now_));
      for (const v1::Pod& pod : Pods()) Advance(pod);
      if (world_.view().revision() == before) return;
    }
    FAIL() << "the set does not come to rest";
  }

  // What its node does next.
  void Advance(const v1::Pod& pod) {
    const std::string& name = pod.metadata().name();
    if (pod.spec().node_name().empty()) return;
    if (pod.metadata().has_deletion_timestamp()) return world_.Remove("pods/default/" + name);
    if (broken_.count(name) != 0 || broken_images_.count(pod.spec().containers(0).image()) != 0) {
      return;
    }
    if (!IsTrue(pod.status().conditions(), "Ready") &&
        pod.status().phase() != v1::POD_PHASE_FAILED) {
      SetReady(name, true);
    }
  }

  template <typename Edit>
  void EditPod(const std::string& name, Edit edit) {
    v1::Pod pod = world_.PodNamed(name);
    edit(&pod);
    world_.Put(Wrap(std::move(pod)));
  }
  void SetReady(const std::string& name, bool ready) {
    EditPod(name, [&](v1::Pod* pod) {
      pod->mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
      SetCondition(
          {"Ready", ready ? v1::CONDITION_STATUS_TRUE : v1::CONDITION_STATUS_FALSE, "", ""}, now_,
          pod->mutable_status()->mutable_conditions());
    });
  }
  void Fail(const std::string& name) {
    EditPod(name, [&](v1::Pod* pod) {
      pod->mutable_status()->set_phase(v1::POD_PHASE_FAILED);
      SetCondition({"Ready", v1::CONDITION_STATUS_FALSE, "", ""}, now_,
                   pod->mutable_status()->mutable_conditions());
    });
  }
  void AskToEnd(const std::string& name) {
    EditPod(name, [&](v1::Pod* pod) {
      *pod->mutable_metadata()->mutable_deletion_timestamp() = Seconds(now_);
    });
  }

  std::vector<v1::Pod> Pods() const {
    std::vector<v1::Pod> pods;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      pods.push_back(entry->object.pod());
    }
    return pods;
  }
  std::vector<std::string> PodNames() const {
    std::vector<std::string> names;
    for (const v1::Pod& pod : Pods()) names.push_back(pod.metadata().name());
    return names;
  }
  bool Exists(const std::string& pod) const {
    return world_.Find("pods/default/" + pod) != nullptr;
  }
  std::string ImageOf(const std::string& pod) const {
    return world_.PodNamed(pod).spec().containers(0).image();
  }
  std::string UidOf(const std::string& pod) const { return world_.PodNamed(pod).metadata().uid(); }
  std::vector<int64_t> Revisions() const {
    std::vector<int64_t> numbers;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kControllerRevision)) {
      numbers.push_back(entry->object.controller_revision().revision());
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }

  domain::World world_;
  absl::Time now_ = absl::FromUnixSeconds(10'000);
  Random random_{1};
  absl::flat_hash_set<std::string> taken_;
  std::set<std::string> broken_;         // pods that never get ready
  std::set<std::string> broken_images_;  // the same of their images
};

}  // namespace cluster::controller
