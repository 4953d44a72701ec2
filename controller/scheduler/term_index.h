// Who is near whom: how many pods of a selection are in each place (zone, rack, node).
//
// A term is a selection of pods and a label of nodes whose values make places. Terms come from pod
// affinity, anti-affinity and spread constraints; pods that ask for the same share one. Counts are
// kept up with every pod that comes and goes, so a question costs nothing of what exists.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "cluster/v1/pod.pb.h"
#include "proto/schema/selector.h"

namespace cluster::controller {

using GroupId = int;  // pods of one namespace and one set of labels
using TermId = int;
inline constexpr int kNoPlace = -1;

// The values of one label of nodes.
struct Topology {
  std::string key;
  std::vector<int> place_of;  // by node; kNoPlace: the node does not have the label
  std::vector<std::string> places;
  // No two nodes share a place (kubernetes.io/hostname).
  bool local = true;
};

// Pods by namespace and labels.
struct PodSelection {
  std::vector<std::string> namespaces;  // sorted
  bool selects_namespaces = false;
  LabelMatcher by_namespace;  // with selects_namespaces; empty: every namespace
  bool none = false;          // no labelSelector at all: matches no pod
  LabelMatcher pods;
};

struct TermSpec {
  std::string identity;  // equal for equal terms
  std::string topology_key;
  std::vector<PodSelection> selections;  // a pod must be in each
  bool active_only = false;              // pods that are being ended do not count
  // By node: whether it counts as part of a place; empty: all do.
  std::vector<bool> eligible;
};

// Of one term, by place.
struct Term {
  TermSpec spec;
  const Topology* topology = nullptr;
  int uses = 0;

  std::vector<int> matching;  // pods of the selection
  int64_t matching_total = 0;
  std::vector<int> holders;   // pods that must not be with pods of the selection
  std::vector<int64_t> pull;  // weights of pods that want to be with pods of the selection
  int64_t pull_changes = 0;   // whether anybody ever pulled
  int64_t held = 0;           // holders, added up

  // Over places that have an eligible node.
  int counted_places = 0;
  int least = 0;
  std::vector<int> places_with;  // [n]: how many places hold n pods
  std::vector<bool> counted;     // by place

  int PlaceOf(int node) const { return topology->place_of[static_cast<size_t>(node)]; }
  bool Counts(int node) const {
    return spec.eligible.empty() || spec.eligible[static_cast<size_t>(node)];
  }
};

class TermIndex {
 public:
  using LabelsOfNodes = std::vector<const Labels*>;  // by node
  using LabelsOfNamespaces = absl::flat_hash_map<std::string, Labels>;

  TermIndex() = default;
  TermIndex(LabelsOfNodes nodes, LabelsOfNamespaces namespaces)
      : nodes_(std::move(nodes)), namespaces_(std::move(namespaces)) {}

  // Another state of the same node, with equal labels; these live on.
  void ReplaceNode(int node, const Labels* labels) { nodes_[static_cast<size_t>(node)] = labels; }
  // nullptr: it is gone. Only while no term selects namespaces by their labels.
  void SetNamespace(const std::string& name, const Labels* labels);

  // Each Acquire needs its Release. `ending`: the pod is being deleted; a group of its own.
  GroupId AcquireGroup(const std::string& name_space, const Labels& labels, bool ending);
  void ReleaseGroup(GroupId group);
  TermId AcquireTerm(TermSpec spec);
  void ReleaseTerm(TermId term);

  // A pod of the group comes to a node (1) or leaves it (-1).
  void Count(GroupId group, int node, int delta);
  void Hold(TermId term, int node, int delta);
  void Pull(TermId term, int node, int64_t weight);

  const Term& term(TermId id) const { return *terms_[static_cast<size_t>(id)]; }
  // Terms whose selection the group is in.
  const std::vector<TermId>& TermsOn(GroupId group) const {
    return groups_[static_cast<size_t>(group)].terms;
  }
  // Grows when the above changes for any group, or when pods begin to pull by a term.
  int64_t version() const { return version_; }
  bool IsIn(GroupId group, TermId term) const;
  const Topology& TopologyOf(const std::string& key);
  bool selects_namespaces() const { return selects_namespaces_ > 0; }

 private:
  struct Group {
    std::string identity;
    std::string name_space;
    Labels labels;
    bool ending = false;
    int uses = 0;
    std::vector<TermId> terms;
    absl::flat_hash_map<int, int> pods;  // by node
  };

  bool Selects(const PodSelection& selection, const Group& group) const;
  bool Selects(const Term& term, const Group& group) const;
  static void CountPlaces(Term* term);
  static void Change(Term* term, int node, int delta);

  LabelsOfNodes nodes_;
  LabelsOfNamespaces namespaces_;
  absl::flat_hash_map<std::string, std::unique_ptr<Topology>> topologies_;
  std::vector<Group> groups_;
  std::vector<GroupId> free_groups_;
  absl::flat_hash_map<std::string, GroupId> group_ids_;
  std::vector<std::unique_ptr<Term>> terms_;
  std::vector<TermId> free_terms_;
  absl::flat_hash_map<std::string, TermId> term_ids_;
  // Terms that ask for a label of one value, by that; the others.
  absl::flat_hash_map<std::string, std::vector<TermId>> anchored_;
  std::vector<TermId> loose_;
  int64_t version_ = 0;
  int selects_namespaces_ = 0;
};

}  // namespace cluster::controller
