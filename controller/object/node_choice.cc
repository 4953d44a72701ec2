#include "controller/object/node_choice.h"

#include "controller/object/node_match.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kNameField = "metadata.name";

const v1::NodeSelector* RequiredOf(const v1::PodSpec& spec) {
  const v1::NodeAffinity& affinity = spec.affinity().node_affinity();
  return affinity.has_required_during_scheduling_ignored_during_execution()
             ? &affinity.required_during_scheduling_ignored_during_execution()
             : nullptr;
}

}  // namespace

bool WantsNode(const v1::PodSpec& spec, const v1::Node& node) {
  if (!spec.node_name().empty() && spec.node_name() != node.metadata().name()) return false;
  return MatchesNodeSelector(spec, node) && MatchesNodeAffinity(spec, node);
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
