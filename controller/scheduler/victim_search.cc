#include "controller/scheduler/victim_search.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "controller/object/node_match.h"
#include "controller/scheduler/neighbours.h"
#include "controller/scheduler/taints.h"

namespace cluster::controller {
namespace {

constexpr int kNoVersion = -1;

int64_t StartOf(const PodRecord& pod) {
  const EntryPtr entry = pod.entry.Hold();
  const v1::Pod& object = entry->object.pod();
  return object.status().has_start_time() ? object.status().start_time().seconds()
                                          : object.metadata().creation_timestamp().seconds();
}

// More priority first, then the older; ties by key.
bool IsMoreImportant(const PodRecord* a, const PodRecord* b) {
  if (a->shape->priority != b->shape->priority) return a->shape->priority > b->shape->priority;
  return std::forward_as_tuple(StartOf(*a), a->entry.key()) <
         std::forward_as_tuple(StartOf(*b), b->entry.key());
}

// Takes pods off their node, and puts them back at the end.
class Absence {
 public:
  Absence(ClusterState* state, int node) : state_(state), node_(node) {}
  ~Absence() {
    for (PodRecord* pod : away_) state_->Place(pod, node_);
  }
  Absence(const Absence&) = delete;
  Absence& operator=(const Absence&) = delete;

  void Take(PodRecord* pod) {
    state_->Displace(pod);
    away_.insert(pod);
  }
  void Return(PodRecord* pod) {
    away_.erase(pod);
    state_->Place(pod, node_);
  }

 private:
  ClusterState* const state_;
  const int node_;
  absl::flat_hash_set<PodRecord*> away_;
};

// What would be left of a node's room, in numbers alone.
class Room {
 public:
  explicit Room(const NodeUsage& usage) : usage_(usage) {}

  void Free(const PodRequest& request) { Take(request, -1); }
  void Use(const PodRequest& request) { Take(request, 1); }

  bool Has(const PodRequest& wanted) const {
    return IsEnough(wanted.cpu_milli, usage_.cpu_milli + cpu_, usage_.allocatable_cpu_milli) &&
           IsEnough(wanted.memory_bytes, usage_.memory_bytes + memory_,
                    usage_.allocatable_memory_bytes) &&
           usage_.pods + pods_ < usage_.allocatable_pods;
  }

 private:
  static bool IsEnough(int64_t wanted, int64_t taken, int64_t all) {
    return wanted == 0 || taken + wanted <= all;
  }
  void Take(const PodRequest& request, int sign) {
    cpu_ += sign * request.cpu_milli;
    memory_ += sign * request.memory_bytes;
    pods_ += sign;
  }

  const NodeUsage& usage_;
  int64_t cpu_ = 0;
  int64_t memory_ = 0;
  int64_t pods_ = 0;
};

}  // namespace

VictimSearch::VictimSearch(const PodShape* shape, ClusterState* state, BudgetBook* budgets,
                           const ClaimUsage* claims)
    : shape_(shape),
      state_(state),
      budgets_(budgets),
      needs_{&shape->spec(), shape->request, shape->owner, shape->claims, claims} {
  // Where more than cpu, memory and slots is asked for, pods are moved in thought.
  has_rules_ = HasNeighbourRules(*shape, state->terms()) || !shape->request.others.empty() ||
               !shape->request.ports.empty() || !shape->claims.empty();
}

// No victim changes what is asked here.
bool VictimSearch::CouldEverRun(int node) const {
  const NodeUsage& usage = state_->nodes()[static_cast<size_t>(node)];
  const PodRequest& request = shape_->request;
  return usage.ready && request.cpu_milli <= usage.allocatable_cpu_milli &&
         request.memory_bytes <= usage.allocatable_memory_bytes &&
         !IsCordonedFor(shape_->spec(), usage.node()) &&
         UntoleratedTaint(shape_->spec(), usage.node()) == nullptr &&
         MatchesNodeSelector(shape_->spec(), usage.node()) &&
         MatchesNodeAffinity(shape_->spec(), usage.node());
}

bool VictimSearch::FitsNow(int node) const {
  return Fits(needs_, state_->nodes()[static_cast<size_t>(node)]) &&
         NeighboursAllow(*shape_, state_->terms(), node, Scope::kAll);
}

// Pods of less priority; those that only wait for the plan's end are nobody's victims.
std::vector<PodRecord*> VictimSearch::LowerOn(int node, bool* any_ending) const {
  std::vector<PodRecord*> lower;
  for (PodRecord* pod : state_->PodsOn(node)) {
    if (pod->waiting || pod->shape->priority >= shape_->priority) continue;
    *any_ending = *any_ending || pod->ending || pod->leaving;
    lower.push_back(pod);
  }
  return lower;
}

// Those first that shall stay before others: guarded by a budget, then the more important.
std::vector<VictimSearch::Lower> VictimSearch::InOrderOfMercy(
    std::vector<PodRecord*> active) const {
  std::sort(active.begin(), active.end(), IsMoreImportant);
  std::vector<Lower> judged;
  for (PodRecord* pod : active) {
    const EntryPtr entry = pod->entry.Hold();
    const v1::Pod& object = entry->object.pod();
    judged.push_back({pod, !budgets_->Against(object).empty()});
    budgets_->Take(object);
  }
  for (PodRecord* pod : active) budgets_->Return(pod->entry.Hold()->object.pod());
  std::stable_partition(judged.begin(), judged.end(),
                        [](const Lower& each) { return each.violates; });
  return judged;
}

// Frees all of the pods and gives back to as many of the active ones as there is room for.
std::vector<PodRecord*> VictimSearch::Spare(int node, const std::vector<PodRecord*>& going,
                                            const std::vector<Lower>& active) {
  std::vector<PodRecord*> victims;
  if (!has_rules_) {
    Room room(state_->nodes()[static_cast<size_t>(node)]);
    for (const PodRecord* pod : going) room.Free(pod->request());
    for (const Lower& each : active) {
      room.Use(each.pod->request());
      if (room.Has(shape_->request)) continue;
      room.Free(each.pod->request());
      victims.push_back(each.pod);
    }
    return victims;
  }
  Absence absence(state_, node);
  for (PodRecord* pod : going) absence.Take(pod);
  for (const Lower& each : active) {
    absence.Return(each.pod);
    if (FitsNow(node)) continue;
    absence.Take(each.pod);
    victims.push_back(each.pod);
  }
  return victims;
}

VictimCost VictimSearch::CostOf(int node, const std::vector<PodRecord*>& victims,
                                const std::vector<Lower>& judged) const {
  VictimCost cost;
  cost.node = node;
  cost.highest_priority = std::numeric_limits<int64_t>::min();
  cost.age = std::numeric_limits<int64_t>::min();
  for (const Lower& each : judged) {
    if (!each.violates) continue;
    cost.violations += std::find(victims.begin(), victims.end(), each.pod) == victims.end() ? 0 : 1;
  }
  for (const PodRecord* pod : victims) {
    const int64_t priority = pod->shape->priority;
    if (priority > cost.highest_priority) cost.age = std::numeric_limits<int64_t>::min();
    cost.highest_priority = std::max(cost.highest_priority, priority);
    if (priority == cost.highest_priority) cost.age = std::max(cost.age, -StartOf(*pod));
    // Above zero, so that more victims never cost less.
    cost.priorities += priority - std::numeric_limits<int32_t>::min() + 1;
    ++cost.victims;
  }
  return cost;
}

std::optional<VictimChoice> VictimSearch::On(int node) {
  if (!CouldEverRun(node)) return std::nullopt;
  bool any_ending = false;
  const std::vector<PodRecord*> lower = LowerOn(node, &any_ending);
  if (lower.empty()) return std::nullopt;
  if (!has_rules_) {
    Room room(state_->nodes()[static_cast<size_t>(node)]);
    for (const PodRecord* pod : lower) room.Free(pod->request());
    if (!room.Has(shape_->request)) return std::nullopt;
  } else {
    Absence absence(state_, node);
    for (PodRecord* pod : lower) absence.Take(pod);
    if (!FitsNow(node)) return std::nullopt;
  }
  std::vector<PodRecord*> active;
  for (PodRecord* pod : lower) {
    if (!pod->ending && !pod->leaving) active.push_back(pod);
  }
  const std::vector<Lower> judged = InOrderOfMercy(std::move(active));
  VictimChoice choice;
  choice.victims = Spare(node, lower, judged);
  choice.cost = CostOf(node, choice.victims, judged);
  return choice;
}

void VictimSearch::Offer(int node) {
  const std::optional<VictimChoice> choice = On(node);
  const auto at = static_cast<size_t>(node);
  latest_[at] = kNoVersion;
  if (!choice.has_value()) return;
  latest_[at] = state_->nodes()[at].version;
  heap_.push_back({choice->cost, latest_[at], budgets_->version()});
  std::push_heap(heap_.begin(), heap_.end());
}

void VictimSearch::CatchUp() {
  const ClusterState::Log& improved = state_->improved();
  if (!built_ || improved_seen_ < improved.start) {
    heap_.clear();
    latest_.assign(state_->nodes().size(), kNoVersion);
    improved_seen_ = improved.end();
    for (size_t node = 0; node < latest_.size(); ++node) Offer(static_cast<int>(node));
    built_ = true;
    return;
  }
  for (; improved_seen_ < improved.end(); ++improved_seen_) {
    const int node = improved.nodes[static_cast<size_t>(improved_seen_ - improved.start)];
    const auto at = static_cast<size_t>(node);
    if (latest_[at] != state_->nodes()[at].version) Offer(node);
  }
}

// Pods are moved to and fro to answer for a node: nothing that is kept would stay true.
std::optional<VictimChoice> VictimSearch::BestOfAll() {
  std::optional<VictimChoice> best;
  for (size_t node = 0; node < state_->nodes().size(); ++node) {
    std::optional<VictimChoice> choice = On(static_cast<int>(node));
    if (!choice.has_value()) continue;
    if (!best.has_value() || choice->cost < best->cost) best = std::move(choice);
  }
  return best;
}

std::optional<VictimChoice> VictimSearch::Best() {
  if (has_rules_) {
    // Within a plan only a victim makes anything better.
    if (found_none_at_ == state_->leaving_version()) return std::nullopt;
    std::optional<VictimChoice> best = BestOfAll();
    if (!best.has_value()) found_none_at_ = state_->leaving_version();
    return best;
  }
  CatchUp();
  while (!heap_.empty()) {
    const Candidate top = heap_.front();
    const auto at = static_cast<size_t>(top.cost.node);
    const bool is_newest = latest_[at] == top.version;
    if (is_newest && top.version == state_->nodes()[at].version &&
        top.budgets == budgets_->version()) {
      return On(top.cost.node);
    }
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
    if (is_newest) Offer(top.cost.node);
  }
  return std::nullopt;
}

}  // namespace cluster::controller
