#include "controller/scheduler/term_index.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kGap("\0", 1);

std::string Pair(absl::string_view key, absl::string_view value) {
  return absl::StrCat(key, kGap, value);
}

// A label with its value that every pod of the selection has; "" = there is none.
std::string AnchorOf(const TermSpec& spec) {
  for (const PodSelection& selection : spec.selections) {
    for (const LabelRequirement& requirement : selection.pods.requirements()) {
      if (requirement.op == v1::SELECTOR_OPERATOR_IN && requirement.values.size() == 1) {
        return Pair(requirement.key, requirement.values[0]);
      }
    }
  }
  return "";
}

std::string GroupIdentity(const std::string& name_space, const Labels& labels, bool ending) {
  std::vector<std::pair<absl::string_view, absl::string_view>> sorted(labels.begin(), labels.end());
  std::sort(sorted.begin(), sorted.end());
  std::string identity = absl::StrCat(ending ? "-" : "+", name_space);
  for (const auto& [key, value] : sorted) absl::StrAppend(&identity, kGap, key, kGap, value);
  return identity;
}

template <typename List, typename Value>
void EraseValue(const Value& value, List* list) {
  list->erase(std::remove(list->begin(), list->end(), value), list->end());
}

}  // namespace

const Topology& TermIndex::TopologyOf(const std::string& key) {
  std::unique_ptr<Topology>& topology = topologies_[key];
  if (topology != nullptr) return *topology;
  topology = std::make_unique<Topology>();
  topology->key = key;
  absl::flat_hash_map<std::string, int> ids;
  for (const Labels* labels : nodes_) {
    const auto label = labels->find(key);
    if (label == labels->end()) {
      topology->place_of.push_back(kNoPlace);
      continue;
    }
    const auto [id, is_new] = ids.try_emplace(label->second, static_cast<int>(ids.size()));
    if (is_new) {
      topology->places.push_back(label->second);
    } else {
      topology->local = false;
    }
    topology->place_of.push_back(id->second);
  }
  return *topology;
}

void TermIndex::SetNamespace(const std::string& name, const Labels* labels) {
  if (labels == nullptr) {
    namespaces_.erase(name);
  } else {
    namespaces_[name] = *labels;
  }
}

bool TermIndex::Selects(const PodSelection& selection, const Group& group) const {
  if (selection.none) return false;
  bool in_namespace = std::binary_search(selection.namespaces.begin(), selection.namespaces.end(),
                                         group.name_space);
  if (!in_namespace && selection.selects_namespaces) {
    const auto labels = namespaces_.find(group.name_space);
    in_namespace = selection.by_namespace.empty() ||
                   (labels != namespaces_.end() && selection.by_namespace.Matches(labels->second));
  }
  return in_namespace && selection.pods.Matches(group.labels);
}

bool TermIndex::Selects(const Term& term, const Group& group) const {
  if (term.spec.active_only && group.ending) return false;
  return std::all_of(term.spec.selections.begin(), term.spec.selections.end(),
                     [&](const PodSelection& each) { return Selects(each, group); });
}

bool TermIndex::IsIn(GroupId group, TermId term) const {
  const std::vector<TermId>& terms = TermsOn(group);
  return std::find(terms.begin(), terms.end(), term) != terms.end();
}

GroupId TermIndex::AcquireGroup(const std::string& name_space, const Labels& labels, bool ending) {
  std::string identity = GroupIdentity(name_space, labels, ending);
  const auto known = group_ids_.find(identity);
  if (known != group_ids_.end()) {
    ++groups_[static_cast<size_t>(known->second)].uses;
    return known->second;
  }
  GroupId id = static_cast<GroupId>(groups_.size());
  if (free_groups_.empty()) {
    groups_.emplace_back();
  } else {
    id = free_groups_.back();
    free_groups_.pop_back();
  }
  Group& group = groups_[static_cast<size_t>(id)];
  group = {identity, name_space, labels, ending, 1, {}, {}};
  group_ids_.emplace(std::move(identity), id);
  const auto look_at = [&](const std::vector<TermId>& terms) {
    for (const TermId each : terms) {
      if (Selects(term(each), group)) group.terms.push_back(each);
    }
  };
  for (const auto& [key, value] : labels) {
    const auto terms = anchored_.find(Pair(key, value));
    if (terms != anchored_.end()) look_at(terms->second);
  }
  look_at(loose_);
  std::sort(group.terms.begin(), group.terms.end());
  return id;
}

void TermIndex::ReleaseGroup(GroupId id) {
  Group& group = groups_[static_cast<size_t>(id)];
  if (--group.uses > 0) return;
  group_ids_.erase(group.identity);
  group = Group();
  free_groups_.push_back(id);
}

void TermIndex::CountPlaces(Term* term) {
  const size_t places = term->topology->places.size();
  term->matching.assign(places, 0);
  term->holders.assign(places, 0);
  term->pull.assign(places, 0);
  term->counted.assign(places, false);
  for (size_t node = 0; node < term->topology->place_of.size(); ++node) {
    const int place = term->topology->place_of[node];
    if (place == kNoPlace || !term->Counts(static_cast<int>(node))) continue;
    if (term->counted[static_cast<size_t>(place)]) continue;
    term->counted[static_cast<size_t>(place)] = true;
    ++term->counted_places;
  }
  term->places_with.assign(1, term->counted_places);
}

TermId TermIndex::AcquireTerm(TermSpec spec) {
  const auto known = term_ids_.find(spec.identity);
  if (known != term_ids_.end()) {
    ++terms_[static_cast<size_t>(known->second)]->uses;
    return known->second;
  }
  ++version_;
  TermId id = static_cast<TermId>(terms_.size());
  if (free_terms_.empty()) {
    terms_.emplace_back();
  } else {
    id = free_terms_.back();
    free_terms_.pop_back();
  }
  auto& made = terms_[static_cast<size_t>(id)] = std::make_unique<Term>();
  made->topology = &TopologyOf(spec.topology_key);
  made->spec = std::move(spec);
  made->uses = 1;
  CountPlaces(made.get());
  for (const PodSelection& selection : made->spec.selections) {
    if (selection.selects_namespaces) ++selects_namespaces_;
  }
  term_ids_.emplace(made->spec.identity, id);
  const std::string anchor = AnchorOf(made->spec);
  (anchor.empty() ? loose_ : anchored_[anchor]).push_back(id);
  for (Group& group : groups_) {
    if (group.uses == 0 || !Selects(*made, group)) continue;
    group.terms.push_back(id);
    std::sort(group.terms.begin(), group.terms.end());
    for (const auto& [node, pods] : group.pods) Change(made.get(), node, pods);
  }
  return id;
}

void TermIndex::ReleaseTerm(TermId id) {
  std::unique_ptr<Term>& gone = terms_[static_cast<size_t>(id)];
  if (--gone->uses > 0) return;
  ++version_;
  for (const PodSelection& selection : gone->spec.selections) {
    if (selection.selects_namespaces) --selects_namespaces_;
  }
  const std::string anchor = AnchorOf(gone->spec);
  EraseValue(id, anchor.empty() ? &loose_ : &anchored_[anchor]);
  for (Group& group : groups_) EraseValue(id, &group.terms);
  term_ids_.erase(gone->spec.identity);
  gone = nullptr;
  free_terms_.push_back(id);
}

void TermIndex::Change(Term* term, int node, int delta) {
  const int place = term->PlaceOf(node);
  if (place == kNoPlace || !term->Counts(node)) return;
  term->matching_total += delta;
  int& count = term->matching[static_cast<size_t>(place)];
  auto& with = term->places_with;
  --with[static_cast<size_t>(count)];
  count += delta;
  if (with.size() <= static_cast<size_t>(count)) with.resize(static_cast<size_t>(count) + 1);
  ++with[static_cast<size_t>(count)];
  if (count < term->least) term->least = count;
  while (term->counted_places > 0 && with[static_cast<size_t>(term->least)] == 0) ++term->least;
}

void TermIndex::Count(GroupId id, int node, int delta) {
  Group& group = groups_[static_cast<size_t>(id)];
  const auto pods = group.pods.try_emplace(node, 0).first;
  pods->second += delta;
  if (pods->second == 0) group.pods.erase(pods);
  for (const TermId each : group.terms)
    Change(terms_[static_cast<size_t>(each)].get(), node, delta);
}

void TermIndex::Hold(TermId id, int node, int delta) {
  Term& held = *terms_[static_cast<size_t>(id)];
  const int place = held.PlaceOf(node);
  if (place == kNoPlace) return;
  held.holders[static_cast<size_t>(place)] += delta;
  held.held += delta;
}

void TermIndex::Pull(TermId id, int node, int64_t weight) {
  Term& pulling = *terms_[static_cast<size_t>(id)];
  const int place = pulling.PlaceOf(node);
  if (place == kNoPlace) return;
  pulling.pull[static_cast<size_t>(place)] += weight;
  if (pulling.pull_changes++ == 0) ++version_;
}

}  // namespace cluster::controller
