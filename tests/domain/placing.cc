#include "tests/domain/placing.h"

namespace cluster::domain {
namespace {

v1::NodeSelectorRequirement Requirement(const std::string& key, v1::NodeSelectorOperator op,
                                        const std::vector<std::string>& values) {
  v1::NodeSelectorRequirement requirement;
  requirement.set_key(key);
  requirement.set_operator_(op);
  for (const std::string& value : values) requirement.add_values(value);
  return requirement;
}

v1::NodeSelectorTerm* NewTerm(v1::PodSpec* spec) {
  return spec->mutable_affinity()
      ->mutable_node_affinity()
      ->mutable_required_during_scheduling_ignored_during_execution()
      ->add_node_selector_terms();
}

template <typename PodAffinity>
void AddWeighted(int weight, const v1::PodAffinityTerm& term, PodAffinity* affinity) {
  auto* added = affinity->add_preferred_during_scheduling_ignored_during_execution();
  added->set_weight(weight);
  *added->mutable_pod_affinity_term() = term;
}

}  // namespace

v1::PodAffinityTerm TermOf(const std::string& key, const std::string& value,
                           const std::string& topology) {
  v1::PodAffinityTerm term;
  (*term.mutable_label_selector()->mutable_match_labels())[key] = value;
  term.set_topology_key(topology);
  return term;
}

PlacingWords Needs(const std::string& key, v1::NodeSelectorOperator op,
                   const std::vector<std::string>& values) {
  return [=](v1::PodSpec* spec) {
    *NewTerm(spec)->add_match_expressions() = Requirement(key, op, values);
  };
}

PlacingWords NeedsName(v1::NodeSelectorOperator op, const std::string& name) {
  return [=](v1::PodSpec* spec) {
    *NewTerm(spec)->add_match_fields() = Requirement("metadata.name", op, {name});
  };
}

PlacingWords Prefers(int weight, const std::string& key, const std::string& value) {
  return [=](v1::PodSpec* spec) {
    auto* term = spec->mutable_affinity()
                     ->mutable_node_affinity()
                     ->add_preferred_during_scheduling_ignored_during_execution();
    term->set_weight(weight);
    *term->mutable_preference()->add_match_expressions() =
        Requirement(key, v1::NODE_SELECTOR_OPERATOR_IN, {value});
  };
}

PlacingWords Near(const std::string& key, const std::string& value, const std::string& topology) {
  return [=](v1::PodSpec* spec) {
    *spec->mutable_affinity()
         ->mutable_pod_affinity()
         ->add_required_during_scheduling_ignored_during_execution() = TermOf(key, value, topology);
  };
}

PlacingWords Away(const std::string& key, const std::string& value, const std::string& topology) {
  return [=](v1::PodSpec* spec) {
    *spec->mutable_affinity()
         ->mutable_pod_anti_affinity()
         ->add_required_during_scheduling_ignored_during_execution() = TermOf(key, value, topology);
  };
}

PlacingWords RatherNear(int weight, const std::string& key, const std::string& value,
                        const std::string& topology) {
  return [=](v1::PodSpec* spec) {
    AddWeighted(weight, TermOf(key, value, topology),
                spec->mutable_affinity()->mutable_pod_affinity());
  };
}

PlacingWords RatherAway(int weight, const std::string& key, const std::string& value,
                        const std::string& topology) {
  return [=](v1::PodSpec* spec) {
    AddWeighted(weight, TermOf(key, value, topology),
                spec->mutable_affinity()->mutable_pod_anti_affinity());
  };
}

PlacingWords SpreadOver(const std::string& topology, int max_skew, const std::string& key,
                        const std::string& value, v1::UnsatisfiableAction action) {
  return [=](v1::PodSpec* spec) {
    v1::TopologySpreadConstraint* constraint = spec->add_topology_spread_constraints();
    constraint->set_topology_key(topology);
    constraint->set_max_skew(max_skew);
    constraint->set_when_unsatisfiable(action);
    (*constraint->mutable_label_selector()->mutable_match_labels())[key] = value;
  };
}

}  // namespace cluster::domain
