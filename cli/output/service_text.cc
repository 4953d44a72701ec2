#include "cli/output/service_text.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/output/pod_status.h"
#include "cli/output/rows.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/service_types.h"

namespace cluster::cli {
namespace {

constexpr size_t kMostEndpoints = 3;

bool LeadsTo(const v1::Service& service, const v1::Pod& pod) {
  const v1::ServiceSpec& spec = service.spec();
  if (spec.selector().empty() || pod.metadata().has_deletion_timestamp()) return false;
  if (pod.metadata().namespace_() != service.metadata().namespace_()) return false;
  const v1::PodPhase phase = pod.status().phase();
  if (phase == v1::POD_PHASE_SUCCEEDED || phase == v1::POD_PHASE_FAILED) return false;
  if (pod.status().pod_ip().empty()) return false;
  if (!spec.publish_not_ready_addresses() && !IsReady(pod)) return false;
  const auto& labels = pod.metadata().labels();
  return std::all_of(spec.selector().begin(), spec.selector().end(), [&](const auto& wanted) {
    const auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

std::optional<int> NumberOfPort(const v1::ServicePort& port, const v1::Pod& pod) {
  int number = 0;
  if (absl::SimpleAtoi(port.target_port(), &number)) return number;
  std::vector<const v1::Container*> running;
  for (const v1::Container& each : pod.spec().containers()) running.push_back(&each);
  for (const v1::Container& each : pod.spec().init_containers()) {
    if (IsSidecar(each.restart_policy())) running.push_back(&each);
  }
  for (const v1::Container* container : running) {
    for (const v1::ContainerPort& each : container->ports()) {
      if (each.name() != port.target_port() || each.protocol() != port.protocol()) continue;
      return each.container_port();
    }
  }
  return std::nullopt;
}

}  // namespace

std::string ClusterIpText(const v1::Service& service) {
  return OrNone(service.spec().cluster_ip());
}

std::string ExternalIpText(const v1::Service& service) {
  if (service.spec().type() == v1::SERVICE_TYPE_LOAD_BALANCER) return "<pending>";
  return OrNone(service.spec().external_name());
}

std::string ServicePortsText(const v1::Service& service) {
  std::vector<std::string> ports;
  for (const v1::ServicePort& port : service.spec().ports()) {
    ports.push_back(absl::StrCat(port.port(),
                                 port.node_port() == 0 ? "" : absl::StrCat(":", port.node_port()),
                                 "/", EnumText(port.protocol())));
  }
  return OrNone(absl::StrJoin(ports, ","));
}

std::vector<std::string> EndpointsOf(const v1::Service& service, const v1::ServicePort& port,
                                     const std::vector<v1::Pod>& pods) {
  std::vector<std::pair<std::string, std::string>> found;  // the pod's name, the endpoint
  for (const v1::Pod& pod : pods) {
    if (!LeadsTo(service, pod)) continue;
    const std::optional<int> number = NumberOfPort(port, pod);
    if (!number.has_value()) continue;
    found.emplace_back(pod.metadata().name(), absl::StrCat(pod.status().pod_ip(), ":", *number));
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> endpoints;
  for (auto& [name, endpoint] : found) endpoints.push_back(std::move(endpoint));
  return endpoints;
}

std::string EndpointsText(const std::vector<std::string>& endpoints) {
  if (endpoints.size() <= kMostEndpoints) return OrNone(absl::StrJoin(endpoints, ","));
  return absl::StrCat(absl::StrJoin(endpoints.begin(), endpoints.begin() + kMostEndpoints, ","),
                      " + ", endpoints.size() - kMostEndpoints, " more...");
}

}  // namespace cluster::cli
