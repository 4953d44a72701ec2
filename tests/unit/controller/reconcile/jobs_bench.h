// A job and its pods in memory, for tests that pass the controller over them.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/job_pods.h"
#include "controller/reconcile/jobs.h"
#include "controller/reconcile/pod_state.h"
#include "tests/domain/builders.h"
#include "tests/domain/job_builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {

class JobsBench : public ::testing::Test {
 protected:
  Changes Pass() {
    Changes changes = ReconcileJobs(world_.view(), taken_, now_, &random_);
    EXPECT_THAT(world_.Commit(changes), ::testing::IsEmpty());
    for (const EventNote& note : changes.events) reasons_.push_back(note.reason);
    return changes;
  }
  // Passes until nothing is written any more; the last answer.
  Changes Settle() {
    for (int i = 0; i < 8; ++i) {
      Changes changes = Pass();
      if (changes.writes.empty()) return changes;
    }
    ADD_FAILURE() << "no fixpoint after eight passes";
    return {};
  }
  std::vector<v1::Pod> Pods() const {
    std::vector<v1::Pod> pods;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      pods.push_back(entry->object.pod());
    }
    return pods;
  }
  std::vector<v1::Pod> Active() const {
    std::vector<v1::Pod> pods = Pods();
    std::erase_if(pods, [](const v1::Pod& pod) { return !IsActive(pod); });
    return pods;
  }
  void Change(const v1::Pod& pod, const std::function<void(v1::Pod*)>& edit) {
    v1::Pod after = pod;
    edit(&after);
    world_.Put(Wrap(std::move(after)));
  }
  void Bind(const v1::Pod& pod) {
    Change(pod, [](v1::Pod* after) {
      after->mutable_spec()->set_node_name("n1");
      after->mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
    });
  }
  void BindAll() {
    for (const v1::Pod& pod : Active()) Bind(pod);
  }
  void End(const v1::Pod& pod, int exit_code) {
    Change(pod, [&](v1::Pod* after) {
      after->mutable_spec()->set_node_name("n1");
      after->mutable_status()->set_phase(exit_code == 0 ? v1::POD_PHASE_SUCCEEDED
                                                        : v1::POD_PHASE_FAILED);
      v1::ContainerStatus* status = after->mutable_status()->add_container_statuses();
      status->set_name("main");
      status->mutable_state()->mutable_terminated()->set_exit_code(exit_code);
      *status->mutable_state()->mutable_terminated()->mutable_finished_at() = Seconds(now_);
    });
  }
  // As their node does once it is asked to.
  void RemoveEnded() {
    for (const v1::Pod& pod : Pods()) {
      if (!IsTerminating(pod) || !pod.metadata().finalizers().empty()) continue;
      world_.Remove(absl::StrCat("pods/default/", pod.metadata().name()));
    }
  }
  v1::Job Stored() const { return world_.Find("jobs/default/work")->object.job(); }
  const v1::JobStatus Status() const { return Stored().status(); }
  bool Holds(absl::string_view type) const { return IsTrue(Status().conditions(), type); }
  std::string ReasonOf(absl::string_view type) const {
    const auto status = Status();
    const v1::Condition* condition = FindCondition(status.conditions(), type);
    return condition == nullptr ? "" : condition->reason();
  }
  void Edit(const std::function<void(v1::JobSpec*)>& edit) {
    v1::Object after = world_.Find("jobs/default/work")->object;
    edit(after.mutable_job()->mutable_spec());
    world_.Put(after);
  }
  std::vector<int> ActiveIndexes() const {
    std::vector<int> indexes;
    for (const v1::Pod& pod : Active()) indexes.push_back(IndexOf(pod, Stored().spec()));
    std::sort(indexes.begin(), indexes.end());
    return indexes;
  }

  domain::World world_;
  Random random_{1};
  absl::flat_hash_set<std::string> taken_;
  absl::Time now_ = absl::FromUnixSeconds(100'000);
  std::vector<std::string> reasons_;
};

}  // namespace cluster::controller
