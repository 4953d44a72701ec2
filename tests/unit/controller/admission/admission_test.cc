#include "controller/admission/admission.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/cron_jobs.h"
#include "controller/reconcile/jobs.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/replicas.h"
#include "rules.h"
#include "tests/domain/builders.h"
#include "tests/domain/job_builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using domain::ReplicaSet;
using domain::World;
using ::testing::IsEmpty;

class Admission : public ::testing::Test {
 protected:
  Changes Pass() {
    Changes changes = ReconcileReplicas(world_.view(), {}, now_, &random_);
    MergeChanges(ReconcileCronJobs(world_.view(), {}, now_, &random_), &changes);
    MergeChanges(ReconcileJobs(world_.view(), {}, now_, &random_), &changes);
    AdmitCreations(world_.view(), now_, &changes);
    EXPECT_THAT(world_.Commit(changes), IsEmpty());
    for (const EventNote& note : changes.events) {
      if (note.reason == "FailedCreate") failures_.push_back(note.message);
      if (note.reason == "SuccessfulCreate") ++created_;
    }
    return changes;
  }
  void Settle() {
    for (int i = 0; i < 10; ++i) {
      if (Pass().writes.empty()) return;
    }
    FAIL() << "no fixpoint after ten passes";
  }
  std::vector<v1::Pod> Pods() const {
    std::vector<v1::Pod> pods;
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      pods.push_back(entry->object.pod());
    }
    return pods;
  }
  std::string Used(const std::string& what) const {
    return world_.Find("resourcequotas/default/q")
        ->object.resource_quota()
        .status()
        .used()
        .at(what);
  }
  const v1::Condition* Failure(const v1::Object& object) {
    stored_ = object;
    return FindCondition(stored_.replica_set().status().conditions(), "ReplicaFailure");
  }
  v1::Object Set() const { return world_.Find("replicasets/default/web")->object; }

  World world_;
  Random random_{1};
  absl::Time now_ = absl::FromUnixSeconds(100'000);
  std::vector<std::string> failures_;
  int created_ = 0;
  v1::Object stored_;
};

TEST_F(Admission, Behaviour55PodsOfControllersGetTheDefaultsToo) {
  world_.Put(Range("limits", "type: Container, default: {cpu: 500m}, defaultRequest: {cpu: 100m}"));
  world_.Put(ReplicaSet("web").Replicas(2));
  Settle();
  ASSERT_EQ(Pods().size(), 2u);
  EXPECT_EQ(Pods()[0].spec().containers(0).resources().requests().at("cpu"), "100m");
  EXPECT_EQ(Pods()[0].status().qos_class(), v1::QOS_CLASS_BURSTABLE);
}

TEST_F(Admission, Behaviour55RefusedPodsAreSaidInTheConditionOfTheirOwner) {
  world_.Put(Range("limits", "type: Container, max: {cpu: 1}"));
  world_.Put(ReplicaSet("web").Request("cpu", "2").Limit("cpu", "2"));
  Settle();
  EXPECT_EQ(Pods().size(), 0u);
  const v1::Condition* failure = Failure(Set());
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->status(), v1::CONDITION_STATUS_TRUE);
  EXPECT_EQ(failure->reason(), "FailedCreate");
  EXPECT_EQ(failure->message(),
            "pods \"web-\" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, "
            "maximum cpu usage per Container is 1, but request is 2]");
  EXPECT_THAT(failures_,
              testing::ElementsAre(absl::StrCat("Error creating: ", failure->message())));
  EXPECT_EQ(created_, 0) << "nobody says that it was created";
}

TEST_F(Admission, Behaviour56OfTwoRefusedSetsTheirDeploymentSaysOneAndTheSame) {
  world_.Put(Quota("q", "pods: 1"));
  world_.Put(domain::Deployment("web"));
  for (const char* name : {"web-1", "web-2"}) {
    world_.Put(
        ReplicaSet(name).Replicas(2).OwnedBy(world_.Find("deployments/default/web")->object));
  }
  Settle();
  const v1::Object said = world_.Find("deployments/default/web")->object;
  EXPECT_TRUE(IsTrue(said.deployment().status().conditions(), "ReplicaFailure"));
  EXPECT_THAT(Pass().writes, IsEmpty());
}

TEST_F(Admission, Behaviour55AnUnfitDefaultIsSaidAndNotMade) {
  world_.Put(Range("limits", "type: Container, default: {cpu: 1}"));
  world_.Put(ReplicaSet("web").Request("cpu", "2"));
  Settle();
  EXPECT_EQ(Pods().size(), 0u);
  ASSERT_NE(Failure(Set()), nullptr);
}

TEST_F(Admission, Behaviour56AsManyAsTheQuotaAllowsAndTheRestWhenThereIsRoom) {
  world_.Put(Quota("q", "pods: 2"));
  world_.Put(ReplicaSet("web").Replicas(5));
  Settle();
  EXPECT_EQ(Pods().size(), 2u);
  EXPECT_EQ(Used("pods"), "2");
  EXPECT_EQ(created_, 2);
  ASSERT_NE(Failure(Set()), nullptr);
  EXPECT_EQ(Failure(Set())->message(),
            "pods \"web-\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, "
            "limited: pods=2");
  EXPECT_EQ(failures_.size(), 1u) << "it is said once, not in each pass";
  v1::Object more = world_.Find("resourcequotas/default/q")->object;
  (*more.mutable_resource_quota()->mutable_spec()->mutable_hard())["pods"] = "9";
  world_.Put(more);
  Settle();
  EXPECT_EQ(Pods().size(), 5u);
  EXPECT_EQ(Used("pods"), "5");
  EXPECT_EQ(Failure(Set()), nullptr);
}

TEST_F(Admission, Behaviour56TheStatusFallsWithTheObjects) {
  world_.Put(Quota("q", "pods: 2"));
  world_.Put(domain::Pod("a"));
  Settle();
  EXPECT_EQ(Used("pods"), "1");
  world_.Remove("pods/default/a");
  Settle();
  EXPECT_EQ(Used("pods"), "0");
}

TEST_F(Admission, Behaviour56WhatAQuotaCountsIsWrittenWithIt) {
  world_.Put(Quota("q", "pods: 3"));
  Settle();
  world_.Put(ReplicaSet("web").Replicas(2));
  Changes lost = ReconcileReplicas(world_.view(), {}, now_, &random_);
  AdmitCreations(world_.view(), now_, &lost);
  // A user's pods come in between, and are counted.
  v1::Object counted = world_.Find("resourcequotas/default/q")->object;
  (*counted.mutable_resource_quota()->mutable_status()->mutable_used())["pods"] = "2";
  world_.Put(counted);
  world_.Put(domain::Pod("a"));
  world_.Put(domain::Pod("b"));
  EXPECT_FALSE(world_.Commit(lost).empty());
  EXPECT_EQ(Pods().size(), 2u) << "none of the two was made";
  Settle();
  EXPECT_EQ(Pods().size(), 3u);
}

TEST_F(Admission, Behaviour56MoreThanOneTransactionHoldsTakesSeveralPasses) {
  world_.Put(Quota("q", "pods: 900"));
  world_.Put(ReplicaSet("web").Replicas(1000));
  const Changes first = Pass();
  EXPECT_LE(first.writes.size(), kMostTogether + 1);
  Settle();
  EXPECT_EQ(Pods().size(), 900u);
  EXPECT_EQ(Used("pods"), "900");
}

TEST_F(Admission, Behaviour56JobsThatACronJobMayNotMakeAreMadeLater) {
  world_.Put(Quota("q", "count/jobs.batch: 0"));
  domain::CronJob cron_job("tick", "* * * * *");
  cron_job.CreatedAt(absl::ToUnixSeconds(now_) - 60);
  world_.Put(cron_job);
  Settle();
  EXPECT_EQ(world_.view().All(v1::Object::kJob).size(), 0u);
  EXPECT_FALSE(
      world_.Find("cronjobs/default/tick")->object.cron_job().status().has_last_schedule_time())
      << "the run is not lost";
  now_ += absl::Minutes(1);
  Settle();
  ASSERT_EQ(failures_.size(), 1u) << "said once for each run";
  EXPECT_THAT(failures_[0],
              testing::HasSubstr("is forbidden: exceeded quota: q, requested: count/jobs.batch=1, "
                                 "used: count/jobs.batch=0, limited: count/jobs.batch=0"));
  world_.Remove("resourcequotas/default/q");
  Settle();
  EXPECT_EQ(world_.view().All(v1::Object::kJob).size(), 1u);
}

TEST_F(Admission, Behaviour56AJobWhosePodsAreRefusedSaysSo) {
  world_.Put(Quota("q", "pods: 0"));
  world_.Put(domain::Job("work"));
  Settle();
  const v1::Job job = world_.Find("jobs/default/work")->object.job();
  EXPECT_TRUE(IsTrue(job.status().conditions(), "ReplicaFailure"));
  EXPECT_EQ(job.status().active(), 0);
  world_.Remove("resourcequotas/default/q");
  Settle();
  EXPECT_EQ(Pods().size(), 1u);
  EXPECT_FALSE(IsTrue(world_.Find("jobs/default/work")->object.job().status().conditions(),
                      "ReplicaFailure"));
}

}  // namespace
}  // namespace cluster::controller
