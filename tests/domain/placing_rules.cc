#include "tests/domain/placing_rules.h"

#include <cstdlib>
#include <map>

#include "proto/schema/selector.h"

namespace cluster::domain {
namespace {

bool Counts(const v1::Pod& pod) {
  return !pod.spec().node_name().empty() && pod.status().phase() != v1::POD_PHASE_SUCCEEDED &&
         pod.status().phase() != v1::POD_PHASE_FAILED;
}

const std::string* LabelOf(const v1::Node& node, const std::string& key) {
  const auto label = node.metadata().labels().find(key);
  return label == node.metadata().labels().end() ? nullptr : &label->second;
}

bool Holds(const v1::NodeSelectorRequirement& requirement, const std::string* value) {
  bool listed = false;
  for (const std::string& each : requirement.values()) {
    listed = listed || (value != nullptr && *value == each);
  }
  switch (static_cast<int>(requirement.operator_())) {
    case v1::NODE_SELECTOR_OPERATOR_IN:
      return listed;
    case v1::NODE_SELECTOR_OPERATOR_NOT_IN:
      return !listed;
    case v1::NODE_SELECTOR_OPERATOR_EXISTS:
      return value != nullptr;
    case v1::NODE_SELECTOR_OPERATOR_DOES_NOT_EXIST:
      return value == nullptr;
    case v1::NODE_SELECTOR_OPERATOR_GT:
      return value != nullptr &&
             std::atoi(value->c_str()) > std::atoi(requirement.values(0).c_str());
    case v1::NODE_SELECTOR_OPERATOR_LT:
      return value != nullptr &&
             std::atoi(value->c_str()) < std::atoi(requirement.values(0).c_str());
    default:
      return false;
  }
}

bool NodeMatches(const v1::PodSpec& spec, const v1::Node& node) {
  for (const auto& [key, value] : spec.node_selector()) {
    const std::string* label = LabelOf(node, key);
    if (label == nullptr || *label != value) return false;
  }
  const auto& affinity = spec.affinity().node_affinity();
  if (!affinity.has_required_during_scheduling_ignored_during_execution()) return true;
  for (const auto& term :
       affinity.required_during_scheduling_ignored_during_execution().node_selector_terms()) {
    bool holds = term.match_expressions_size() + term.match_fields_size() > 0;
    for (const auto& each : term.match_expressions()) {
      holds = holds && Holds(each, LabelOf(node, each.key()));
    }
    for (const auto& each : term.match_fields()) {
      holds = holds && Holds(each, &node.metadata().name());
    }
    if (holds) return true;
  }
  return false;
}

bool InNamespaces(const View& view, const v1::PodAffinityTerm& term, const v1::Pod& owner,
                  const v1::Pod& other) {
  const std::string& name = other.metadata().namespace_();
  if (term.namespaces().empty() && !term.has_namespace_selector()) {
    return name == owner.metadata().namespace_();
  }
  for (const std::string& each : term.namespaces()) {
    if (each == name) return true;
  }
  if (!term.has_namespace_selector()) return false;
  const LabelMatcher matcher = LabelMatcher::From(term.namespace_selector()).value();
  if (matcher.empty()) return true;
  const EntryPtr found = view.Find(v1::Object::kNamespace, "", name);
  return found != nullptr && matcher.Matches(found->object.namespace_().metadata().labels());
}

// With matchLabelKeys and mismatchLabelKeys of `owner`.
bool SelectedBy(const View& view, const v1::PodAffinityTerm& term, const v1::Pod& owner,
                const v1::Pod& other) {
  if (!term.has_label_selector() || !InNamespaces(view, term, owner, other)) return false;
  const auto& labels = other.metadata().labels();
  if (!LabelMatcher::From(term.label_selector()).value().Matches(labels)) return false;
  const auto& own = owner.metadata().labels();
  for (const std::string& key : term.match_label_keys()) {
    if (own.contains(key) && (!labels.contains(key) || labels.at(key) != own.at(key))) return false;
  }
  for (const std::string& key : term.mismatch_label_keys()) {
    if (own.contains(key) && labels.contains(key) && labels.at(key) == own.at(key)) return false;
  }
  return true;
}

// Everything that is on nodes but the pod itself.
template <typename Look>
void ForOthers(const View& view, const v1::Pod& pod, Look&& look) {
  for (const auto& [key, entry] : view.All(v1::Object::kPod)) {
    const v1::Pod& other = entry->object.pod();
    if (!Counts(other) || other.metadata().uid() == pod.metadata().uid()) continue;
    const EntryPtr node = view.Find(v1::Object::kNode, "", other.spec().node_name());
    if (node != nullptr) look(other, node->object.node());
  }
}

bool SamePlace(const v1::Node& a, const v1::Node& b, const std::string& key) {
  const std::string* place = LabelOf(a, key);
  const std::string* other = LabelOf(b, key);
  return place != nullptr && other != nullptr && *place == *other;
}

bool AffinityHolds(const View& view, const v1::Pod& pod, const v1::Node& node) {
  const auto& terms =
      pod.spec().affinity().pod_affinity().required_during_scheduling_ignored_during_execution();
  bool anybody = false;
  const auto in_all = [&](const v1::Pod& other) {
    for (const auto& term : terms) {
      if (!SelectedBy(view, term, pod, other)) return false;
    }
    return true;
  };
  std::vector<bool> held(static_cast<size_t>(terms.size()), false);
  ForOthers(view, pod, [&](const v1::Pod& other, const v1::Node& there) {
    if (!in_all(other)) return;
    for (int i = 0; i < terms.size(); ++i) {
      if (LabelOf(there, terms[i].topology_key()) != nullptr) anybody = true;
      if (SamePlace(node, there, terms[i].topology_key())) held[static_cast<size_t>(i)] = true;
    }
  });
  const bool first = !anybody && in_all(pod);
  for (int i = 0; i < terms.size(); ++i) {
    if (LabelOf(node, terms[i].topology_key()) == nullptr) return false;
    if (!first && !held[static_cast<size_t>(i)]) return false;
  }
  return true;
}

bool NobodyKeepsAway(const View& view, const v1::Pod& pod, const v1::Node& node) {
  bool holds = true;
  ForOthers(view, pod, [&](const v1::Pod& other, const v1::Node& there) {
    const auto& own = pod.spec().affinity().pod_anti_affinity();
    for (const auto& term : own.required_during_scheduling_ignored_during_execution()) {
      if (SelectedBy(view, term, pod, other) && SamePlace(node, there, term.topology_key())) {
        holds = false;
      }
    }
    const auto& theirs = other.spec().affinity().pod_anti_affinity();
    for (const auto& term : theirs.required_during_scheduling_ignored_during_execution()) {
      if (SelectedBy(view, term, other, pod) && SamePlace(node, there, term.topology_key())) {
        holds = false;
      }
    }
  });
  return holds;
}

bool TaintsAreFine(const v1::PodSpec& spec, const v1::Node& node) {
  if (node.spec().unschedulable()) return false;
  for (const v1::Taint& taint : node.spec().taints()) {
    bool fine = taint.effect() == v1::TAINT_EFFECT_PREFER_NO_SCHEDULE;
    for (const v1::Toleration& toleration : spec.tolerations()) {
      fine = fine || (toleration.key() == taint.key() &&
                      (toleration.operator_() == v1::TOLERATION_OPERATOR_EXISTS ||
                       toleration.value() == taint.value()) &&
                      (toleration.effect() == v1::TAINT_EFFECT_UNSPECIFIED ||
                       toleration.effect() == taint.effect()));
    }
    if (!fine) return false;
  }
  return true;
}

bool IsPartOfPlace(const v1::Pod& pod, const v1::TopologySpreadConstraint& constraint,
                   const v1::Node& node) {
  for (const auto& each : pod.spec().topology_spread_constraints()) {
    if (each.when_unsatisfiable() == constraint.when_unsatisfiable() &&
        LabelOf(node, each.topology_key()) == nullptr) {
      return false;
    }
  }
  if (constraint.node_affinity_policy() != v1::NODE_INCLUSION_POLICY_IGNORE &&
      !NodeMatches(pod.spec(), node)) {
    return false;
  }
  return constraint.node_taints_policy() != v1::NODE_INCLUSION_POLICY_HONOR ||
         TaintsAreFine(pod.spec(), node);
}

bool IsSpread(const View& view, const v1::Pod& pod, const v1::Node& node,
              const v1::TopologySpreadConstraint& constraint) {
  const std::string* own_place = LabelOf(node, constraint.topology_key());
  if (own_place == nullptr) return false;
  std::map<std::string, int> counts;
  for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
    const v1::Node& each = entry->object.node();
    if (IsPartOfPlace(pod, constraint, each)) counts[*LabelOf(each, constraint.topology_key())];
  }
  v1::PodAffinityTerm term;
  *term.mutable_label_selector() = constraint.label_selector();
  *term.mutable_match_label_keys() = constraint.match_label_keys();
  if (!constraint.has_label_selector()) term.clear_label_selector();
  ForOthers(view, pod, [&](const v1::Pod& other, const v1::Node& there) {
    if (other.metadata().has_deletion_timestamp() || !IsPartOfPlace(pod, constraint, there)) return;
    if (SelectedBy(view, term, pod, other)) ++counts[*LabelOf(there, constraint.topology_key())];
  });
  int least = counts.empty() ? 0 : 1 << 30;
  for (const auto& [place, count] : counts) least = std::min(least, count);
  if (static_cast<int>(counts.size()) < constraint.min_domains()) least = 0;
  const int self = SelectedBy(view, term, pod, pod) ? 1 : 0;
  const auto there = counts.find(*own_place);
  const int here = there == counts.end() ? 0 : there->second;
  return here + self - least <= constraint.max_skew();
}

}  // namespace

std::string BrokenPlacingRule(const View& view, const v1::Pod& pod, const v1::Node& node) {
  if (!NodeMatches(pod.spec(), node)) return "node affinity or selector";
  if (!AffinityHolds(view, pod, node)) return "pod affinity";
  if (!NobodyKeepsAway(view, pod, node)) return "pod anti-affinity";
  for (const auto& constraint : pod.spec().topology_spread_constraints()) {
    if (constraint.when_unsatisfiable() == v1::UNSATISFIABLE_ACTION_SCHEDULE_ANYWAY) continue;
    if (!IsSpread(view, pod, node, constraint)) return "topology spread";
  }
  return "";
}

}  // namespace cluster::domain
