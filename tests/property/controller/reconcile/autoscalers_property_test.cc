// An autoscaler lives through random hours: its pods use what they like, start, fail, are not heard
// of; users scale and change its rules; commits are lost. A ledger beside the controller keeps the
// changes of replicas that were committed, and each of them obeys bounds and policies. A failure
// prints its seed.
#include <algorithm>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/object/replicas.h"
#include "controller/reconcile/autoscalers.h"
#include "controller/reconcile/conditions.h"
#include "proto/schema/scalars.h"
#include "proto/validate/autoscaler_rules.h"
#include "proto/validate/validate.h"
#include "tests/domain/builders.h"
#include "tests/domain/world.h"

namespace cluster::controller {
namespace {

#ifdef CLUSTER_SANITIZED
constexpr int kHours = 20;
#else
constexpr int kHours = 200;
#endif
constexpr int kSteps = 80;
constexpr char kTarget[] = "deployments/default/web";
constexpr char kAutoscaler[] = "horizontalpodautoscalers/default/web";

class Hour {
 public:
  explicit Hour(uint64_t seed) : random_(seed) {
    world_.Put(domain::Deployment("web").Replicas(Below(6)));
    world_.Put(domain::ReplicaSet("web-1").OwnedBy(world_.Find(kTarget)->object));
    ChangeRules();
    FollowReplicas();
  }

  void Live() {
    for (int step = 0; step < kSteps; ++step) {
      Pass(absl::Seconds(1 + Below(60)));
      switch (Below(12)) {
        case 0:
          ChangeRules();
          break;
        case 1:
          SetTo(Below(15));
          break;
        default:
          break;
      }
      FollowReplicas();
      if (Below(8) != 0) Look();
      Judge();
      if (::testing::Test::HasFailure()) return;
    }
  }
  size_t changes() const { return ledger_.size(); }

 private:
  int Below(int end) { return static_cast<int>(random_() % static_cast<uint64_t>(end)); }
  void Pass(absl::Duration time) {
    now_ += time;
    monotonic_ += time;
  }

  int Replicas() const { return *ReplicasOf(world_.Find(kTarget)->object); }
  void SetTo(int replicas) {
    v1::Object target = world_.Find(kTarget)->object;
    SetReplicas(replicas, &target);
    world_.Put(target);
  }

  void AddRules(v1::ScalingRules* rules) {
    if (Below(2) == 0) rules->set_stabilization_window_seconds(Below(120));
    rules->set_select_policy(static_cast<v1::ScalingPolicySelect>(Below(4)));
    for (int i = Below(3); i > 0; --i) {
      v1::ScalingPolicy* policy = rules->add_policies();
      policy->set_type(Below(2) == 0 ? v1::SCALING_POLICY_TYPE_PODS
                                     : v1::SCALING_POLICY_TYPE_PERCENT);
      policy->set_value(1 + Below(policy->type() == v1::SCALING_POLICY_TYPE_PODS ? 5 : 150));
      policy->set_period_seconds(1 + Below(120));
    }
  }

  void ChangeRules() {
    v1::Object object = NewObject(*FindKind("HorizontalPodAutoscaler"));
    if (const EntryPtr before = world_.Find(kAutoscaler); before != nullptr) {
      object = before->object;
      object.mutable_horizontal_pod_autoscaler()->clear_spec();
    }
    v1::HorizontalPodAutoscaler* autoscaler = object.mutable_horizontal_pod_autoscaler();
    autoscaler->mutable_metadata()->set_name("web");
    autoscaler->mutable_metadata()->set_uid("hpa");
    autoscaler->mutable_metadata()->set_generation(autoscaler->metadata().generation() + 1);
    v1::HorizontalPodAutoscalerSpec* spec = autoscaler->mutable_spec();
    spec->mutable_scale_target_ref()->set_kind("Deployment");
    spec->mutable_scale_target_ref()->set_name("web");
    spec->set_min_replicas(1 + Below(4));
    spec->set_max_replicas(spec->min_replicas() + Below(12));
    if (Below(3) != 0) {
      AddRules(spec->mutable_behavior()->mutable_scale_up());
      AddRules(spec->mutable_behavior()->mutable_scale_down());
    }
    SetDefaults(&object);
    for (const FieldError& error : Validate(object)) ADD_FAILURE() << error.message;
    world_.Put(object);
  }

  // As many pods as there are to be, each in a state of its own choice.
  void FollowReplicas() {
    const int wanted = Replicas();
    for (int i = 0; i < 20; ++i) {
      const std::string name = absl::StrCat("web-1-", i);
      if (i >= wanted) {
        if (world_.Find("pods/default/" + name) != nullptr) world_.Remove("pods/default/" + name);
        continue;
      }
      v1::Pod pod = domain::Pod(name)
                        .On("n1")
                        .Cpu("1")
                        .OwnedBy(world_.Find("replicasets/default/web-1")->object)
                        .message();
      const int state = Below(10);
      pod.mutable_status()->set_phase(state == 0   ? v1::POD_PHASE_PENDING
                                      : state == 1 ? v1::POD_PHASE_FAILED
                                                   : v1::POD_PHASE_RUNNING);
      *pod.mutable_status()->mutable_start_time() = ToTimestamp(now_ - absl::Seconds(Below(900)));
      SetCondition(
          {"Ready", state < 3 ? v1::CONDITION_STATUS_FALSE : v1::CONDITION_STATUS_TRUE, "", ""},
          now_ - absl::Seconds(Below(60)), pod.mutable_status()->mutable_conditions());
      world_.Put(Wrap(std::move(pod)));
    }
  }

  void Look() {
    ++usage_.number;
    usage_.pods.clear();
    const int load = Below(3000);
    for (const auto& [key, entry] : world_.view().All(v1::Object::kPod)) {
      if (Below(10) == 0) continue;
      PodUsage& usage = usage_.pods[Meta(entry->object).uid()];
      if (Below(10) != 0) usage.cpu_milli = load / (1 + Below(3));
      usage.at = now_;
      usage.window = absl::Seconds(15);
    }
  }

  Changes Reconcile() {
    world_.Pack();
    return ReconcileAutoscalers(world_.view(), {}, {now_, monotonic_, &usage_, &book_});
  }

  void Judge() {
    const int before = Replicas();
    const Changes changes = Reconcile();
    if (Below(6) == 0) {
      SetTo(1 + Below(15));  // in between, so a change of replicas is lost
      world_.Commit(changes);
      return Judge();
    }
    EXPECT_TRUE(world_.Commit(changes).empty());
    EXPECT_TRUE(Reconcile().writes.empty()) << "judged twice";
    const int after = Replicas();
    if (after == before) return;
    Check(before, after);
    ledger_.push_back({after - before, monotonic_});
    EXPECT_EQ(StatusNow().desired_replicas(), after);
    EXPECT_EQ(StatusNow().last_scale_time().seconds(), absl::ToUnixSeconds(now_));
  }

  v1::HorizontalPodAutoscalerStatus StatusNow() const {
    return world_.Find(kAutoscaler)->object.horizontal_pod_autoscaler().status();
  }

  // What the autoscaler itself has changed in a period that ends now.
  int ChangedWithin(int seconds) const {
    int sum = 0;
    for (const ScalingPast::Change& change : ledger_) {
      if (change.at > monotonic_ - absl::Seconds(seconds)) sum += change.replicas;
    }
    return sum;
  }

  void Check(int before, int after) {
    const auto spec = world_.Find(kAutoscaler)->object.horizontal_pod_autoscaler().spec();
    const std::string what = absl::StrCat(before, " to ", after, " of ", spec.ShortDebugString());
    EXPECT_GT(before, 0) << "scaling is off: " << what;
    EXPECT_GE(after, spec.min_replicas()) << what;
    EXPECT_LE(after, spec.max_replicas()) << what;
    if (before < spec.min_replicas() || before > spec.max_replicas()) {
      EXPECT_EQ(after, std::clamp(before, spec.min_replicas(), spec.max_replicas())) << what;
      return;
    }
    v1::ScalingBehavior behavior = spec.behavior();
    DefaultBehavior(&behavior);
    const bool up = after > before;
    const v1::ScalingRules& rules = up ? behavior.scale_up() : behavior.scale_down();
    EXPECT_NE(rules.select_policy(), v1::SCALING_POLICY_SELECT_DISABLED) << what;
    std::vector<bool> kept;
    for (const v1::ScalingPolicy& policy : rules.policies()) {
      const double start = before - ChangedWithin(policy.period_seconds());
      const double share = policy.type() == v1::SCALING_POLICY_TYPE_PODS
                               ? policy.value()
                               : start * policy.value() / 100;
      // Rounding is by less than a pod.
      kept.push_back(up ? after < start + share + 1 : after > start - share - 1);
    }
    const bool least = rules.select_policy() == v1::SCALING_POLICY_SELECT_MIN;
    EXPECT_TRUE(least ? std::all_of(kept.begin(), kept.end(), [](bool each) { return each; })
                      : std::any_of(kept.begin(), kept.end(), [](bool each) { return each; }))
        << "too fast: " << what;
  }

  std::mt19937_64 random_;
  domain::World world_;
  UsageSample usage_;
  AutoscaleBook book_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  absl::Duration monotonic_ = absl::Hours(3);
  std::vector<ScalingPast::Change> ledger_;
};

class AutoscalerLaws : public ::testing::TestWithParam<int> {};

TEST_P(AutoscalerLaws, BoundsAndPoliciesHoldThoughCommitsAreLost) {
  size_t changes = 0;
  for (int i = 0; i < kHours; ++i) {
    const uint64_t seed = static_cast<uint64_t>(GetParam()) * 1000 + static_cast<uint64_t>(i);
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Hour hour(seed);
    hour.Live();
    if (HasFailure()) return;
    changes += hour.changes();
  }
  EXPECT_GT(changes, size_t{kHours}) << "there is something to be judged";
}

INSTANTIATE_TEST_SUITE_P(Seeds, AutoscalerLaws, ::testing::Range(0, 3));

}  // namespace
}  // namespace cluster::controller
