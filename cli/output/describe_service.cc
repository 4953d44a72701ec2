// The part of `describe` that is about Services.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/output/describe.h"
#include "cli/output/rows.h"
#include "cli/output/service_text.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/service_types.h"

namespace cluster::cli {
namespace {

void DescribePort(const v1::Service& service, const v1::ServicePort& port,
                  const std::vector<v1::Pod>& pods, Description& text) {
  const absl::string_view protocol = EnumText(port.protocol());
  text.Field(0, "Port",
             absl::StrCat(port.name().empty() ? "<unset>" : port.name(), "  ", port.port(), "/",
                          protocol));
  text.Field(0, "TargetPort", absl::StrCat(port.target_port(), "/", protocol));
  if (port.node_port() != 0) {
    text.Field(0, "NodePort",
               absl::StrCat(port.name().empty() ? "<unset>" : port.name(), "  ", port.node_port(),
                            "/", protocol));
  }
  if (IsOfPods(service.spec())) {
    text.Field(0, "Endpoints", EndpointsText(EndpointsOf(service, port, pods)));
  }
}

}  // namespace

void DescribeService(const v1::Service& service, const Related& related, Description& text) {
  const v1::ServiceSpec& spec = service.spec();
  text.Field(0, "Selector", LabelsText(spec.selector()));
  text.Field(0, "Type", EnumText(spec.type()));
  if (IsOfPods(spec)) {
    text.Field(0, "IP Family Policy", spec.ip_family_policy());
    text.Field(0, "IP Families", absl::StrJoin(spec.ip_families(), ","));
    text.Field(0, "IP", ClusterIpText(service));
    text.Field(0, "IPs", OrNone(absl::StrJoin(spec.cluster_ips(), ",")));
  } else {
    text.Field(0, "External Name", spec.external_name());
  }
  for (const v1::ServicePort& port : spec.ports()) {
    DescribePort(service, port, related.pods, text);
  }
  text.Field(0, "Session Affinity", EnumText(spec.session_affinity()));
  if (spec.session_affinity() == v1::SESSION_AFFINITY_CLIENT_IP) {
    text.Field(0, "Affinity Timeout",
               absl::StrCat(spec.session_affinity_config().client_ip().timeout_seconds(), "s"));
  }
  if (TakesNodePorts(spec)) {
    text.Field(0, "External Traffic Policy", EnumText(spec.external_traffic_policy()));
  }
  if (IsOfPods(spec)) {
    text.Field(0, "Internal Traffic Policy", EnumText(spec.internal_traffic_policy()));
  }
}

}  // namespace cluster::cli
