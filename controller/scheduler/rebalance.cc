#include "controller/scheduler/rebalance.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "controller/reconcile/budgets.h"
#include "controller/reconcile/pod_state.h"
#include "controller/scheduler/explain.h"
#include "controller/scheduler/neighbours.h"

namespace cluster::controller {
namespace {

// Of 3,000 that a node's cpu, memory and slots are: less is not worth a restart.
constexpr int64_t kMuchRoom = 600;
// Of a workload, rounded up, at a time: what rolling updates take by default.
constexpr int kShareOnTheMove = 4;

bool IsWorthIt(const Score& here, const Score& there) {
  if (there.unwelcome != here.unwelcome) return there.unwelcome < here.unwelcome;
  if (there.dislike != here.dislike) return there.dislike < here.dislike;
  if (there.spread != here.spread) return there.spread < here.spread;
  return there.allocated + kMuchRoom <= here.allocated;
}

class Rebalance {
 public:
  Rebalance(const View& view, Strategy strategy)
      : state_(view), claims_(view), budgets_(view), strategy_(strategy) {
    for (const auto& [key, entry] : view.All(v1::Object::kPod)) {
      const v1::OwnerReference* owner = ControllerOf(Meta(entry->object));
      if (owner != nullptr && IsActive(entry->object.pod())) ++sizes_[owner->uid()];
    }
  }

  // Moves the pod in thought, if that is worth it.
  std::optional<Move> Consider(const EntryPtr& entry) {
    PodRecord* pod = state_.Find(entry->key);
    if (pod == nullptr || !MayMove(*pod)) return std::nullopt;
    const int from = pod->node;
    state_.Displace(pod);
    const int to = BestFor(*pod);
    std::string reason = to == kNowhere || to == from ? "" : ReasonFor(*pod, from, to);
    state_.Place(pod, reason.empty() ? from : to);
    if (reason.empty()) return std::nullopt;
    return Move{entry->key, Meta(entry->object).uid(), NameOf(from),
                NameOf(to), std::move(reason),         HoldBack(entry->object.pod())};
  }

 private:
  const std::string& NameOf(int node) const {
    return state_.nodes()[static_cast<size_t>(node)].name();
  }

  // Pods that come back elsewhere by themselves; those with data stay where it is.
  static bool MayMove(const PodRecord& pod) {
    const EntryPtr entry = pod.entry.Hold();
    const v1::Pod& object = entry->object.pod();
    const v1::OwnerReference* owner = ControllerOf(object.metadata());
    return pod.node != kNowhere && !pod.ending && owner != nullptr &&
           owner->kind() != "DaemonSet" && owner->kind() != "Job" && pod.shape->claims.empty() &&
           object.status().phase() == v1::POD_PHASE_RUNNING;
  }

  PodNeeds NeedsOf(const PodRecord& pod) const {
    return {&pod.shape->spec(), pod.request(), pod.shape->owner, pod.shape->claims, &claims_};
  }

  Score ScoreAt(const PodRecord& pod, int node) const {
    return ScoreOf({pod.shape, &pod.request(), &state_, strategy_}, node,
                   /*with_wide_places=*/true);
  }

  bool FitsAt(const PodRecord& pod, int node) const {
    return Fits(NeedsOf(pod), state_.nodes()[static_cast<size_t>(node)]) &&
           NeighboursAllow(*pod.shape, state_.terms(), node, Scope::kAll);
  }

  int BestFor(const PodRecord& pod) {
    auto& placement = placements_[pod.shape];
    if (placement == nullptr) {
      placement = std::make_unique<Placement>(pod.shape, &state_, strategy_);
    }
    return placement->Best();
  }

  // "" = it stays.
  std::string ReasonFor(const PodRecord& pod, int from, int to) const {
    if (!FitsAt(pod, from)) {
      std::vector<Rejection> broken =
          Rejections(NeedsOf(pod), state_.nodes()[static_cast<size_t>(from)]);
      AddNeighbourRejections(*pod.shape, state_.terms(), from, &broken);
      return absl::StrCat(NameOf(from), " breaks a rule: ", broken.at(0).Text());
    }
    const Score here = ScoreAt(pod, from);
    const Score there = ScoreAt(pod, to);
    if (!IsWorthIt(here, there)) return "";
    return absl::StrCat("better ", LeadOf(PartsOf(there, *pod.shape, state_, strategy_),
                                          PartsOf(here, *pod.shape, state_, strategy_)));
  }

  std::string HoldBack(const v1::Pod& pod) {
    const std::vector<std::string> against = budgets_.Against(pod);
    if (!against.empty()) {
      return absl::StrCat("budget ", absl::StrJoin(against, ", "), " allows no more disruptions");
    }
    const std::string& owner = ControllerOf(pod.metadata())->uid();
    const int most = (sizes_[owner] + kShareOnTheMove - 1) / kShareOnTheMove;
    if (moving_[owner] >= most) {
      return absl::StrCat("a quarter of the workload (", most, ") is on the move");
    }
    ++moving_[owner];
    budgets_.Spend(pod);
    return "";
  }

  ClusterState state_;
  ClaimUsage claims_;
  BudgetBook budgets_;
  const Strategy strategy_;
  std::map<const PodShape*, std::unique_ptr<Placement>> placements_;
  std::map<std::string, int> sizes_;   // active pods, by uid of the owner
  std::map<std::string, int> moving_;  // of them, those that move
};

}  // namespace

std::vector<Move> ComputeRebalance(const View& view, const SchedulerOptions& scheduling,
                                   const RebalanceOptions& options) {
  Rebalance rebalance(view, scheduling.strategy);
  std::vector<Move> moves;
  for (const auto& [key, entry] : view.All(v1::Object::kPod)) {
    if (options.max_moves > 0 && moves.size() >= static_cast<size_t>(options.max_moves)) break;
    const std::string& name_space = Meta(entry->object).namespace_();
    if (!options.name_space.empty() && name_space != options.name_space) continue;
    std::optional<Move> move = rebalance.Consider(entry);
    if (move.has_value()) moves.push_back(*std::move(move));
  }
  return moves;
}

}  // namespace cluster::controller
