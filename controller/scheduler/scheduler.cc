#include "controller/scheduler/scheduler.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "controller/reconcile/budgets.h"
#include "controller/scheduler/cluster_state.h"
#include "controller/scheduler/filters.h"
#include "controller/scheduler/neighbours.h"
#include "controller/scheduler/placement.h"
#include "controller/scheduler/victim_search.h"

namespace cluster::controller {
namespace {

// Nodes that all placements together keep in mind from one plan to the next.
constexpr size_t kMostKept = 2'000'000;

// Why pods of one shape fit nowhere.
struct Verdict {
  std::shared_ptr<const std::vector<NodeReason>> reasons;
  std::string summary;
};

// One plan in the making. What it does to the state is taken back when it goes.
class Planner {
 public:
  Planner(const View& view, ClusterState* state, const SchedulerOptions& options)
      : view_(view), state_(state), options_(options) {}
  ~Planner() {
    for (auto pod = placed_.rbegin(); pod != placed_.rend(); ++pod) state_->Displace(*pod);
    for (PodRecord* pod : leaving_) state_->SetLeaving(pod, false);
    size_t kept = 0;
    for (const PodShape* shape : shapes_) kept += shape->placement->size();
    if (kept <= kMostKept) return;
    for (PodShape* shape : shapes_) shape->placement = nullptr;
  }
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  // False when it fits nowhere now.
  bool Place(PodRecord* pod) {
    const int node = BestFor(pod->shape);
    if (node == kNowhere) {
      left_.push_back(pod);
      if (pod->shape->preempts && !IsNewcomer(*pod)) Preempt(pod);
      return false;
    }
    Occupy(pod, node);
    if (!pod->shape->claims.empty()) {
      Claims()->Place(Meta(pod->entry.Hold()->object).name(), pod->shape->claims, NameOf(node));
    }
    plan_.bindings.push_back({pod->entry.key(), pod->entry.mod_rev(), NameOf(node)});
    return true;
  }

  // Reasons are those after every placement: the next pass finds the same and writes nothing.
  Plan Finish() {
    absl::flat_hash_map<const PodShape*, Verdict> verdicts;
    for (PodRecord* pod : left_) {
      if (pod->node != kNowhere) {
        plan_.unschedulable.push_back(Waiting(*pod));
        continue;
      }
      const auto [verdict, is_new] = verdicts.try_emplace(pod->shape);
      if (is_new) verdict->second = VerdictOf(*pod->shape);
      plan_.unschedulable.push_back({pod->entry.key(), pod->entry.mod_rev(),
                                     verdict->second.reasons, verdict->second.summary});
    }
    std::sort(plan_.unschedulable.begin(), plan_.unschedulable.end(),
              [](const Unschedulable& a, const Unschedulable& b) { return a.pod_key < b.pod_key; });
    return std::move(plan_);
  }

 private:
  // Nobody ends for a pod that may never be made.
  static bool IsNewcomer(const PodRecord& pod) { return pod.entry.mod_rev() == 0; }

  const std::string& NameOf(int node) const {
    return state_->nodes()[static_cast<size_t>(node)].name();
  }

  ClaimUsage* Claims() {
    if (claims_ == nullptr) claims_ = std::make_unique<ClaimUsage>(view_);
    return claims_.get();
  }

  PodNeeds NeedsOf(const PodShape& shape) {
    return {&shape.spec(), shape.request, shape.owner, shape.claims,
            shape.claims.empty() ? nullptr : Claims()};
  }

  int BestFor(PodShape* shape) {
    if (!shape->claims.empty()) return BestWithClaims(*shape);
    if (shape->placement == nullptr) {
      shape->placement = std::make_unique<Placement>(shape, state_, options_.strategy);
      shapes_.push_back(shape);
    }
    return shape->placement->Best();
  }

  // Every placement may bind a claim and so change where others fit: looked at each time anew.
  int BestWithClaims(const PodShape& shape) {
    const PodNeeds needs = NeedsOf(shape);
    const ScoreInputs inputs{&shape, &shape.request, state_, options_.strategy};
    Score best;
    best.node = kNowhere;
    for (size_t i = 0; i < state_->nodes().size(); ++i) {
      const int node = static_cast<int>(i);
      if (!Fits(needs, state_->nodes()[i]) ||
          !NeighboursAllow(shape, state_->terms(), node, Scope::kAll)) {
        continue;
      }
      const Score score = ScoreOf(inputs, node, /*with_wide_places=*/true);
      if (best.node == kNowhere || score < best) best = score;
    }
    return best.node;
  }

  void Occupy(PodRecord* pod, int node) {
    state_->Place(pod, node);
    placed_.push_back(pod);
  }

  BudgetBook* Budgets() {
    if (budgets_ == nullptr) budgets_ = std::make_unique<BudgetBook>(view_);
    return budgets_.get();
  }

  VictimSearch* VictimsFor(const PodShape* shape) {
    auto& search = searches_[shape];
    if (search == nullptr) {
      search = std::make_unique<VictimSearch>(shape, state_, Budgets(),
                                              shape->claims.empty() ? nullptr : Claims());
    }
    return search.get();
  }

  // Takes the room of pods of less priority. It counts as the pod's own from here on, so that no
  // pod after it in the queue takes it first.
  void Preempt(PodRecord* pod) {
    const auto& priorities = state_->priorities();
    if (priorities.empty() || priorities.begin()->first >= pod->shape->priority) return;
    VictimSearch* search = VictimsFor(pod->shape);
    std::optional<VictimChoice> choice;
    const int nominated =
        state_->NodeNamed(pod->entry.Hold()->object.pod().status().nominated_node_name());
    if (nominated != kNowhere) choice = search->On(nominated);
    if (!choice.has_value() || !choice->victims.empty()) choice = search->Best();
    if (!choice.has_value()) return;
    Preemption preemption{pod->entry.key(), pod->entry.mod_rev(), NameOf(choice->cost.node), {}};
    for (PodRecord* victim : choice->victims) {
      Budgets()->Spend(victim->entry.Hold()->object.pod());
      state_->SetLeaving(victim, true);
      leaving_.push_back(victim);
      preemption.victims.push_back({victim->entry.key(), victim->entry.mod_rev()});
    }
    Occupy(pod, choice->cost.node);
    plan_.preemptions.push_back(std::move(preemption));
  }

  Unschedulable Waiting(const PodRecord& pod) const {
    static const auto* const none = new std::shared_ptr<const std::vector<NodeReason>>(
        std::make_shared<std::vector<NodeReason>>());
    return {pod.entry.key(), pod.entry.mod_rev(), *none,
            absl::StrCat("0/", state_->nodes().size(),
                         " nodes are available: waiting for pods of less priority to end on ",
                         NameOf(pod.node), ".")};
  }

  Verdict VerdictOf(const PodShape& shape) {
    const PodNeeds needs = NeedsOf(shape);
    std::vector<std::vector<Rejection>> rejections;
    auto reasons = std::make_shared<std::vector<NodeReason>>();
    for (size_t i = 0; i < state_->nodes().size(); ++i) {
      const NodeUsage& node = state_->nodes()[i];
      rejections.push_back(Rejections(needs, node));
      if (node.ready) {
        AddNeighbourRejections(shape, state_->terms(), static_cast<int>(i), &rejections.back());
      }
      for (const Rejection& rejection : rejections.back()) {
        reasons->push_back({node.name(), rejection.Text()});
      }
    }
    return {std::move(reasons), Summarize(state_->nodes(), rejections)};
  }

  const View& view_;
  ClusterState* const state_;
  const SchedulerOptions& options_;
  std::unique_ptr<ClaimUsage> claims_;
  std::unique_ptr<BudgetBook> budgets_;
  absl::flat_hash_map<const PodShape*, std::unique_ptr<VictimSearch>> searches_;
  std::vector<PodShape*> shapes_;
  std::vector<PodRecord*> left_;
  std::vector<PodRecord*> placed_;
  std::vector<PodRecord*> leaving_;
  Plan plan_;
};

Plan PlanWith(const View& view, const SchedulerOptions& options, ClusterState* state) {
  Planner planner(view, state, options);
  int placed = 0;
  for (const auto& [key, pod] : state->queue()) {
    if (options.max_placements > 0 && placed >= options.max_placements) break;
    if (planner.Place(pod)) ++placed;
  }
  return planner.Finish();
}

}  // namespace

Plan ComputePlan(const View& view, const SchedulerOptions& options, absl::Time /*now*/) {
  ClusterState state(view);
  return PlanWith(view, options, &state);
}

void Scheduler::Prepare(const View& view) {
  if (is_new_) state_.Reset(view);
  is_new_ = false;
  state_.Sync(view);
}

Plan Scheduler::Compute(const View& view, const Newcomers& newcomers, absl::Time /*now*/) {
  Prepare(view);
  for (const auto& [key, entry] : newcomers) state_.Note(nullptr, entry);
  Plan plan = PlanWith(view, options_, &state_);
  for (const auto& [key, entry] : newcomers) state_.Note(entry, nullptr);
  return plan;
}

}  // namespace cluster::controller
