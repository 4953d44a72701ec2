// The parts of `describe` that are about Deployments, ReplicaSets and nodes.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/output/describe.h"
#include "cli/output/duration.h"
#include "cli/output/pod_status.h"
#include "cli/output/rows.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/scalars.h"

namespace cluster::cli {
namespace {

constexpr char kRevision[] = "deployment.kubernetes.io/revision";

std::string Revision(const v1::ObjectMeta& meta) {
  const auto found = meta.annotations().find(kRevision);
  return found == meta.annotations().end() ? "" : found->second;
}

std::string SetsText(const v1::Deployment& deployment, const Related& related, bool current) {
  std::vector<std::string> sets;
  for (const v1::ReplicaSet& set : related.replica_sets) {
    const bool is_current = Revision(set.metadata()) == Revision(deployment.metadata());
    if (is_current != current) continue;
    if (!current && set.spec().replicas() == 0 && set.status().replicas() == 0) continue;
    sets.push_back(absl::StrFormat("%s (%d/%d replicas created)", set.metadata().name(),
                                   set.status().replicas(), set.spec().replicas()));
  }
  return sets.empty() ? "<none>" : absl::StrJoin(sets, ", ");
}

struct Requests {
  int64_t cpu_milli = 0;
  int64_t memory = 0;
};

int64_t QuantityOr0(const google::protobuf::Map<std::string, std::string>& amounts,
                    const std::string& resource, bool milli) {
  const auto found = amounts.find(resource);
  if (found == amounts.end()) return 0;
  return (milli ? QuantityMilli(found->second) : QuantityBytes(found->second)).value_or(0);
}

Requests RequestsOf(const v1::Pod& pod) {
  Requests sum;
  sum.cpu_milli = EffectiveAmount(pod.spec(), [](const v1::Container& container) {
    return QuantityOr0(container.resources().requests(), "cpu", true);
  });
  sum.memory = EffectiveAmount(pod.spec(), [](const v1::Container& container) {
    return QuantityOr0(container.resources().requests(), "memory", false);
  });
  return sum;
}

std::string Share(const std::string& amount, int64_t part, int64_t whole) {
  return whole <= 0 ? amount : absl::StrFormat("%s (%d%%)", amount, part * 100 / whole);
}

bool HoldsResources(const v1::Pod& pod) {
  return pod.status().phase() != v1::POD_PHASE_SUCCEEDED &&
         pod.status().phase() != v1::POD_PHASE_FAILED;
}

void DescribeNodePods(const v1::Node& node, const Related& related, absl::Time now,
                      Description& text) {
  const int64_t cpu = QuantityOr0(node.status().allocatable(), "cpu", true);
  const int64_t memory = QuantityOr0(node.status().allocatable(), "memory", false);
  Requests total;
  std::vector<Cells> rows = {{"Namespace", "Name", "CPU Requests", "Memory Requests", "Age"},
                             {"---------", "----", "------------", "---------------", "---"}};
  for (const v1::Pod& pod : related.pods) {
    if (!HoldsResources(pod)) continue;
    const Requests requests = RequestsOf(pod);
    total.cpu_milli += requests.cpu_milli;
    total.memory += requests.memory;
    rows.push_back({pod.metadata().namespace_(), pod.metadata().name(),
                    Share(FormatMilli(requests.cpu_milli), requests.cpu_milli, cpu),
                    Share(FormatBytes(requests.memory), requests.memory, memory),
                    Age(pod.metadata().creation_timestamp(), now)});
  }
  text.Section(0, absl::StrCat("Pods (", rows.size() - 2, " in total)"));
  text.Rows(1, rows);
  text.Section(0, "Requested Resources");
  text.Rows(1, {{"Resource", "Requests"},
                {"--------", "--------"},
                {"cpu", Share(FormatMilli(total.cpu_milli), total.cpu_milli, cpu)},
                {"memory", Share(FormatBytes(total.memory), total.memory, memory)}});
}

std::vector<std::string> TaintLines(const v1::Node& node) {
  std::vector<std::string> lines;
  for (const v1::Taint& taint : node.spec().taints()) {
    lines.push_back(absl::StrCat(taint.key(), taint.value().empty() ? "" : "=", taint.value(), ":",
                                 EnumText(taint.effect())));
  }
  return lines;
}

void DescribeAmounts(const std::string& key,
                     const google::protobuf::Map<std::string, std::string>& amounts,
                     Description& text) {
  text.Section(0, key);
  const std::map<std::string, std::string> sorted(amounts.begin(), amounts.end());
  for (const auto& [resource, amount] : sorted) text.Field(1, resource, amount);
}

}  // namespace

std::string PodsText(const std::vector<v1::Pod>& pods) {
  std::map<v1::PodPhase, int> counts;
  for (const v1::Pod& pod : pods) ++counts[pod.status().phase()];
  return absl::StrFormat("%d Running / %d Waiting / %d Succeeded / %d Failed",
                         counts[v1::POD_PHASE_RUNNING],
                         counts[v1::POD_PHASE_PENDING] + counts[v1::POD_PHASE_UNSPECIFIED],
                         counts[v1::POD_PHASE_SUCCEEDED], counts[v1::POD_PHASE_FAILED]);
}

void DescribeDeployment(const v1::Deployment& deployment, const Related& related, absl::Time now,
                        Description& text) {
  const v1::DeploymentSpec& spec = deployment.spec();
  const v1::DeploymentStatus& status = deployment.status();
  text.Field(0, "Selector", SelectorText(spec.selector()));
  text.Field(0, "Replicas",
             absl::StrFormat("%d desired | %d updated | %d total | %d available | %d unavailable",
                             spec.replicas(), status.updated_replicas(), status.replicas(),
                             status.available_replicas(), status.unavailable_replicas()));
  text.Field(0, "StrategyType", EnumText(spec.strategy().type()));
  if (spec.strategy().has_rolling_update()) {
    const v1::RollingUpdate& rolling = spec.strategy().rolling_update();
    text.Field(0, "RollingUpdateStrategy",
               absl::StrCat(rolling.max_unavailable(), " max unavailable, ", rolling.max_surge(),
                            " max surge"));
  }
  DescribePodTemplate(spec.template_(), 0, text);
  DescribeConditions(status.conditions(), now, text);
  text.Field(0, "OldReplicaSets", SetsText(deployment, related, false));
  text.Field(0, "NewReplicaSet", SetsText(deployment, related, true));
}

void DescribeReplicaSet(const v1::ReplicaSet& set, const Related& related, Description& text) {
  text.Field(0, "Selector", SelectorText(set.spec().selector()));
  text.Field(
      0, "Replicas",
      absl::StrFormat("%d current / %d desired", set.status().replicas(), set.spec().replicas()));
  text.Field(0, "Pods Status", PodsText(related.pods));
  DescribePodTemplate(set.spec().template_(), 0, text);
}

void DescribeNode(const v1::Node& node, const Related& related, absl::Time now, Description& text) {
  text.Field(0, "Roles", RolesText(node));
  text.Field(0, "Status", NodeStatusText(node));
  text.List(0, "Taints", TaintLines(node));
  text.Field(0, "Unschedulable", node.spec().unschedulable() ? "true" : "false");
  DescribeConditions(node.status().conditions(), now, text);
  text.Section(0, "Addresses");
  for (const v1::NodeAddress& address : node.status().addresses()) {
    text.Field(1, address.type(), address.address());
  }
  DescribeAmounts("Capacity", node.status().capacity(), text);
  DescribeAmounts("Allocatable", node.status().allocatable(), text);
  const v1::NodeSystemInfo& facts = node.status().node_info();
  text.Section(0, "System Info");
  text.Field(1, "Machine ID", facts.machine_id());
  text.Field(1, "Boot ID", facts.boot_id());
  text.Field(1, "Kernel Version", facts.kernel_version());
  text.Field(1, "OS Image", facts.os_image());
  text.Field(1, "Operating System", facts.operating_system());
  text.Field(1, "Architecture", facts.architecture());
  text.Field(1, "Cgroup Version", facts.cgroup_version());
  text.Field(1, "Agent Version", facts.agent_version());
  text.Field(0, "PodCIDR", node.spec().pod_cidr());
  DescribeNodePods(node, related, now, text);
}

}  // namespace cluster::cli
