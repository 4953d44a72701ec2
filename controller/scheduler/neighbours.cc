#include "controller/scheduler/neighbours.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cluster::controller {
namespace {

// What one pod too many in a place costs, where the constraint can be broken: as much as the
// strongest preference.
constexpr int64_t kCrowdWeight = 100;

bool IsIn(const Term& term, Scope scope) {
  return scope == Scope::kAll || term.topology->local == (scope == Scope::kLocal);
}

template <typename Count>
Count At(const std::vector<Count>& counts, int place) {
  return place == kNoPlace ? 0 : counts[static_cast<size_t>(place)];
}

bool AffinityHolds(const PodShape& shape, const TermIndex& index, int node, Scope scope) {
  if (shape.affinity.empty()) return true;
  const bool first = MayBeFirst(shape, index);
  return std::all_of(shape.affinity.begin(), shape.affinity.end(), [&](TermId each) {
    const Term& term = index.term(each);
    if (!IsIn(term, scope)) return true;
    const int place = term.PlaceOf(node);
    return place != kNoPlace && (first || At(term.matching, place) > 0);
  });
}

bool AntiAffinityHolds(const PodShape& shape, const TermIndex& index, int node, Scope scope) {
  return std::all_of(shape.anti.begin(), shape.anti.end(), [&](TermId each) {
    const Term& term = index.term(each);
    return !IsIn(term, scope) || At(term.matching, term.PlaceOf(node)) == 0;
  });
}

// Pods that are there and do not want to be with this one.
bool OthersAllow(const PodShape& shape, const TermIndex& index, int node, Scope scope) {
  const std::vector<TermId>& terms = index.TermsOn(shape.group);
  return std::all_of(terms.begin(), terms.end(), [&](TermId each) {
    const Term& term = index.term(each);
    return term.held == 0 || !IsIn(term, scope) || At(term.holders, term.PlaceOf(node)) == 0;
  });
}

// How many pods more than allowed the place would have; kNoLabel where the node has no place.
constexpr int64_t kNoLabel = -1;
int64_t ExcessOf(const SpreadTerm& spread, const Term& term, int node) {
  const int place = term.PlaceOf(node);
  if (place == kNoPlace) return kNoLabel;
  const int least = term.counted_places < spread.min_places ? 0 : term.least;
  const int64_t skew = int64_t{At(term.matching, place)} + (spread.self ? 1 : 0) - least;
  return std::max<int64_t>(0, skew - spread.max_skew);
}

bool SpreadHolds(const PodShape& shape, const TermIndex& index, int node, Scope scope) {
  return std::all_of(shape.spread.begin(), shape.spread.end(), [&](const SpreadTerm& each) {
    if (!each.required) return true;
    const Term& term = index.term(each.term);
    return !IsIn(term, scope) || ExcessOf(each, term, node) == 0;
  });
}

std::string SelectionText(const Term& term) {
  const PodSelection& first = term.spec.selections.front();
  if (first.none) return "no selection";
  return first.pods.empty() ? "the namespace" : first.pods.ToString();
}

void AddSpreadRejection(const SpreadTerm& spread, const Term& term, int node,
                        std::vector<Rejection>* found) {
  const int64_t excess = ExcessOf(spread, term, node);
  if (excess == 0) return;
  if (excess == kNoLabel) {
    found->push_back(
        {"node(s) didn't match pod topology spread constraints (missing required "
         "label)",
         "", 0, absl::StrCat("label the node with ", term.topology->key)});
    return;
  }
  found->push_back({"node(s) didn't match pod topology spread constraints", "", 0,
                    absl::StrCat("make room in the places of ", term.topology->key,
                                 " that have fewer such pods, or raise maxSkew by ", excess)});
}

}  // namespace

bool MayBeFirst(const PodShape& shape, const TermIndex& index) {
  return shape.starts_its_own &&
         std::all_of(shape.affinity.begin(), shape.affinity.end(),
                     [&](TermId each) { return index.term(each).matching_total == 0; });
}

bool HasNeighbourRules(const PodShape& shape, const TermIndex& index) {
  if (!shape.affinity.empty() || !shape.anti.empty() || !shape.preferred.empty() ||
      !shape.spread.empty()) {
    return true;
  }
  const std::vector<TermId>& terms = index.TermsOn(shape.group);
  return std::any_of(terms.begin(), terms.end(),
                     [&](TermId each) { return !index.term(each).spec.active_only; });
}

bool NeighboursAllow(const PodShape& shape, const TermIndex& index, int node, Scope scope) {
  return AntiAffinityHolds(shape, index, node, scope) && OthersAllow(shape, index, node, scope) &&
         SpreadHolds(shape, index, node, scope) && AffinityHolds(shape, index, node, scope);
}

void AddNeighbourRejections(const PodShape& shape, const TermIndex& index, int node,
                            std::vector<Rejection>* found) {
  const bool first = MayBeFirst(shape, index);
  for (const TermId each : shape.affinity) {
    const Term& term = index.term(each);
    const int place = term.PlaceOf(node);
    if (place != kNoPlace && (first || At(term.matching, place) > 0)) continue;
    found->push_back({"node(s) didn't match pod affinity rules", "", 0,
                      place == kNoPlace ? absl::StrCat("label the node with ", term.topology->key)
                                        : absl::StrCat("run a pod of ", SelectionText(term),
                                                       " with this ", term.topology->key)});
    break;
  }
  for (const TermId each : shape.anti) {
    const Term& term = index.term(each);
    if (At(term.matching, term.PlaceOf(node)) == 0) continue;
    found->push_back({"node(s) didn't match pod anti-affinity rules", "", 0,
                      absl::StrCat("move the pods of ", SelectionText(term), " to another ",
                                   term.topology->key)});
    break;
  }
  for (const TermId each : index.TermsOn(shape.group)) {
    const Term& term = index.term(each);
    if (At(term.holders, term.PlaceOf(node)) == 0) continue;
    found->push_back({"node(s) didn't satisfy existing pods anti-affinity rules", "", 0,
                      absl::StrCat("move the pods that keep away ", SelectionText(term),
                                   " to another ", term.topology->key)});
    break;
  }
  for (const SpreadTerm& each : shape.spread) {
    if (each.required) AddSpreadRejection(each, index.term(each.term), node, found);
  }
}

int64_t SpreadPreference(const PodShape& shape, const TermIndex& index, int node, Scope scope) {
  int64_t sum = 0;
  for (const SpreadTerm& each : shape.spread) {
    const Term& term = index.term(each.term);
    if (each.required || !IsIn(term, scope)) continue;
    const int place = term.PlaceOf(node);
    const int64_t crowd =
        place == kNoPlace ? term.matching_total + 1 : int64_t{At(term.matching, place)};
    sum -= kCrowdWeight * crowd / each.max_skew;
  }
  return sum;
}

int64_t NeighbourPreference(const PodShape& shape, const TermIndex& index, int node, Scope scope) {
  int64_t sum = SpreadPreference(shape, index, node, scope);
  for (const WeightedTerm& each : shape.preferred) {
    const Term& term = index.term(each.term);
    if (IsIn(term, scope)) sum += each.weight * At(term.matching, term.PlaceOf(node));
  }
  for (const TermId each : index.TermsOn(shape.group)) {
    const Term& term = index.term(each);
    if (term.pull_changes > 0 && IsIn(term, scope)) sum += At(term.pull, term.PlaceOf(node));
  }
  return sum;
}

}  // namespace cluster::controller
