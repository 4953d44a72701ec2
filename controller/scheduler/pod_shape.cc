#include "controller/scheduler/pod_shape.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "controller/object/node_match.h"
#include "controller/scheduler/placement.h"
#include "controller/scheduler/taints.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

using AffinityTerms = google::protobuf::RepeatedPtrField<v1::PodAffinityTerm>;

// Length first, so that no two lists of parts look the same.
void AddPart(absl::string_view part, std::string* identity) {
  absl::StrAppend(identity, part.size(), ":", part);
}

template <typename Map>
void AddMap(const Map& map, std::string* identity) {
  std::vector<std::pair<absl::string_view, absl::string_view>> sorted(map.begin(), map.end());
  std::sort(sorted.begin(), sorted.end());
  absl::StrAppend(identity, "{");
  for (const auto& [key, value] : sorted) {
    AddPart(key, identity);
    AddPart(value, identity);
  }
  absl::StrAppend(identity, "}");
}

void AddContainer(const v1::Container& container, std::string* identity) {
  AddPart(container.image(), identity);
  AddMap(container.resources().requests(), identity);
  AddMap(container.resources().limits(), identity);
  absl::StrAppend(identity, static_cast<int>(container.restart_policy()), ";");
  for (const v1::ContainerPort& port : container.ports()) {
    if (port.host_port() == 0) continue;
    absl::StrAppend(identity, port.host_port(), "/", static_cast<int>(port.protocol()), "/",
                    port.host_ip(), ";");
  }
}

// With the values that the pod itself has of some labels.
v1::LabelSelector WithLabelKeys(const v1::LabelSelector& selector, const v1::Pod& pod,
                                const google::protobuf::RepeatedPtrField<std::string>& keys,
                                v1::SelectorOperator op) {
  v1::LabelSelector merged = selector;
  for (const std::string& key : keys) {
    const auto label = pod.metadata().labels().find(key);
    if (label == pod.metadata().labels().end()) continue;
    v1::LabelSelectorRequirement* requirement = merged.add_match_expressions();
    requirement->set_key(key);
    requirement->set_operator_(op);
    requirement->add_values(label->second);
  }
  return merged;
}

void Select(const v1::LabelSelector& selector, PodSelection* selection, std::string* identity) {
  auto matcher = LabelMatcher::From(selector);
  // The validation lets none in that cannot be read.
  selection->none = !matcher.ok();
  if (matcher.ok()) selection->pods = *std::move(matcher);
  AddPart(StableBytes(selector), identity);
}

PodSelection SelectionOf(const v1::Pod& pod, const v1::PodAffinityTerm& term,
                         std::string* identity) {
  PodSelection selection;
  selection.namespaces.assign(term.namespaces().begin(), term.namespaces().end());
  if (selection.namespaces.empty() && !term.has_namespace_selector()) {
    selection.namespaces.push_back(pod.metadata().namespace_());
  }
  std::sort(selection.namespaces.begin(), selection.namespaces.end());
  for (const std::string& each : selection.namespaces) AddPart(each, identity);
  if (term.has_namespace_selector()) {
    auto matcher = LabelMatcher::From(term.namespace_selector());
    selection.selects_namespaces = matcher.ok();
    if (matcher.ok()) selection.by_namespace = *std::move(matcher);
    AddPart(StableBytes(term.namespace_selector()), identity);
  }
  absl::StrAppend(identity, "|");
  if (!term.has_label_selector()) {
    selection.none = true;
    absl::StrAppend(identity, "none");
    return selection;
  }
  v1::LabelSelector selector =
      WithLabelKeys(term.label_selector(), pod, term.match_label_keys(), v1::SELECTOR_OPERATOR_IN);
  selector = WithLabelKeys(selector, pod, term.mismatch_label_keys(), v1::SELECTOR_OPERATOR_NOT_IN);
  Select(selector, &selection, identity);
  return selection;
}

bool ToleratesAllOf(const v1::PodSpec& spec, const v1::Node& node) {
  if (UntoleratedTaint(spec, node) != nullptr) return false;
  return !IsCordonedFor(spec, node);
}

// Whether the node counts as a place, by the constraint's node inclusion policies. It must have the
// keys of all constraints of the same kind.
bool IsIncluded(const v1::PodSpec& spec, const v1::TopologySpreadConstraint& constraint,
                const v1::Node& node) {
  for (const v1::TopologySpreadConstraint& each : spec.topology_spread_constraints()) {
    if (each.when_unsatisfiable() != constraint.when_unsatisfiable()) continue;
    if (!node.metadata().labels().contains(each.topology_key())) return false;
  }
  if (constraint.node_affinity_policy() != v1::NODE_INCLUSION_POLICY_IGNORE &&
      (!MatchesNodeSelector(spec, node) || !MatchesNodeAffinity(spec, node))) {
    return false;
  }
  return constraint.node_taints_policy() != v1::NODE_INCLUSION_POLICY_HONOR ||
         ToleratesAllOf(spec, node);
}

TermSpec AffinityTermSpec(const v1::Pod& pod, const v1::PodAffinityTerm& term) {
  TermSpec spec;
  spec.topology_key = term.topology_key();
  spec.identity = absl::StrCat("near ", term.topology_key(), "|");
  spec.selections.push_back(SelectionOf(pod, term, &spec.identity));
  return spec;
}

TermSpec AffinityTermSpec(const v1::Pod& pod, const v1::PodAffinityTerm& term,
                          const AffinityTerms& together) {
  TermSpec spec = AffinityTermSpec(pod, term);
  for (const v1::PodAffinityTerm& other : together) {
    if (&other == &term) continue;
    spec.selections.push_back(SelectionOf(pod, other, &spec.identity));
  }
  return spec;
}

TermSpec SpreadTermSpec(const v1::Pod& pod, const v1::TopologySpreadConstraint& constraint,
                        const std::vector<NodeUsage>& nodes) {
  TermSpec spec;
  spec.topology_key = constraint.topology_key();
  spec.active_only = true;
  spec.identity = absl::StrCat("spread ", constraint.topology_key(), "|");
  PodSelection selection;
  selection.namespaces = {pod.metadata().namespace_()};
  AddPart(pod.metadata().namespace_(), &spec.identity);
  if (constraint.has_label_selector()) {
    Select(WithLabelKeys(constraint.label_selector(), pod, constraint.match_label_keys(),
                         v1::SELECTOR_OPERATOR_IN),
           &selection, &spec.identity);
  } else {
    selection.none = true;
    absl::StrAppend(&spec.identity, "none");
  }
  spec.selections.push_back(std::move(selection));
  bool all = true;
  for (const NodeUsage& node : nodes) {
    spec.eligible.push_back(IsIncluded(pod.spec(), constraint, node.node()));
    all = all && spec.eligible.back();
  }
  absl::StrAppend(&spec.identity, "|");
  if (all) {
    spec.eligible.clear();
  } else {
    for (const bool each : spec.eligible) spec.identity.push_back(each ? '1' : '0');
  }
  return spec;
}

// Both kinds have the same two lists.
template <typename PodAffinity>
void AcquirePreferred(const v1::Pod& pod, const PodAffinity& affinity, int sign, TermIndex* index,
                      PodShape* shape) {
  for (const v1::WeightedPodAffinityTerm& each :
       affinity.preferred_during_scheduling_ignored_during_execution()) {
    const TermId term = index->AcquireTerm(AffinityTermSpec(pod, each.pod_affinity_term()));
    shape->preferred.push_back({term, int64_t{sign} * each.weight()});
  }
}

void AcquireSpread(const v1::Pod& pod, const v1::TopologySpreadConstraint& constraint,
                   const std::vector<NodeUsage>& nodes, TermIndex* index, PodShape* shape) {
  SpreadTerm spread;
  spread.term = index->AcquireTerm(SpreadTermSpec(pod, constraint, nodes));
  spread.max_skew = constraint.max_skew();
  spread.min_places = constraint.has_min_domains() ? constraint.min_domains() : 1;
  spread.required = constraint.when_unsatisfiable() != v1::UNSATISFIABLE_ACTION_SCHEDULE_ANYWAY;
  spread.self = index->IsIn(shape->group, spread.term);
  shape->spread.push_back(spread);
}

}  // namespace

PodShape::PodShape() = default;
PodShape::~PodShape() = default;

std::string ShapeIdentity(const v1::Pod& pod) {
  const v1::PodSpec& spec = pod.spec();
  std::string identity;
  identity.reserve(512);
  AddPart(pod.metadata().namespace_(), &identity);
  AddMap(pod.metadata().labels(), &identity);
  const v1::OwnerReference* owner = ControllerOf(pod.metadata());
  AddPart(owner == nullptr ? "" : owner->uid(), &identity);
  absl::StrAppend(&identity, spec.priority(), ";", static_cast<int>(spec.preemption_policy()), ";");
  AddMap(spec.node_selector(), &identity);
  for (const v1::Container& container : spec.containers()) AddContainer(container, &identity);
  absl::StrAppend(&identity, "|");
  for (const v1::Container& container : spec.init_containers()) AddContainer(container, &identity);
  absl::StrAppend(&identity, "|");
  for (const v1::Toleration& each : spec.tolerations()) AddPart(StableBytes(each), &identity);
  if (spec.has_affinity()) AddPart(StableBytes(spec.affinity()), &identity);
  absl::StrAppend(&identity, "|");
  for (const v1::TopologySpreadConstraint& each : spec.topology_spread_constraints()) {
    AddPart(StableBytes(each), &identity);
  }
  absl::StrAppend(&identity, "|");
  for (const v1::Volume& volume : spec.volumes()) {
    if (volume.has_persistent_volume_claim()) {
      AddPart(volume.persistent_volume_claim().claim_name(), &identity);
    }
  }
  return identity;
}

void AcquireTerms(const v1::Pod& pod, const std::vector<NodeUsage>& nodes, TermIndex* index,
                  PodShape* shape) {
  const v1::Affinity& affinity = pod.spec().affinity();
  const AffinityTerms& together =
      affinity.pod_affinity().required_during_scheduling_ignored_during_execution();
  shape->starts_its_own = true;
  for (const v1::PodAffinityTerm& each : together) {
    shape->affinity.push_back(index->AcquireTerm(AffinityTermSpec(pod, each, together)));
    shape->starts_its_own =
        shape->starts_its_own && index->IsIn(shape->group, shape->affinity.back());
  }
  for (const v1::PodAffinityTerm& each :
       affinity.pod_anti_affinity().required_during_scheduling_ignored_during_execution()) {
    shape->anti.push_back(index->AcquireTerm(AffinityTermSpec(pod, each)));
  }
  AcquirePreferred(pod, affinity.pod_affinity(), 1, index, shape);
  AcquirePreferred(pod, affinity.pod_anti_affinity(), -1, index, shape);
  for (const v1::TopologySpreadConstraint& each : pod.spec().topology_spread_constraints()) {
    AcquireSpread(pod, each, nodes, index, shape);
  }
}

void ReleaseTerms(const PodShape& shape, TermIndex* index) {
  for (const TermId each : shape.affinity) index->ReleaseTerm(each);
  for (const TermId each : shape.anti) index->ReleaseTerm(each);
  for (const WeightedTerm& each : shape.preferred) index->ReleaseTerm(each.term);
  for (const SpreadTerm& each : shape.spread) index->ReleaseTerm(each.term);
}

}  // namespace cluster::controller
