#include "controller/reconcile/budgets.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "controller/reconcile/pod_state.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

std::vector<EntryPtr> PodsIn(const View& view, const std::string& name_space) {
  std::vector<EntryPtr> pods;
  const std::string prefix = absl::StrCat("pods/", name_space, "/");
  for (const auto& [key, pod] : view.All(v1::Object::kPod).Under(prefix)) pods.push_back(pod);
  return pods;
}

// By the index where the selector asks for a label.
std::vector<EntryPtr> Candidates(const View& view, const v1::PodDisruptionBudget& budget) {
  const auto& labels = budget.spec().selector().match_labels();
  if (labels.empty()) return PodsIn(view, budget.metadata().namespace_());
  return view.WithLabel(v1::Object::kPod, labels.begin()->first, labels.begin()->second);
}

std::vector<EntryPtr> GuardedPods(const View& view, const v1::PodDisruptionBudget& budget) {
  std::vector<EntryPtr> guarded;
  for (const EntryPtr& entry : Candidates(view, budget)) {
    if (!IsFinished(entry->object.pod()) && Guards(budget, entry->object.pod())) {
      guarded.push_back(entry);
    }
  }
  return guarded;
}

// Replicas of what owns the owner, or of the owner; -1 where it has no such number.
int ReplicasOf(const View& view, const v1::OwnerReference& owner, std::string* uid) {
  *uid = owner.uid();
  const EntryPtr entry = view.FindUid(owner.uid());
  if (entry == nullptr) return -1;
  const v1::Object& object = entry->object;
  if (object.has_replica_set()) {
    const v1::OwnerReference* above = ControllerOf(Meta(object));
    const EntryPtr deployment = above == nullptr ? nullptr : view.FindUid(above->uid());
    if (deployment == nullptr || !deployment->object.has_deployment()) {
      return object.replica_set().spec().replicas();
    }
    *uid = above->uid();
    return deployment->object.deployment().spec().replicas();
  }
  return object.has_stateful_set() ? object.stateful_set().spec().replicas() : -1;
}

// What the pods' workloads ask for, each counted once; a pod that nobody scales stands for itself.
int ExpectedOf(const View& view, const std::vector<EntryPtr>& pods) {
  int expected = 0;
  std::set<std::string> counted;
  for (const EntryPtr& entry : pods) {
    const v1::OwnerReference* owner = ControllerOf(Meta(entry->object));
    std::string uid;
    const int replicas = owner == nullptr ? -1 : ReplicasOf(view, *owner, &uid);
    if (replicas < 0) {
      ++expected;
    } else if (counted.insert(uid).second) {
      expected += replicas;
    }
  }
  return expected;
}

int Scaled(const std::string& text, int of) {
  return static_cast<int>(ScaleIntOrString(text, of, Rounding::kUp).value_or(0));
}

}  // namespace

bool Guards(const v1::PodDisruptionBudget& budget, const v1::Pod& pod) {
  if (!budget.spec().has_selector() ||
      budget.metadata().namespace_() != pod.metadata().namespace_()) {
    return false;
  }
  const auto matcher = LabelMatcher::From(budget.spec().selector());
  return matcher.ok() && matcher->Matches(pod.metadata().labels());
}

BudgetState StateOf(const View& view, const v1::PodDisruptionBudget& budget) {
  const std::vector<EntryPtr> pods = GuardedPods(view, budget);
  BudgetState state;
  for (const EntryPtr& entry : pods) {
    if (IsAvailable(entry->object.pod())) ++state.healthy;
  }
  const v1::PodDisruptionBudgetSpec& spec = budget.spec();
  if (!spec.max_unavailable().empty()) {
    state.expected = ExpectedOf(view, pods);
    state.desired = std::max(0, state.expected - Scaled(spec.max_unavailable(), state.expected));
  } else {
    const bool percent = absl::EndsWith(spec.min_available(), "%");
    state.expected = percent ? ExpectedOf(view, pods) : static_cast<int>(pods.size());
    state.desired = Scaled(spec.min_available(), state.expected);
  }
  if (state.expected > 0) state.allowed = std::max(0, state.healthy - state.desired);
  return state;
}

bool CountsAgainst(const v1::PodDisruptionBudget& budget, const BudgetState& state,
                   const v1::Pod& pod) {
  if (IsTerminating(pod) || IsFinished(pod) || !IsBound(pod)) return false;
  if (IsReady(pod)) return true;
  const bool only_while_kept = budget.spec().unhealthy_pod_eviction_policy() ==
                               v1::UNHEALTHY_POD_EVICTION_POLICY_IF_HEALTHY_BUDGET;
  return only_while_kept && pod.status().phase() == v1::POD_PHASE_RUNNING &&
         (state.healthy < state.desired || state.desired == 0);
}

BudgetBook::BudgetBook(const View& view) : view_(view) {
  for (const auto& [key, entry] : view.All(v1::Object::kPodDisruptionBudget)) {
    const v1::PodDisruptionBudget& stored = entry->object.pod_disruption_budget();
    auto matcher = LabelMatcher::From(stored.spec().selector());
    if (!stored.spec().has_selector() || !matcher.ok()) continue;
    Budget budget;
    budget.entry = entry;
    budget.matcher = *std::move(matcher);
    budgets_[stored.metadata().namespace_()].push_back(std::move(budget));
  }
}

std::vector<BudgetBook::Budget*> BudgetBook::Of(const v1::Pod& pod) {
  std::vector<Budget*> found;
  const auto budgets = budgets_.find(pod.metadata().namespace_());
  if (budgets == budgets_.end()) return found;
  for (Budget& budget : budgets->second) {
    if (!budget.matcher.Matches(pod.metadata().labels())) continue;
    const v1::PodDisruptionBudget& stored = budget.entry->object.pod_disruption_budget();
    if (!budget.known) budget.state = StateOf(view_, stored);
    budget.known = true;
    if (CountsAgainst(stored, budget.state, pod)) found.push_back(&budget);
  }
  return found;
}

std::vector<std::string> BudgetBook::Against(const v1::Pod& pod) {
  std::vector<std::string> names;
  if (budgets_.empty()) return names;
  for (const Budget* budget : Of(pod)) {
    if (budget->state.allowed <= 0) names.push_back(Meta(budget->entry->object).name());
  }
  return names;
}

void BudgetBook::Spend(const v1::Pod& pod) {
  Take(pod);
  ++version_;
}

void BudgetBook::Take(const v1::Pod& pod) {
  if (budgets_.empty()) return;
  for (Budget* budget : Of(pod)) --budget->state.allowed;
}

void BudgetBook::Return(const v1::Pod& pod) {
  if (budgets_.empty()) return;
  for (Budget* budget : Of(pod)) ++budget->state.allowed;
}

}  // namespace cluster::controller
