#include "controller/reconcile/autoscalers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "controller/object/replicas.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/replica_proposal.h"
#include "proto/schema/scalars.h"
#include "proto/schema/stable_bytes.h"
#include "proto/validate/autoscaler_rules.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kAutoscaler = "horizontal-pod-autoscaler";
constexpr auto kYes = v1::CONDITION_STATUS_TRUE;
constexpr auto kNo = v1::CONDITION_STATUS_FALSE;

v1::ScalingBehavior BehaviorOf(const v1::HorizontalPodAutoscalerSpec& spec) {
  v1::ScalingBehavior behavior = spec.behavior();
  DefaultBehavior(&behavior);
  return behavior;
}

Tolerance ToleranceOf(const v1::ScalingBehavior& behavior) {
  Tolerance tolerance;
  const auto read = [](const v1::ScalingRules& rules, double* into) {
    const auto milli = QuantityMilli(rules.tolerance());
    if (!rules.tolerance().empty() && milli.ok()) *into = static_cast<double>(*milli) / 1000;
  };
  read(behavior.scale_up(), &tolerance.up);
  read(behavior.scale_down(), &tolerance.down);
  return tolerance;
}

// One autoscaler whose turn it is.
class AutoscaleSync {
 public:
  AutoscaleSync(const View& view, const Entry& entry, EntryPtr target,
                const std::vector<std::string>& rivals, const AutoscaleInputs& inputs,
                AutoscaleBook::Page* page)
      : view_(view),
        entry_(entry),
        spec_(entry.object.horizontal_pod_autoscaler().spec()),
        target_(std::move(target)),
        rivals_(rivals),
        inputs_(inputs),
        page_(page),
        behavior_(BehaviorOf(spec_)),
        after_(entry.object) {}

  Changes Run() {
    status()->set_observed_generation(Meta(entry_.object).generation());
    if (target_ == nullptr) {
      Fail("FailedGetScale",
           absl::StrCat("the HPA controller was unable to get the target's current scale: ",
                        spec_.scale_target_ref().kind(), " ", spec_.scale_target_ref().name(),
                        " not found"));
    } else if (const v1::OwnerReference* owner = ControllerOf(Meta(target_->object));
               owner != nullptr) {
      Fail("FailedUpdateScale",
           absl::StrCat("the target belongs to ", owner->kind(), " ", owner->name(),
                        ", which would scale it back: name that in scaleTargetRef"));
    } else {
      Set({"AbleToScale", kYes, "SucceededGetScale",
           "the HPA controller was able to get the target's current scale"});
      Judge(*ReplicasOf(target_->object));
    }
    return Write();
  }

 private:
  v1::HorizontalPodAutoscalerStatus* status() {
    return after_.mutable_horizontal_pod_autoscaler()->mutable_status();
  }

  // What is said last of a type is what is written: a condition that only comes back to what it was
  // has not changed.
  void Set(ConditionUpdate update) {
    const auto same =
        std::find_if(conditions_.begin(), conditions_.end(),
                     [&](const ConditionUpdate& each) { return each.type == update.type; });
    if (same != conditions_.end()) {
      *same = std::move(update);
    } else {
      conditions_.push_back(std::move(update));
    }
  }

  void Note(absl::string_view type, absl::string_view reason, std::string message) {
    changes_.events.push_back(
        MakeEvent(entry_.object, type, reason, std::move(message), kAutoscaler));
  }

  // The event is noted when this begins, not with each sample.
  void Refuse(absl::string_view type, absl::string_view reason, const std::string& message) {
    const v1::Condition* before = FindCondition(
        entry_.object.horizontal_pod_autoscaler().status().conditions(), std::string(type));
    Set({type, kNo, reason, message});
    if (before == nullptr || before->reason() != reason) Note("Warning", reason, message);
  }

  void Fail(absl::string_view reason, const std::string& message) {
    Refuse("AbleToScale", reason, message);
  }

  void Judge(int current) {
    if (!page_->begun) page_->past.recommendations.push_back({current, inputs_.monotonic});
    page_->begun = true;
    status()->set_current_replicas(current);
    status()->set_desired_replicas(current);
    status()->clear_current_metrics();
    if (!rivals_.empty()) {
      return Refuse("ScalingActive", "AmbiguousSelector",
                    absl::StrCat("the target is scaled by several HPAs: ",
                                 absl::StrJoin(rivals_, ", "), "; keep one"));
    }
    if (current == 0) {
      status()->set_desired_replicas(0);
      return Set({"ScalingActive", kNo, "ScalingDisabled",
                  "scaling is disabled since the replica count of the target is zero"});
    }
    if (current > spec_.max_replicas()) {
      return Rescale(current, spec_.max_replicas(),
                     "Current number of replicas above Spec.MaxReplicas");
    }
    if (current < spec_.min_replicas()) {
      return Rescale(current, spec_.min_replicas(),
                     "Current number of replicas below Spec.MinReplicas");
    }
    FollowMetrics(current);
  }

  void FollowMetrics(int current) {
    const std::vector<EntryPtr> entries = PodsOfTarget(view_, target_->object);
    std::vector<const v1::Pod*> pods;
    for (const EntryPtr& pod : entries) pods.push_back(&pod->object.pod());
    int desired = 0;
    int refused = 0;
    std::string highest;
    std::string problem;
    for (const v1::MetricSpec& metric : spec_.metrics()) {
      const auto proposal = ProposeReplicas(pods, *inputs_.usage, metric, current,
                                            ToleranceOf(behavior_), inputs_.now);
      if (!proposal.ok()) {
        if (refused++ == 0) {
          problem = absl::StrCat("failed to get ", metric.resource().name(),
                                 " usage: ", absl::string_view(proposal.status().message()));
        }
        continue;
      }
      *status()->add_current_metrics() = proposal->status;
      if (!highest.empty() && proposal->replicas <= desired) continue;
      desired = proposal->replicas;
      highest = MetricText(metric);
    }
    // What is not known might be why there are so many.
    if (highest.empty() || (refused > 0 && desired < current)) {
      return Refuse("ScalingActive", "FailedGetResourceMetric",
                    absl::StrCat("the HPA was unable to compute the replica count: ", problem));
    }
    Set({"ScalingActive", kYes, "ValidMetricFound",
         absl::StrCat("the HPA was able to successfully calculate a replica count from ",
                      highest)});
    const LimitedReplicas limited =
        LimitReplicas({current, desired, spec_.min_replicas(), spec_.max_replicas()}, behavior_,
                      inputs_.monotonic, &page_->past);
    Set(limited.able);
    Set(limited.limited);
    if (limited.replicas == current) return;
    Rescale(
        current, limited.replicas,
        desired > current ? absl::StrCat(highest, " above target") : "All metrics below target");
  }

  void Rescale(int from, int to, const std::string& reason) {
    status()->set_desired_replicas(to);
    *status()->mutable_last_scale_time() = Seconds(inputs_.now);
    Set({"AbleToScale", kYes, "SucceededRescale",
         absl::StrCat("the HPA controller was able to update the target scale to ", to)});
    Note("Normal", "SuccessfulRescale", absl::StrCat("New size: ", to, "; reason: ", reason));
    page_->pending = {to - from, inputs_.monotonic, status()->last_scale_time().seconds()};
    scaled_ = target_->object;
    SetReplicas(to, &*scaled_);
    MutableMeta(&*scaled_)->set_generation(Meta(*scaled_).generation() + 1);
  }

  Changes Write() {
    for (const ConditionUpdate& update : conditions_) {
      SetCondition(update, inputs_.now, status()->mutable_conditions());
    }
    if (SameMessage(after_, entry_.object)) return std::move(changes_);
    Changes group;
    if (scaled_.has_value()) group.Put(*target_, *std::move(scaled_));
    group.Put(entry_, std::move(after_));
    changes_.Together(std::move(group));
    return std::move(changes_);
  }

  const View& view_;
  const Entry& entry_;
  const v1::HorizontalPodAutoscalerSpec& spec_;
  const EntryPtr target_;
  const std::vector<std::string>& rivals_;
  const AutoscaleInputs& inputs_;
  AutoscaleBook::Page* const page_;
  const v1::ScalingBehavior behavior_;
  v1::Object after_;
  std::vector<ConditionUpdate> conditions_;
  std::optional<v1::Object> scaled_;
  Changes changes_;
};

// A change that a pass wanted is in this view, or it was lost. True: it was lost.
bool SettlePending(const v1::HorizontalPodAutoscaler& autoscaler, AutoscaleBook::Page* page) {
  if (!page->pending.has_value()) return false;
  const AutoscaleBook::Page::Pending pending = *std::exchange(page->pending, std::nullopt);
  if (autoscaler.status().last_scale_time().seconds() != pending.scale_time) return true;
  page->past.changes.push_back({pending.change, pending.at});
  return false;
}

void ForgetGone(const View& view, AutoscaleBook* book) {
  for (auto page = book->pages.begin(); page != book->pages.end();) {
    page = view.FindUid(page->first) == nullptr ? book->pages.erase(page) : std::next(page);
  }
}

// Names of those that scale one target together, by the target's key.
std::map<std::string, std::vector<std::string>> RivalsOf(const View& view) {
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& [key, entry] : view.All(v1::Object::kHorizontalPodAutoscaler)) {
    if (Meta(entry->object).has_deletion_timestamp()) continue;
    const EntryPtr target = ScaleTargetOf(view, entry->object.horizontal_pod_autoscaler());
    if (target != nullptr) names[target->key].push_back(Meta(entry->object).name());
  }
  for (auto& [key, rivals] : names) {
    if (rivals.size() == 1) rivals.clear();
  }
  return names;
}

}  // namespace

EntryPtr ScaleTargetOf(const View& view, const v1::HorizontalPodAutoscaler& autoscaler) {
  const v1::CrossVersionObjectReference& reference = autoscaler.spec().scale_target_ref();
  const Kind* kind = FindKind(reference.kind());
  if (kind == nullptr) return nullptr;
  EntryPtr entry =
      view.Find(kind->object_case, autoscaler.metadata().namespace_(), reference.name());
  return entry != nullptr && ReplicasOf(entry->object).has_value() ? entry : nullptr;
}

std::vector<EntryPtr> PodsOfTarget(const View& view, const v1::Object& target) {
  const std::string& uid = Meta(target).uid();
  if (!target.has_deployment()) return view.OwnedBy(v1::Object::kPod, uid);
  std::vector<EntryPtr> pods;
  for (const EntryPtr& set : view.OwnedBy(v1::Object::kReplicaSet, uid)) {
    for (EntryPtr& pod : view.OwnedBy(v1::Object::kPod, Meta(set->object).uid())) {
      pods.push_back(std::move(pod));
    }
  }
  return pods;
}

Changes ReconcileAutoscalers(const View& view, const absl::flat_hash_set<std::string>& taken,
                             const AutoscaleInputs& inputs) {
  Changes all;
  ForgetGone(view, inputs.book);
  if (view.All(v1::Object::kHorizontalPodAutoscaler).empty() || inputs.usage->number == 0) {
    return all;
  }
  // Only where somebody's turn has come: a pass without is nothing but a look at each.
  std::optional<std::map<std::string, std::vector<std::string>>> rivals;
  for (const auto& [key, entry] : view.All(v1::Object::kHorizontalPodAutoscaler)) {
    const v1::HorizontalPodAutoscaler& autoscaler = entry->object.horizontal_pod_autoscaler();
    const v1::ObjectMeta& meta = autoscaler.metadata();
    AutoscaleBook::Page* page = &inputs.book->pages[meta.uid()];
    const bool known =
        page->sample == inputs.usage->number && page->generation == meta.generation();
    if (known && !page->pending.has_value()) continue;
    EntryPtr target = ScaleTargetOf(view, autoscaler);
    if (meta.has_deletion_timestamp() || taken.contains(key)) continue;
    if (target != nullptr && taken.contains(target->key)) continue;
    const bool lost = SettlePending(autoscaler, page);
    if (known && !lost) continue;
    if (!rivals.has_value()) rivals = RivalsOf(view);
    page->sample = inputs.usage->number;
    page->generation = meta.generation();
    const std::vector<std::string>& others = (*rivals)[target == nullptr ? "" : target->key];
    AutoscaleSync sync(view, *entry, std::move(target), others, inputs, page);
    all.Append(sync.Run());
    page->past.Trim(inputs.monotonic);
  }
  return all;
}

}  // namespace cluster::controller
