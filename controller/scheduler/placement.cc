#include "controller/scheduler/placement.h"

#include <algorithm>
#include <map>
#include <utility>

#include "controller/object/node_match.h"
#include "controller/scheduler/image_worth.h"
#include "controller/scheduler/neighbours.h"
#include "controller/scheduler/taints.h"

namespace cluster::controller {
namespace {

constexpr int64_t kFull = 1000;
constexpr int kNone = -1;
// Above this, a thousand times as much leaves 64 bits.
constexpr int64_t kSafe = int64_t{1} << 53;

int64_t Thousandths(int64_t taken, int64_t total) {
  if (total <= 0) return kFull;
  if (taken < kSafe) return taken * kFull / total;
  return static_cast<int64_t>(static_cast<__int128>(taken) * kFull / total);
}

int64_t ImagesOn(const PodShape& shape, const ClusterState& state, int node) {
  int64_t worth = 0;
  for (const std::string& image : shape.images) worth += state.ImageWorth(node, image);
  return ImageScore(worth, shape.images.size());
}

// Labels of nodes that make the places which rules about this shape know.
std::vector<const Topology*> WideTopologies(const PodShape& shape, const TermIndex& index) {
  std::map<std::string, const Topology*> wide;
  const auto add = [&](TermId each) {
    const Topology* topology = index.term(each).topology;
    if (!topology->local) wide[topology->key] = topology;
  };
  for (const TermId each : shape.affinity) add(each);
  for (const TermId each : shape.anti) add(each);
  for (const WeightedTerm& each : shape.preferred) add(each.term);
  for (const SpreadTerm& each : shape.spread) add(each.term);
  for (const TermId each : index.TermsOn(shape.group)) {
    if (!index.term(each).spec.active_only) add(each);
  }
  std::vector<const Topology*> sorted;
  for (const auto& [key, topology] : wide) sorted.push_back(topology);
  return sorted;
}

bool GainsFromPods(const PodShape& shape, const TermIndex& index) {
  const auto is_local = [&](TermId each) { return index.term(each).topology->local; };
  const std::vector<TermId>& on = index.TermsOn(shape.group);
  return std::any_of(shape.affinity.begin(), shape.affinity.end(), is_local) ||
         std::any_of(
             shape.preferred.begin(), shape.preferred.end(),
             [&](const WeightedTerm& each) { return each.weight > 0 && is_local(each.term); }) ||
         std::any_of(on.begin(), on.end(), [&](TermId each) {
           return index.term(each).pull_changes > 0 && is_local(each);
         });
}

}  // namespace

Score ScoreOf(const ScoreInputs& inputs, int node, bool with_wide_places) {
  const PodShape& shape = *inputs.shape;
  const ClusterState& state = *inputs.state;
  const NodeUsage& usage = state.nodes()[static_cast<size_t>(node)];
  const PodRequest& request = *inputs.request;
  Score score;
  score.unwelcome = UnwelcomeTaints(shape.spec(), usage.node());
  score.dislike = -NodePreference(shape.spec(), usage.node()) -
                  NeighbourPreference(shape, state.terms(), node,
                                      with_wide_places ? Scope::kAll : Scope::kLocal);
  score.allocated =
      Thousandths(usage.cpu_milli + request.cpu_milli, usage.allocatable_cpu_milli) +
      Thousandths(usage.memory_bytes + request.memory_bytes, usage.allocatable_memory_bytes) +
      Thousandths(usage.pods + 1, usage.allocatable_pods);
  if (inputs.strategy == Strategy::kPack) score.allocated = -score.allocated;
  score.allocated -= ImagesOn(shape, state, node);
  if (inputs.strategy == Strategy::kSpread && shape.owner != 0) {
    const auto same = usage.pods_of_owner.find(shape.owner);
    if (same != usage.pods_of_owner.end()) score.spread = same->second;
  }
  score.node = node;
  return score;
}

Placement::Placement(const PodShape* shape, const ClusterState* state, Strategy strategy)
    : shape_(shape),
      state_(state),
      needs_{&shape->spec(), shape->request, shape->owner},
      inputs_{shape, &shape->request, state, strategy} {
  Build();
}

void Placement::SortIntoBuckets() {
  const std::vector<const Topology*> wide = WideTopologies(*shape_, state_->terms());
  std::map<std::vector<int>, int> ids;
  bucket_of_.clear();
  for (size_t node = 0; node < state_->nodes().size(); ++node) {
    std::vector<int> places;
    places.reserve(wide.size());
    for (const Topology* each : wide) places.push_back(each->place_of[node]);
    bucket_of_.push_back(
        ids.try_emplace(std::move(places), static_cast<int>(ids.size())).first->second);
  }
  buckets_.assign(std::max<size_t>(ids.size(), 1), Bucket());
}

void Placement::Build() {
  const TermIndex& index = state_->terms();
  has_rules_ = HasNeighbourRules(*shape_, index);
  gains_from_pods_ = has_rules_ && GainsFromPods(*shape_, index);
  was_first_ = MayBeFirst(*shape_, index);
  terms_version_ = index.version();
  images_version_ = state_->images_version();
  improved_seen_ = state_->improved().end();
  filled_seen_ = state_->filled().end();
  parked_.clear();
  parked_least_ = LeastOfAll();
  SortIntoBuckets();
  latest_.assign(state_->nodes().size(), kNone);
  held_ = 0;
  for (size_t i = 0; i < latest_.size(); ++i) {
    const int node = static_cast<int>(i);
    if (!Fits(node)) {
      if (WaitsForOthers()) parked_.push_back(node);
      continue;
    }
    const NodeUsage& usage = state_->nodes()[i];
    buckets_[static_cast<size_t>(bucket_of_[i])].heap.push_back(
        {ScoreOf(inputs_, node, false), usage.version});
    latest_[i] = usage.version;
    ++held_;
  }
  for (Bucket& bucket : buckets_) std::make_heap(bucket.heap.begin(), bucket.heap.end());
}

// What one node cannot tell has changed: nothing that is held can be relied on.
bool Placement::IsOutOfDate() const {
  if (improved_seen_ < state_->improved().start) return true;
  if (gains_from_pods_ && filled_seen_ < state_->filled().start) return true;
  if (terms_version_ != state_->terms().version()) return true;
  if (images_version_ != state_->images_version()) return true;
  if (!shape_->affinity.empty() && was_first_ != MayBeFirst(*shape_, state_->terms())) return true;
  return held_ > 4 * latest_.size() + 64;
}

// The fewest pods of a place, of all constraints by node.
int64_t Placement::LeastOfAll() const {
  int64_t sum = 0;
  for (const SpreadTerm& each : shape_->spread) {
    const Term& term = state_->terms().term(each.term);
    if (each.required && term.topology->local) sum += term.least;
  }
  return sum;
}

void Placement::CatchUp() {
  if (IsOutOfDate()) return Build();
  const ClusterState::Log& improved = state_->improved();
  for (; improved_seen_ < improved.end(); ++improved_seen_) {
    Offer(improved.nodes[static_cast<size_t>(improved_seen_ - improved.start)]);
  }
  if (gains_from_pods_) {
    const ClusterState::Log& filled = state_->filled();
    for (; filled_seen_ < filled.end(); ++filled_seen_) {
      Offer(filled.nodes[static_cast<size_t>(filled_seen_ - filled.start)]);
    }
  }
  if (parked_.empty()) return;
  const int64_t least = LeastOfAll();
  if (least == parked_least_) return;
  parked_least_ = least;
  for (const int node : std::exchange(parked_, {})) Offer(node);
}

bool Placement::Fits(int node) const {
  return controller::Fits(needs_, state_->nodes()[static_cast<size_t>(node)]) &&
         (!has_rules_ || NeighboursAllow(*shape_, state_->terms(), node, Scope::kLocal));
}

void Placement::Offer(int node) {
  const auto at = static_cast<size_t>(node);
  const int version = state_->nodes()[at].version;
  if (latest_[at] == version) return;
  latest_[at] = kNone;
  if (!Fits(node)) return WaitsForOthers() ? parked_.push_back(node) : void();
  std::vector<Candidate>& heap = buckets_[static_cast<size_t>(bucket_of_[at])].heap;
  heap.push_back({ScoreOf(inputs_, node, false), version});
  std::push_heap(heap.begin(), heap.end());
  latest_[at] = version;
  ++held_;
}

// Whether a node may fit again without a change of its own.
bool Placement::WaitsForOthers() const {
  return has_rules_ &&
         std::any_of(shape_->spread.begin(), shape_->spread.end(), [&](const SpreadTerm& each) {
           return each.required && state_->terms().term(each.term).topology->local;
         });
}

const Placement::Candidate* Placement::Top(Bucket* bucket) {
  std::vector<Candidate>& heap = bucket->heap;
  while (!heap.empty()) {
    const Candidate& top = heap.front();
    const int node = top.score.node;
    const auto at = static_cast<size_t>(node);
    const bool is_newest = latest_[at] == top.version;
    if (is_newest && top.version == state_->nodes()[at].version &&
        (!has_rules_ || NeighboursAllow(*shape_, state_->terms(), node, Scope::kLocal))) {
      return &top;
    }
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
    --held_;
    if (!is_newest) continue;
    latest_[at] = kNone;
    Offer(node);
  }
  return nullptr;
}

int Placement::Best() {
  CatchUp();
  Score best;
  best.node = kNowhere;
  for (Bucket& bucket : buckets_) {
    const Candidate* top = Top(&bucket);
    if (top == nullptr) continue;
    Score score = top->score;
    if (has_rules_) {
      const TermIndex& index = state_->terms();
      if (!NeighboursAllow(*shape_, index, score.node, Scope::kWide)) continue;
      score.dislike -= NeighbourPreference(*shape_, index, score.node, Scope::kWide);
    }
    if (best.node == kNowhere || score < best) best = score;
  }
  return best.node;
}

}  // namespace cluster::controller
