#include "controller/scheduler/filters.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "controller/object/node_match.h"
#include "controller/scheduler/taints.h"
#include "proto/schema/resource_names.h"
#include "proto/schema/scalars.h"

namespace cluster::controller {
namespace {

// Node names listed per reason; the rest is counted.
constexpr size_t kNamesPerReason = 3;

const HostPort* TakenPort(const PodRequest& request, const NodeUsage& node) {
  for (const HostPort& wanted : request.ports) {
    for (const HostPort& taken : node.ports) {
      if (Clash(wanted, taken)) return &wanted;
    }
  }
  return nullptr;
}

// How much the node is short of; not positive: it has enough. Asking for nothing always fits, also
// where the node holds more than it may (its allocatable may shrink).
int64_t LackingCpu(const PodRequest& request, const NodeUsage& node) {
  if (request.cpu_milli == 0) return 0;
  return node.cpu_milli + request.cpu_milli - node.allocatable_cpu_milli;
}

int64_t LackingMemory(const PodRequest& request, const NodeUsage& node) {
  if (request.memory_bytes == 0) return 0;
  return node.memory_bytes + request.memory_bytes - node.allocatable_memory_bytes;
}

std::string ClaimProblem(const PodNeeds& pod, const NodeUsage& node) {
  return pod.claims.empty() ? "" : pod.claim_usage->Problem(pod.claims, node.name());
}

int64_t LackingOf(const std::pair<std::string, int64_t>& wanted, const NodeUsage& node) {
  const auto there = node.allocatable_others.find(wanted.first);
  const auto taken = node.others.find(wanted.first);
  return wanted.second + (taken == node.others.end() ? 0 : taken->second) -
         (there == node.allocatable_others.end() ? 0 : there->second);
}

bool HasOthers(const PodRequest& request, const NodeUsage& node) {
  return std::all_of(request.others.begin(), request.others.end(),
                     [&node](const auto& wanted) { return LackingOf(wanted, node) <= 0; });
}

bool HasPodSlot(const NodeUsage& node) { return node.pods < node.allocatable_pods; }

void AddLack(const std::string& resource, const std::string& lacking, int64_t amount,
             std::vector<Rejection>* found) {
  found->push_back({absl::StrCat("Insufficient ", resource), lacking, amount,
                    absl::StrCat("free ", lacking, " of ", resource,
                                 " on the node, or lower the request by as much")});
}

void AddResourceRejections(const PodRequest& request, const NodeUsage& node,
                           std::vector<Rejection>* found) {
  if (const int64_t lacking = LackingCpu(request, node); lacking > 0) {
    AddLack("cpu", FormatMilli(lacking), lacking, found);
  }
  if (const int64_t lacking = LackingMemory(request, node); lacking > 0) {
    AddLack("memory", FormatBytes(lacking), lacking, found);
  }
  for (const auto& wanted : request.others) {
    const int64_t lacking = LackingOf(wanted, node);
    if (lacking <= 0) continue;
    AddLack(wanted.first, FormatResource(wanted.first, lacking), lacking, found);
  }
  if (!HasPodSlot(node)) {
    found->push_back({absl::StrCat("Too many pods (limit ", node.allocatable_pods, ")"), "", 0,
                      "move a pod away from the node"});
  }
  if (const HostPort* port = TakenPort(request, node); port != nullptr) {
    found->push_back(
        {absl::StrCat("node(s) didn't have the requested host port ", PortText(*port), " free"), "",
         0, absl::StrCat("move the pod that holds ", PortText(*port), ", or choose another port")});
  }
}

struct Group {
  size_t count = 0;
  const Rejection* least = nullptr;
  bool same_amount = true;
  std::vector<std::string> names;
};

void AddTo(Group* group, const Rejection& rejection, const std::string& node) {
  ++group->count;
  if (group->names.size() < kNamesPerReason) group->names.push_back(node);
  if (group->least == nullptr) {
    group->least = &rejection;
    return;
  }
  if (rejection.amount != group->least->amount) group->same_amount = false;
  if (rejection.amount < group->least->amount) group->least = &rejection;
}

std::string GroupText(const Group& group) {
  std::string text = absl::StrCat(group.count, " ", group.least->reason);
  if (!group.least->lacking.empty()) {
    absl::StrAppend(&text, " (", group.same_amount ? "" : "at least ", group.least->lacking,
                    " lacking)");
  }
  absl::StrAppend(&text, " on ", absl::StrJoin(group.names, ", "));
  const size_t more = group.count - group.names.size();
  if (more > 0) absl::StrAppend(&text, " and ", more, " more");
  return text;
}

}  // namespace

std::string Rejection::Text() const {
  return lacking.empty() ? reason : absl::StrCat(reason, " (", lacking, " lacking)");
}

bool Fits(const PodNeeds& pod, const NodeUsage& node) {
  return node.ready && !IsCordonedFor(*pod.spec, node.node()) &&
         UntoleratedTaint(*pod.spec, node.node()) == nullptr &&
         MatchesNodeSelector(*pod.spec, node.node()) &&
         MatchesNodeAffinity(*pod.spec, node.node()) && LackingCpu(pod.request, node) <= 0 &&
         LackingMemory(pod.request, node) <= 0 && HasOthers(pod.request, node) &&
         HasPodSlot(node) && TakenPort(pod.request, node) == nullptr &&
         ClaimProblem(pod, node).empty();
}

std::vector<Rejection> Rejections(const PodNeeds& pod, const NodeUsage& node) {
  if (!node.ready) {
    return {{"node(s) were not ready", "", 0, "bring the node's agent back"}};
  }
  std::vector<Rejection> found;
  if (IsCordonedFor(*pod.spec, node.node())) {
    found.push_back(
        {"node(s) were unschedulable", "", 0, absl::StrCat("clusterctl uncordon ", node.name())});
  }
  if (const v1::Taint* taint = UntoleratedTaint(*pod.spec, node.node()); taint != nullptr) {
    found.push_back({absl::StrCat("node(s) had untolerated taint ", TaintText(*taint)), "", 0,
                     "let the pod tolerate the taint, or take it off the node"});
  }
  if (!MatchesNodeSelector(*pod.spec, node.node())) {
    found.push_back({"node(s) didn't match the pod's nodeSelector", "", 0,
                     "give the node the labels of the nodeSelector"});
  }
  if (!MatchesNodeAffinity(*pod.spec, node.node())) {
    found.push_back({"node(s) didn't match the pod's node affinity", "", 0,
                     "give the node the labels of one of the required terms"});
  }
  if (std::string problem = ClaimProblem(pod, node); !problem.empty()) {
    found.push_back({std::move(problem), "", 0, "look at the claim with clusterctl describe pvc"});
  }
  AddResourceRejections(pod.request, node, &found);
  return found;
}

std::string Summarize(const std::vector<NodeUsage>& nodes,
                      const std::vector<std::vector<Rejection>>& rejections) {
  if (nodes.empty()) return "0/0 nodes are available: no node has joined the cluster.";
  std::map<std::string, Group> groups;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const Rejection& rejection : rejections[i]) {
      AddTo(&groups[rejection.reason], rejection, nodes[i].name());
    }
  }
  std::vector<std::string> texts;
  for (const auto& [reason, group] : groups) texts.push_back(GroupText(group));
  return absl::StrCat("0/", nodes.size(), " nodes are available: ", absl::StrJoin(texts, ", "),
                      ".");
}

}  // namespace cluster::controller
