#include "proto/validate/service_rules.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/ipv4.h"
#include "proto/schema/enum_text.h"
#include "proto/schema/service_types.h"
#include "proto/validate/meta_rules.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/pod_rules.h"

namespace cluster {
namespace {

constexpr int kAffinitySeconds = 10800;
constexpr char kIpv4[] = "IPv4";
constexpr char kSingleStack[] = "SingleStack";
constexpr char kPreferDualStack[] = "PreferDualStack";

void DefaultPorts(v1::ServiceSpec* spec) {
  for (v1::ServicePort& port : *spec->mutable_ports()) {
    if (port.protocol() == v1::PROTOCOL_UNSPECIFIED) port.set_protocol(v1::PROTOCOL_TCP);
    const bool without = port.target_port().empty() || port.target_port() == "0";
    if (without && port.port() != 0) port.set_target_port(absl::StrCat(port.port()));
  }
}

void DefaultFamilies(v1::ServiceSpec* spec) {
  if (!spec->cluster_ip().empty() && spec->cluster_ips().empty()) {
    spec->add_cluster_ips(spec->cluster_ip());
  }
  if (spec->ip_families().empty()) spec->add_ip_families(kIpv4);
  if (spec->ip_family_policy().empty()) spec->set_ip_family_policy(kSingleStack);
}

std::string PortNumberProblem(int64_t port) {
  if (port >= 1 && port <= kLastPort) return "";
  return absl::StrCat(port, " is not a port; use 1 to 65535");
}

std::string TargetPortProblem(const std::string& text) {
  int64_t number = 0;
  return absl::SimpleAtoi(text, &number) ? PortNumberProblem(number) : PortNameProblem(text);
}

void CheckNumbers(const v1::ServicePort& port, const Path& path, Findings* findings) {
  if (port.port() == 0) {
    findings->Add(path / "port", "a port is missing; set port to 1 to 65535");
    return;
  }
  const std::string problem = PortNumberProblem(port.port());
  findings->AddProblem(path / "port", problem);
  // One that follows from the port is judged there.
  if (port.target_port() == absl::StrCat(port.port()) && !problem.empty()) return;
  findings->AddProblem(path / "targetPort", TargetPortProblem(port.target_port()));
}

void CheckNodePort(const v1::ServiceSpec& spec, const v1::ServicePort& port, const Path& path,
                   Findings* findings) {
  if (port.node_port() == 0) return;
  if (TakesNodePorts(spec)) {
    findings->AddProblem(path, PortNumberProblem(port.node_port()));
    return;
  }
  findings->Add(path, absl::StrCat("a service of type ", EnumText(spec.type()),
                                   " has no ports of nodes; remove it, or set type: NodePort"));
}

// What no two ports of one service share.
struct SeenPorts {
  std::set<std::string> names;
  std::set<std::pair<int, int>> ports;  // with the protocol, as the next ones
  std::set<std::pair<int, int>> node_ports;
};

void CheckUnique(const v1::ServicePort& port, const Path& path, SeenPorts* seen,
                 Findings* findings) {
  const absl::string_view protocol = EnumText(port.protocol());
  if (!port.name().empty() && !seen->names.insert(port.name()).second) {
    findings->Add(path / "name",
                  absl::StrCat("two ports are named ", Quote(port.name()), "; rename one of them"));
  }
  if (port.port() != 0 && !seen->ports.insert({port.protocol(), port.port()}).second) {
    findings->Add(path / "port", absl::StrCat(protocol, " port ", port.port(),
                                              " is there twice; remove one of them"));
  }
  if (port.node_port() != 0 &&
      !seen->node_ports.insert({port.protocol(), port.node_port()}).second) {
    findings->Add(path / "nodePort", absl::StrCat(protocol, " port ", port.node_port(),
                                                  " of the nodes is there twice; change one"));
  }
}

void CheckPorts(const v1::ServiceSpec& spec, const Path& path, Findings* findings) {
  if (spec.ports().empty() && TakesAddress(spec)) {
    findings->Add(
        path, "a port is missing; add one, or set clusterIP: None for a service of names alone");
  }
  SeenPorts seen;
  for (int i = 0; i < spec.ports_size(); ++i) {
    const v1::ServicePort& port = spec.ports(i);
    if (!port.name().empty()) {
      findings->AddProblem(path.At(i) / "name", DnsLabelProblem(port.name()));
    } else if (spec.ports_size() > 1) {
      findings->Add(path.At(i) / "name", "each of several ports needs a name; set it");
    }
    if (!port.app_protocol().empty()) {
      findings->AddProblem(path.At(i) / "appProtocol", QualifiedNameProblem(port.app_protocol()));
    }
    CheckNumbers(port, path.At(i), findings);
    CheckNodePort(spec, port, path.At(i) / "nodePort", findings);
    CheckUnique(port, path.At(i), &seen, findings);
  }
}

void CheckAddress(const v1::ServiceSpec& spec, const Path& path, Findings* findings) {
  const std::string& address = spec.cluster_ip();
  if (IsHeadless(spec) && TakesNodePorts(spec)) {
    findings->Add(path / "clusterIP",
                  absl::StrCat("a headless service cannot be of type ", EnumText(spec.type()),
                               "; remove clusterIP, or the type"));
  } else if (!address.empty() && !IsHeadless(spec)) {
    const std::string problem = IpProblem(address);
    if (problem.empty() && !ParseIpv4(address).ok()) {
      findings->Add(path / "clusterIP", absl::StrCat("not supported yet: IPv6, as in ",
                                                     Quote(address), "; use an IPv4 address"));
    } else {
      findings->AddProblem(path / "clusterIP", problem);
    }
  }
  const bool same = spec.cluster_ips_size() <= 1 &&
                    (spec.cluster_ips().empty() || spec.cluster_ips(0) == address);
  if (!same) {
    findings->Add(path / "clusterIPs",
                  "there is one address, that of clusterIP; write it there and remove the list");
  }
}

void CheckFamilies(const v1::ServiceSpec& spec, const Path& path, Findings* findings) {
  for (int i = 0; i < spec.ip_families_size(); ++i) {
    const std::string& family = spec.ip_families(i);
    if (family == kIpv4 && i == 0) continue;
    findings->Add((path / "ipFamilies").At(i),
                  family == "IPv6"  ? "not supported yet: IPv6; use IPv4"
                  : family == kIpv4 ? "IPv4 is there twice; remove one"
                                    : absl::StrCat(Quote(family), " is no family; use IPv4"));
  }
  const std::string& policy = spec.ip_family_policy();
  if (policy == kSingleStack || policy == kPreferDualStack) return;
  findings->Add(
      path / "ipFamilyPolicy",
      policy == "RequireDualStack"
          ? "not supported yet: RequireDualStack, there is IPv4 alone; use SingleStack "
            "or PreferDualStack"
          : absl::StrCat(Quote(policy), " is no policy; use SingleStack or PreferDualStack"));
}

void CheckExternalName(const v1::ServiceSpec& spec, const Path& path, Findings* findings) {
  if (spec.external_name().empty()) {
    findings->Add(path / "externalName", "the name that it stands for is missing; set it");
  } else {
    findings->AddProblem(path / "externalName",
                         DnsSubdomainProblem(absl::StripSuffix(spec.external_name(), ".")));
  }
  constexpr char kNothing[] = "a service of type ExternalName has no address; remove it";
  if (!spec.cluster_ip().empty()) findings->Add(path / "clusterIP", kNothing);
  if (!spec.cluster_ips().empty()) findings->Add(path / "clusterIPs", kNothing);
  if (!spec.ip_families().empty()) findings->Add(path / "ipFamilies", kNothing);
  if (!spec.ip_family_policy().empty()) findings->Add(path / "ipFamilyPolicy", kNothing);
}

void CheckAffinity(const v1::ServiceSpec& spec, const Path& path, Findings* findings) {
  if (!spec.has_session_affinity_config()) return;
  if (spec.session_affinity() != v1::SESSION_AFFINITY_CLIENT_IP) {
    findings->Add(path, "this is about sessionAffinity ClientIP; set that, or remove it");
    return;
  }
  const int seconds = spec.session_affinity_config().client_ip().timeout_seconds();
  if (seconds >= 1 && seconds <= kLongestAffinitySeconds) return;
  findings->Add(path / "clientIP" / "timeoutSeconds",
                absl::StrCat(seconds, " is out of range; use 1 to ", kLongestAffinitySeconds));
}

}  // namespace

void DefaultService(v1::ServiceSpec* spec) {
  if (spec->type() == v1::SERVICE_TYPE_UNSPECIFIED) spec->set_type(v1::SERVICE_TYPE_CLUSTER_IP);
  if (spec->session_affinity() == v1::SESSION_AFFINITY_UNSPECIFIED) {
    spec->set_session_affinity(v1::SESSION_AFFINITY_NONE);
  }
  if (spec->session_affinity() == v1::SESSION_AFFINITY_CLIENT_IP) {
    auto* client = spec->mutable_session_affinity_config()->mutable_client_ip();
    if (client->timeout_seconds() == 0) client->set_timeout_seconds(kAffinitySeconds);
  }
  DefaultPorts(spec);
  if (TakesNodePorts(*spec) &&
      spec->external_traffic_policy() == v1::SERVICE_TRAFFIC_POLICY_UNSPECIFIED) {
    spec->set_external_traffic_policy(v1::SERVICE_TRAFFIC_POLICY_CLUSTER);
  }
  if (!IsOfPods(*spec)) return;
  if (spec->internal_traffic_policy() == v1::SERVICE_TRAFFIC_POLICY_UNSPECIFIED) {
    spec->set_internal_traffic_policy(v1::SERVICE_TRAFFIC_POLICY_CLUSTER);
  }
  DefaultFamilies(spec);
}

void CheckService(const v1::ServiceSpec& spec, Findings* findings) {
  const Path path("spec");
  CheckPorts(spec, path / "ports", findings);
  CheckLabels(spec.selector(), path / "selector", findings);
  if (IsOfPods(spec)) {
    CheckAddress(spec, path, findings);
    CheckFamilies(spec, path, findings);
    if (!spec.external_name().empty()) {
      findings->Add(path / "externalName",
                    "only a service of type ExternalName has one; set that type, or remove it");
    }
  } else {
    CheckExternalName(spec, path, findings);
  }
  CheckAffinity(spec, path / "sessionAffinityConfig", findings);
  const bool has_policy = spec.external_traffic_policy() != v1::SERVICE_TRAFFIC_POLICY_UNSPECIFIED;
  if (has_policy && !TakesNodePorts(spec)) {
    findings->Add(path / "externalTrafficPolicy",
                  "only services of type NodePort and LoadBalancer have one; remove it, or set "
                  "such a type");
  }
}

void CheckServiceKept(const v1::ServiceSpec& before, const v1::ServiceSpec& after,
                      Findings* findings) {
  if (!IsOfPods(before) || !IsOfPods(after) || before.cluster_ip().empty()) return;
  if (before.cluster_ip() == after.cluster_ip()) return;
  findings->Add(
      Path("spec") / "clusterIP",
      absl::StrCat("this cannot change, it is ", before.cluster_ip(),
                   "; leave it out to keep it, or delete the service and create it anew"));
}

}  // namespace cluster
