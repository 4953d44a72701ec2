#include "proto/validate/affinity_rules.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/validate/meta_rules.h"
#include "proto/validate/name_rules.h"

namespace cluster {
namespace {

using Keys = google::protobuf::RepeatedPtrField<std::string>;

constexpr int kMostWeight = 100;

void CheckValues(const v1::NodeSelectorRequirement& requirement, const Path& path,
                 Findings* findings) {
  const std::string op = std::string(EnumText(requirement.operator_()));
  int64_t number = 0;
  switch (requirement.operator_()) {
    case v1::NODE_SELECTOR_OPERATOR_IN:
    case v1::NODE_SELECTOR_OPERATOR_NOT_IN:
      if (requirement.values().empty()) {
        findings->Add(path / "values", absl::StrCat(op, " needs at least one value; add it"));
      }
      for (int i = 0; i < requirement.values_size(); ++i) {
        findings->AddProblem((path / "values").At(i), LabelValueProblem(requirement.values(i)));
      }
      return;
    case v1::NODE_SELECTOR_OPERATOR_EXISTS:
    case v1::NODE_SELECTOR_OPERATOR_DOES_NOT_EXIST:
      if (!requirement.values().empty()) {
        findings->Add(path / "values", absl::StrCat(op, " takes no values; remove them"));
      }
      return;
    case v1::NODE_SELECTOR_OPERATOR_GT:
    case v1::NODE_SELECTOR_OPERATOR_LT:
      if (requirement.values_size() != 1 || !absl::SimpleAtoi(requirement.values(0), &number)) {
        findings->Add(path / "values", absl::StrCat(op, " compares with one integer; give it"));
      }
      return;
    case v1::NODE_SELECTOR_OPERATOR_UNSPECIFIED:
    case v1::NodeSelectorOperator_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::NodeSelectorOperator_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  findings->Add(path / "operator",
                "an operator is missing; set In, NotIn, Exists, DoesNotExist, Gt or Lt");
}

void CheckField(const v1::NodeSelectorRequirement& requirement, const Path& path,
                Findings* findings) {
  if (requirement.key() != "metadata.name") {
    findings->Add(path / "key", absl::StrCat(Quote(requirement.key()),
                                             " is no field to select nodes by; use metadata.name"));
  }
  if (requirement.operator_() != v1::NODE_SELECTOR_OPERATOR_IN &&
      requirement.operator_() != v1::NODE_SELECTOR_OPERATOR_NOT_IN) {
    findings->Add(path / "operator", "matchFields know only In and NotIn; set one of them");
  }
  if (requirement.values_size() != 1) {
    findings->Add(path / "values", "matchFields take exactly one value; give the node's name");
    return;
  }
  findings->AddProblem((path / "values").At(0), DnsSubdomainProblem(requirement.values(0)));
}

void CheckNodeTerm(const v1::NodeSelectorTerm& term, const Path& path, Findings* findings) {
  for (int i = 0; i < term.match_expressions_size(); ++i) {
    const Path at = (path / "matchExpressions").At(i);
    findings->AddProblem(at / "key", QualifiedNameProblem(term.match_expressions(i).key()));
    CheckValues(term.match_expressions(i), at, findings);
  }
  for (int i = 0; i < term.match_fields_size(); ++i) {
    CheckField(term.match_fields(i), (path / "matchFields").At(i), findings);
  }
}

void CheckWeight(int weight, const Path& path, Findings* findings) {
  if (weight >= 1 && weight <= kMostWeight) return;
  findings->Add(path / "weight", absl::StrCat(weight, " is no weight; use 1 to ", kMostWeight));
}

void CheckNodeAffinity(const v1::NodeAffinity& affinity, const Path& path, Findings* findings) {
  const Path required =
      path / "requiredDuringSchedulingIgnoredDuringExecution" / "nodeSelectorTerms";
  const auto& selector = affinity.required_during_scheduling_ignored_during_execution();
  if (affinity.has_required_during_scheduling_ignored_during_execution() &&
      selector.node_selector_terms().empty()) {
    findings->Add(required, "without a term no node matches; add at least one");
  }
  for (int i = 0; i < selector.node_selector_terms_size(); ++i) {
    CheckNodeTerm(selector.node_selector_terms(i), required.At(i), findings);
  }
  const Path preferred = path / "preferredDuringSchedulingIgnoredDuringExecution";
  const auto& terms = affinity.preferred_during_scheduling_ignored_during_execution();
  for (int i = 0; i < terms.size(); ++i) {
    CheckWeight(terms[i].weight(), preferred.At(i), findings);
    CheckNodeTerm(terms[i].preference(), preferred.At(i) / "preference", findings);
  }
}

bool IsSelectedBy(const v1::LabelSelector& selector, const std::string& key) {
  if (selector.match_labels().contains(key)) return true;
  const auto& expressions = selector.match_expressions();
  return std::any_of(expressions.begin(), expressions.end(),
                     [&key](const auto& each) { return each.key() == key; });
}

// matchLabelKeys or mismatchLabelKeys.
void CheckLabelKeys(const Keys& keys, const v1::LabelSelector* selector, const Path& path,
                    Findings* findings) {
  if (keys.empty()) return;
  if (selector == nullptr) {
    findings->Add(path, "this adds to a labelSelector; set that too, or remove this");
    return;
  }
  for (int i = 0; i < keys.size(); ++i) {
    findings->AddProblem(path.At(i), QualifiedNameProblem(keys[i]));
    if (IsSelectedBy(*selector, keys[i])) {
      findings->Add(path.At(i), absl::StrCat("the labelSelector asks for ", Quote(keys[i]),
                                             " already; name it in one of the two"));
    }
  }
}

void CheckPodTerm(const v1::PodAffinityTerm& term, const Path& path, Findings* findings) {
  if (term.topology_key().empty()) {
    findings->Add(path / "topologyKey",
                  "a topology key is missing; name a label of nodes, such as "
                  "kubernetes.io/hostname");
  } else {
    findings->AddProblem(path / "topologyKey", QualifiedNameProblem(term.topology_key()));
  }
  for (int i = 0; i < term.namespaces_size(); ++i) {
    findings->AddProblem((path / "namespaces").At(i), DnsLabelProblem(term.namespaces(i)));
  }
  CheckSelectorForm(term.label_selector(), path / "labelSelector", findings);
  CheckSelectorForm(term.namespace_selector(), path / "namespaceSelector", findings);
  const v1::LabelSelector* selector = term.has_label_selector() ? &term.label_selector() : nullptr;
  CheckLabelKeys(term.match_label_keys(), selector, path / "matchLabelKeys", findings);
  CheckLabelKeys(term.mismatch_label_keys(), selector, path / "mismatchLabelKeys", findings);
  for (int i = 0; i < term.mismatch_label_keys_size(); ++i) {
    const Keys& others = term.match_label_keys();
    const std::string& key = term.mismatch_label_keys(i);
    if (std::find(others.begin(), others.end(), key) == others.end()) continue;
    findings->Add((path / "mismatchLabelKeys").At(i),
                  absl::StrCat(Quote(key), " is in matchLabelKeys too; name it in one of the two"));
  }
}

// Affinity and anti-affinity have the same two lists.
template <typename PodAffinity>
void CheckPodAffinity(const PodAffinity& affinity, const Path& path, Findings* findings) {
  const Path required = path / "requiredDuringSchedulingIgnoredDuringExecution";
  const auto& terms = affinity.required_during_scheduling_ignored_during_execution();
  for (int i = 0; i < terms.size(); ++i) CheckPodTerm(terms[i], required.At(i), findings);
  const Path preferred = path / "preferredDuringSchedulingIgnoredDuringExecution";
  const auto& weighted = affinity.preferred_during_scheduling_ignored_during_execution();
  for (int i = 0; i < weighted.size(); ++i) {
    CheckWeight(weighted[i].weight(), preferred.At(i), findings);
    CheckPodTerm(weighted[i].pod_affinity_term(), preferred.At(i) / "podAffinityTerm", findings);
  }
}

void CheckConstraint(const v1::TopologySpreadConstraint& constraint, const Path& path,
                     Findings* findings) {
  if (constraint.max_skew() < 1) {
    findings->Add(path / "maxSkew",
                  absl::StrCat(constraint.max_skew(), " is too little; use 1 or more"));
  }
  if (constraint.topology_key().empty()) {
    findings->Add(path / "topologyKey",
                  "a topology key is missing; name a label of nodes, such as "
                  "topology.kubernetes.io/zone");
  } else {
    findings->AddProblem(path / "topologyKey", QualifiedNameProblem(constraint.topology_key()));
  }
  if (constraint.when_unsatisfiable() == v1::UNSATISFIABLE_ACTION_UNSPECIFIED) {
    findings->Add(path / "whenUnsatisfiable",
                  "what to do is missing; set DoNotSchedule or ScheduleAnyway");
  }
  if (constraint.has_min_domains()) {
    if (constraint.min_domains() < 1) {
      findings->Add(path / "minDomains",
                    absl::StrCat(constraint.min_domains(), " is too little; use 1 or more"));
    }
    if (constraint.when_unsatisfiable() == v1::UNSATISFIABLE_ACTION_SCHEDULE_ANYWAY) {
      findings->Add(path / "minDomains",
                    "this only means something with DoNotSchedule; set that, or remove this");
    }
  }
  CheckSelectorForm(constraint.label_selector(), path / "labelSelector", findings);
  CheckLabelKeys(constraint.match_label_keys(),
                 constraint.has_label_selector() ? &constraint.label_selector() : nullptr,
                 path / "matchLabelKeys", findings);
}

}  // namespace

void CheckAffinity(const v1::Affinity& affinity, const Path& path, Findings* findings) {
  CheckNodeAffinity(affinity.node_affinity(), path / "nodeAffinity", findings);
  CheckPodAffinity(affinity.pod_affinity(), path / "podAffinity", findings);
  CheckPodAffinity(affinity.pod_anti_affinity(), path / "podAntiAffinity", findings);
}

void CheckSpreadConstraints(const v1::PodSpec& spec, const Path& path, Findings* findings) {
  std::set<std::pair<std::string, int>> seen;
  for (int i = 0; i < spec.topology_spread_constraints_size(); ++i) {
    const v1::TopologySpreadConstraint& constraint = spec.topology_spread_constraints(i);
    CheckConstraint(constraint, path.At(i), findings);
    if (seen.emplace(constraint.topology_key(), constraint.when_unsatisfiable()).second) continue;
    findings->Add(
        path.At(i),
        absl::StrCat("there is another constraint with ", Quote(constraint.topology_key()), " and ",
                     EnumText(constraint.when_unsatisfiable()), "; keep one of them"));
  }
}

}  // namespace cluster
