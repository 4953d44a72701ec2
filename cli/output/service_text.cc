#include "cli/output/service_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/output/rows.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/service_pods.h"

namespace cluster::cli {
namespace {

constexpr size_t kMostEndpoints = 3;

bool LeadsTo(const v1::Service& service, const v1::Pod& pod) {
  return pod.metadata().namespace_() == service.metadata().namespace_() &&
         Selects(service.spec(), pod) && Serves(service.spec(), pod);
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
    const int32_t number = TargetOf(port, pod);
    if (number == 0) continue;
    found.emplace_back(pod.metadata().name(), absl::StrCat(pod.status().pod_ip(), ":", number));
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
