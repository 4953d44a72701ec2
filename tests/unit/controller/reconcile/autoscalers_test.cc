#include "controller/reconcile/autoscalers.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/object/replicas.h"
#include "controller/reconcile/conditions.h"
#include "proto/schema/scalars.h"
#include "proto/validate/validate.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Autoscalers : public testing::Test {
 protected:
  // A Deployment "web" with so many pods that serve, one core each, and an autoscaler for it.
  void SetUp() override { Make(2); }
  void Make(int replicas) {
    v1::Object deployment = domain::Deployment("web").Replicas(replicas);
    MutableMeta(&deployment)->set_generation(1);
    v1::Object set = domain::ReplicaSet("web-1").Replicas(replicas).OwnedBy(deployment);
    world_.Put(deployment);
    world_.Put(set);
    for (int i = 0; i < replicas; ++i) MakePod(absl::StrCat("web-1-", i), set);
  }
  void MakePod(const std::string& name, const v1::Object& owner) {
    v1::Pod pod = domain::Pod(name).On("n1").Cpu("1").Memory("1Gi").OwnedBy(owner).message();
    pod.mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
    *pod.mutable_status()->mutable_start_time() = ToTimestamp(now_ - absl::Hours(1));
    SetCondition({"Ready", v1::CONDITION_STATUS_TRUE, "", ""}, now_ - absl::Hours(1),
                 pod.mutable_status()->mutable_conditions());
    world_.Put(Wrap(std::move(pod)));
  }

  template <typename Edit>
  void Autoscale(Edit edit, const std::string& name = "web") {
    v1::Object object = NewObject(*FindKind("HorizontalPodAutoscaler"));
    v1::HorizontalPodAutoscaler& autoscaler = *object.mutable_horizontal_pod_autoscaler();
    autoscaler.mutable_metadata()->set_name(name);
    autoscaler.mutable_metadata()->set_uid("hpa-" + name);
    autoscaler.mutable_metadata()->set_generation(++generation_);
    v1::HorizontalPodAutoscalerSpec* spec = autoscaler.mutable_spec();
    spec->mutable_scale_target_ref()->set_kind("Deployment");
    spec->mutable_scale_target_ref()->set_name("web");
    spec->set_max_replicas(10);
    edit(spec);
    SetDefaults(&object);
    ASSERT_THAT(Validate(object), IsEmpty());
    world_.Put(object);
  }
  void Autoscale() {
    Autoscale([](v1::HorizontalPodAutoscalerSpec*) {});
  }
  static v1::MetricSpec Memory(int percent) {
    v1::MetricSpec metric;
    metric.set_type(v1::METRIC_SOURCE_TYPE_RESOURCE);
    metric.mutable_resource()->set_name("memory");
    metric.mutable_resource()->mutable_target()->set_type(v1::METRIC_TARGET_TYPE_UTILIZATION);
    metric.mutable_resource()->mutable_target()->set_average_utilization(percent);
    return metric;
  }

  // The next look: every pod uses so many thousandths of a core, and of its memory.
  void Look(int64_t cpu_milli, int64_t memory_bytes = 0) {
    ++usage_.number;
    usage_.pods.clear();
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      usage_.pods[Meta(entry->object).uid()] = {cpu_milli, memory_bytes, now_, absl::Seconds(15)};
    }
  }
  Changes Pass() {
    return ReconcileAutoscalers(world_.view(), taken_, {now_, monotonic_, &usage_, &book_});
  }
  Changes PassAndCommit() {
    Changes changes = Pass();
    EXPECT_THAT(world_.Commit(changes), IsEmpty());
    EXPECT_THAT(Pass().writes, IsEmpty()) << "once for each sample";
    return changes;
  }
  // Looks 15 seconds later.
  Changes Round(int64_t cpu_milli, int64_t memory_bytes = 0) {
    Let(absl::Seconds(15));
    Look(cpu_milli, memory_bytes);
    return PassAndCommit();
  }
  void Let(absl::Duration pass) {
    now_ += pass;
    monotonic_ += pass;
  }

  int Replicas() const {
    return ReplicasOf(world_.Find("deployments/default/web")->object).value_or(-1);
  }
  void SetTo(int replicas) {
    v1::Object deployment = world_.Find("deployments/default/web")->object;
    SetReplicas(replicas, &deployment);
    world_.Put(deployment);
  }
  v1::HorizontalPodAutoscalerStatus Status(const std::string& name = "web") const {
    return world_.Find("horizontalpodautoscalers/default/" + name)
        ->object.horizontal_pod_autoscaler()
        .status();
  }
  std::string Reason(const std::string& type) const {
    const auto status = Status();
    const v1::Condition* condition = FindCondition(status.conditions(), type);
    return condition == nullptr ? "" : condition->reason();
  }
  static std::vector<std::string> Messages(const Changes& changes) {
    std::vector<std::string> messages;
    for (const EventNote& note : changes.events) {
      messages.push_back(absl::StrCat(note.reason, ": ", note.message));
    }
    return messages;
  }

  domain::World world_;
  UsageSample usage_;
  AutoscaleBook book_;
  absl::flat_hash_set<std::string> taken_;
  absl::Time now_ = absl::FromUnixSeconds(100'000);
  absl::Duration monotonic_ = absl::Hours(1);
  int64_t generation_ = 0;
};

TEST_F(Autoscalers, ScaleUpAndSayWhy) {
  Autoscale();
  const Changes changes = Round(1600);
  EXPECT_EQ(Replicas(), 4);
  EXPECT_EQ(Meta(world_.Find("deployments/default/web")->object).generation(), 2);
  EXPECT_THAT(Messages(changes),
              ElementsAre("SuccessfulRescale: New size: 4; reason: cpu resource utilization "
                          "(percentage of request) above target"));
  const auto status = Status();
  EXPECT_EQ(status.current_replicas(), 2);
  EXPECT_EQ(status.desired_replicas(), 4);
  EXPECT_EQ(status.observed_generation(), 1);
  EXPECT_EQ(status.last_scale_time().seconds(), absl::ToUnixSeconds(now_));
  ASSERT_EQ(status.current_metrics_size(), 1);
  EXPECT_EQ(status.current_metrics(0).resource().current().average_utilization(), 160);
  EXPECT_EQ(status.current_metrics(0).resource().current().average_value(), "1600m");
  EXPECT_EQ(Reason("AbleToScale"), "SucceededRescale");
  EXPECT_EQ(Reason("ScalingActive"), "ValidMetricFound");
  EXPECT_EQ(Reason("ScalingLimited"), "DesiredWithinRange");
}

TEST_F(Autoscalers, TargetAndStatusAreOneTransaction) {
  Autoscale();
  Look(1600);
  const Changes changes = Pass();
  ASSERT_EQ(changes.writes.size(), 2u);
  EXPECT_EQ(changes.writes[0].key, "deployments/default/web");
  EXPECT_TRUE(changes.writes[1].with_previous);
}

TEST_F(Autoscalers, NothingIsWrittenWhileNothingChanges) {
  Autoscale();
  EXPECT_THAT(Round(800).writes, testing::SizeIs(1)) << "its first status";
  EXPECT_THAT(Round(800).writes, IsEmpty());
  EXPECT_EQ(Reason("AbleToScale"), "ReadyForNewScale");
}

TEST_F(Autoscalers, WaitForTheFirstSample) {
  Autoscale();
  EXPECT_TRUE(Pass().empty());
}

TEST_F(Autoscalers, AreJudgedAnewWhenTheyChange) {
  Autoscale();
  Round(800);
  Autoscale([](auto* spec) { spec->set_min_replicas(3); });
  PassAndCommit();
  EXPECT_EQ(Replicas(), 3);
}

TEST_F(Autoscalers, TheHighestOfAllMetricsCounts) {
  Autoscale([](auto* spec) {
    *spec->add_metrics() = Memory(50);
    *spec->add_metrics() = Memory(25);
  });
  EXPECT_THAT(Messages(Round(0, 1 << 29)),
              ElementsAre(HasSubstr("New size: 4; reason: memory resource utilization")));
  EXPECT_EQ(Status().current_metrics_size(), 2);
}

TEST_F(Autoscalers, WithAMetricMissingTheyOnlyScaleUp) {
  v1::Object pod = world_.Find("pods/default/web-1-0")->object;
  pod.mutable_pod()
      ->mutable_spec()
      ->mutable_containers(0)
      ->mutable_resources()
      ->mutable_requests()
      ->erase("cpu");
  world_.Put(pod);
  Autoscale([](auto* spec) {
    *spec->add_metrics() = Memory(50);
    v1::MetricSpec cpu = Memory(50);
    cpu.mutable_resource()->set_name("cpu");
    *spec->add_metrics() = cpu;
    spec->mutable_behavior()->mutable_scale_down()->set_stabilization_window_seconds(0);
  });
  const Changes changes = Round(100, 1 << 28);
  EXPECT_EQ(Replicas(), 2);
  EXPECT_EQ(Reason("ScalingActive"), "FailedGetResourceMetric");
  EXPECT_THAT(Messages(changes),
              ElementsAre("FailedGetResourceMetric: the HPA was unable to compute the replica "
                          "count: failed to get cpu usage: missing request for cpu in container "
                          "main of Pod web-1-0"));
  EXPECT_THAT(Round(100, 1 << 28).events, IsEmpty()) << "said once";
  Round(100, 1 << 30);
  EXPECT_EQ(Replicas(), 4);
}

TEST_F(Autoscalers, DownOnlyOnceTheWindowIsOver) {
  Autoscale();
  Round(800);
  for (int i = 0; i < 19; ++i) Round(200);
  EXPECT_EQ(Replicas(), 2);
  EXPECT_EQ(Reason("AbleToScale"), "ScaleDownStabilized");
  EXPECT_THAT(Messages(Round(200)),
              ElementsAre("SuccessfulRescale: New size: 1; reason: All metrics below target"));
  EXPECT_EQ(Replicas(), 1);
}

TEST_F(Autoscalers, ANewControllerTakesTheReplicasThatItFindsForARecommendation) {
  Autoscale();
  Round(200);
  EXPECT_EQ(Replicas(), 2);
  EXPECT_EQ(Reason("AbleToScale"), "ScaleDownStabilized");
}

TEST_F(Autoscalers, BoundsHoldWhateverTheMetricsSay) {
  Autoscale([](auto* spec) { spec->set_max_replicas(1); });
  EXPECT_THAT(Messages(Round(1600)),
              ElementsAre(HasSubstr("Current number of replicas above Spec.MaxReplicas")));
  EXPECT_EQ(Replicas(), 1);
  Autoscale([](auto* spec) { spec->set_min_replicas(6); });
  EXPECT_THAT(Messages(Round(0)),
              ElementsAre(HasSubstr("Current number of replicas below Spec.MinReplicas")));
  EXPECT_EQ(Replicas(), 6);
}

TEST_F(Autoscalers, ATargetWithoutReplicasIsLeftAlone) {
  Autoscale([](auto* spec) { spec->set_min_replicas(2); });
  SetTo(0);
  Round(1600);
  EXPECT_EQ(Replicas(), 0);
  EXPECT_EQ(Reason("ScalingActive"), "ScalingDisabled");
  EXPECT_EQ(Reason("AbleToScale"), "SucceededGetScale");
}

TEST_F(Autoscalers, ATargetThatIsNotThereOrNotTheirsIsSaid) {
  Autoscale([](auto* spec) { spec->mutable_scale_target_ref()->set_name("gone"); });
  EXPECT_THAT(Messages(Round(1600)), ElementsAre(HasSubstr("Deployment gone not found")));
  EXPECT_EQ(Reason("AbleToScale"), "FailedGetScale");
  Autoscale([](auto* spec) {
    spec->mutable_scale_target_ref()->set_kind("ReplicaSet");
    spec->mutable_scale_target_ref()->set_name("web-1");
  });
  EXPECT_THAT(Messages(Round(1600)), ElementsAre(HasSubstr("belongs to Deployment web")));
  EXPECT_EQ(Reason("AbleToScale"), "FailedUpdateScale");
}

TEST_F(Autoscalers, TwoOfOneTargetDoNotFight) {
  Autoscale();
  Autoscale([](auto* spec) { spec->set_min_replicas(5); }, "other");
  const Changes changes = Round(1600);
  EXPECT_EQ(Replicas(), 2);
  EXPECT_EQ(Reason("ScalingActive"), "AmbiguousSelector");
  EXPECT_THAT(Messages(changes), ElementsAre(HasSubstr("other, web"), HasSubstr("other, web")));
  world_.Remove("horizontalpodautoscalers/default/other");
  Round(1600);
  EXPECT_EQ(Replicas(), 4);
}

TEST_F(Autoscalers, StatefulSetsAreScaledToo) {
  v1::Object set = domain::StatefulSet("db").Replicas(1);
  world_.Put(set);
  MakePod("db-0", set);
  Autoscale([](auto* spec) {
    spec->mutable_scale_target_ref()->set_kind("StatefulSet");
    spec->mutable_scale_target_ref()->set_name("db");
  });
  Round(1600);
  EXPECT_EQ(ReplicasOf(world_.Find("statefulsets/default/db")->object), 2);
}

TEST_F(Autoscalers, AChangeThatWasLostIsMadeAgainAndCountedOnce) {
  Autoscale();
  Look(8000);
  const Changes lost = Pass();
  EXPECT_EQ(ReplicasOf(*lost.writes[0].put), 6);
  // Somebody was faster.
  SetTo(3);
  EXPECT_FALSE(world_.Commit(lost).empty());
  world_.Commit(Pass());
  EXPECT_EQ(Replicas(), 7) << "four more than three: the lost ones do not count";
  EXPECT_THAT(Pass().writes, IsEmpty());
  Let(absl::Seconds(1));
  Look(8000);
  world_.Commit(Pass());
  EXPECT_EQ(Replicas(), 7) << "but these do";
}

TEST_F(Autoscalers, WhatAnEarlierLawWritesWaits) {
  Autoscale();
  Look(1600);
  taken_ = {"deployments/default/web"};
  EXPECT_TRUE(Pass().empty());
  taken_.clear();
  PassAndCommit();
  EXPECT_EQ(Replicas(), 4);
}

TEST_F(Autoscalers, ForgetThoseThatAreGone) {
  Autoscale();
  Round(800);
  EXPECT_EQ(book_.pages.size(), 1u);
  world_.Remove("horizontalpodautoscalers/default/web");
  Pass();
  EXPECT_TRUE(book_.pages.empty());
}

}  // namespace
}  // namespace cluster::controller
