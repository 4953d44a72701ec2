#include "controller/object/node_match.h"

#include <algorithm>

#include "absl/strings/numbers.h"

namespace cluster::controller {
namespace {

bool Holds(const v1::NodeSelectorRequirement& requirement, const std::string* value) {
  const auto& values = requirement.values();
  const bool listed =
      value != nullptr && std::find(values.begin(), values.end(), *value) != values.end();
  switch (requirement.operator_()) {
    case v1::NODE_SELECTOR_OPERATOR_IN:
      return listed;
    case v1::NODE_SELECTOR_OPERATOR_NOT_IN:
      return !listed;
    case v1::NODE_SELECTOR_OPERATOR_EXISTS:
      return value != nullptr;
    case v1::NODE_SELECTOR_OPERATOR_DOES_NOT_EXIST:
      return value == nullptr;
    case v1::NODE_SELECTOR_OPERATOR_GT:
    case v1::NODE_SELECTOR_OPERATOR_LT: {
      int64_t has = 0;
      int64_t bound = 0;
      if (value == nullptr || values.size() != 1 || !absl::SimpleAtoi(*value, &has) ||
          !absl::SimpleAtoi(values[0], &bound)) {
        return false;
      }
      return requirement.operator_() == v1::NODE_SELECTOR_OPERATOR_GT ? has > bound : has < bound;
    }
    case v1::NODE_SELECTOR_OPERATOR_UNSPECIFIED:
    case v1::NodeSelectorOperator_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::NodeSelectorOperator_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return false;
}

}  // namespace

bool MatchesNodeSelector(const v1::PodSpec& spec, const v1::Node& node) {
  const auto& labels = node.metadata().labels();
  for (const auto& [key, value] : spec.node_selector()) {
    const auto label = labels.find(key);
    if (label == labels.end() || label->second != value) return false;
  }
  return true;
}

bool MatchesNodeTerm(const v1::NodeSelectorTerm& term, const v1::Node& node) {
  if (term.match_expressions().empty() && term.match_fields().empty()) return false;
  const auto& labels = node.metadata().labels();
  for (const v1::NodeSelectorRequirement& requirement : term.match_expressions()) {
    const auto label = labels.find(requirement.key());
    if (!Holds(requirement, label == labels.end() ? nullptr : &label->second)) return false;
  }
  for (const v1::NodeSelectorRequirement& requirement : term.match_fields()) {
    const bool is_name = requirement.key() == "metadata.name";
    if (!Holds(requirement, is_name ? &node.metadata().name() : nullptr)) return false;
  }
  return true;
}

bool MatchesNodeAffinity(const v1::PodSpec& spec, const v1::Node& node) {
  const v1::NodeAffinity& affinity = spec.affinity().node_affinity();
  if (!affinity.has_required_during_scheduling_ignored_during_execution()) return true;
  const auto& terms =
      affinity.required_during_scheduling_ignored_during_execution().node_selector_terms();
  return std::any_of(terms.begin(), terms.end(),
                     [&node](const auto& term) { return MatchesNodeTerm(term, node); });
}

int64_t NodePreference(const v1::PodSpec& spec, const v1::Node& node) {
  int64_t sum = 0;
  for (const v1::PreferredSchedulingTerm& term :
       spec.affinity().node_affinity().preferred_during_scheduling_ignored_during_execution()) {
    if (MatchesNodeTerm(term.preference(), node)) sum += term.weight();
  }
  return sum;
}

}  // namespace cluster::controller
