#include "controller/object/node_choice.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/numbers.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kNameField = "metadata.name";

// `value`: nullptr where the node has none.
bool Holds(const v1::NodeSelectorRequirement& requirement, const std::string* value) {
  const auto& values = requirement.values();
  const bool listed =
      value != nullptr && std::find(values.begin(), values.end(), *value) != values.end();
  int64_t is = 0;
  int64_t bound = 0;
  const bool numbers = value != nullptr && values.size() == 1 && absl::SimpleAtoi(*value, &is) &&
                       absl::SimpleAtoi(values[0], &bound);
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
      return numbers && is > bound;
    case v1::NODE_SELECTOR_OPERATOR_LT:
      return numbers && is < bound;
    case v1::NODE_SELECTOR_OPERATOR_UNSPECIFIED:
    case v1::NodeSelectorOperator_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::NodeSelectorOperator_INT_MAX_SENTINEL_DO_NOT_USE_:
      return false;
  }
  return false;
}

bool HoldsTerm(const v1::NodeSelectorTerm& term, const v1::Node& node) {
  if (term.match_expressions().empty() && term.match_fields().empty()) return false;
  for (const v1::NodeSelectorRequirement& requirement : term.match_expressions()) {
    const auto label = node.metadata().labels().find(requirement.key());
    const bool there = label != node.metadata().labels().end();
    if (!Holds(requirement, there ? &label->second : nullptr)) return false;
  }
  for (const v1::NodeSelectorRequirement& requirement : term.match_fields()) {
    const bool known = requirement.key() == kNameField;
    if (!Holds(requirement, known ? &node.metadata().name() : nullptr)) return false;
  }
  return true;
}

const v1::NodeSelector* RequiredOf(const v1::PodSpec& spec) {
  const v1::NodeAffinity& affinity = spec.affinity().node_affinity();
  return affinity.has_required_during_scheduling_ignored_during_execution()
             ? &affinity.required_during_scheduling_ignored_during_execution()
             : nullptr;
}

}  // namespace

bool AnyTermHolds(const v1::NodeSelector& selector, const v1::Node& node) {
  return std::any_of(selector.node_selector_terms().begin(), selector.node_selector_terms().end(),
                     [&node](const v1::NodeSelectorTerm& term) { return HoldsTerm(term, node); });
}

bool MatchesRequiredAffinity(const v1::PodSpec& spec, const v1::Node& node) {
  const v1::NodeSelector* required = RequiredOf(spec);
  return required == nullptr || AnyTermHolds(*required, node);
}

bool WantsNode(const v1::PodSpec& spec, const v1::Node& node) {
  if (!spec.node_name().empty() && spec.node_name() != node.metadata().name()) return false;
  for (const auto& [key, value] : spec.node_selector()) {
    const auto label = node.metadata().labels().find(key);
    if (label == node.metadata().labels().end() || label->second != value) return false;
  }
  return MatchesRequiredAffinity(spec, node);
}

void PinToNode(const std::string& node, v1::PodSpec* spec) {
  v1::NodeSelector* required = spec->mutable_affinity()
                                   ->mutable_node_affinity()
                                   ->mutable_required_during_scheduling_ignored_during_execution();
  required->Clear();
  v1::NodeSelectorRequirement* name = required->add_node_selector_terms()->add_match_fields();
  name->set_key(std::string(kNameField));
  name->set_operator_(v1::NODE_SELECTOR_OPERATOR_IN);
  name->add_values(node);
}

std::string PinnedNode(const v1::PodSpec& spec) {
  if (!spec.node_name().empty()) return spec.node_name();
  const v1::NodeSelector* required = RequiredOf(spec);
  if (required == nullptr || required->node_selector_terms_size() != 1) return "";
  const v1::NodeSelectorTerm& term = required->node_selector_terms(0);
  if (term.match_fields_size() != 1 || term.match_fields(0).key() != kNameField) return "";
  const v1::NodeSelectorRequirement& name = term.match_fields(0);
  const bool one = name.operator_() == v1::NODE_SELECTOR_OPERATOR_IN && name.values_size() == 1;
  return one ? name.values(0) : "";
}

}  // namespace cluster::controller
