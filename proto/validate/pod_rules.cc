#include "proto/validate/pod_rules.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/ephemeral.h"
#include "proto/schema/pod_resources.h"
#include "proto/validate/affinity_rules.h"
#include "proto/validate/meta_rules.h"
#include "proto/validate/name_rules.h"
#include "proto/validate/probe_rules.h"
#include "proto/validate/security_rules.h"
#include "proto/validate/volume_rules.h"

namespace cluster {
namespace {

constexpr int kMostNameservers = 3;
constexpr int kMostSearches = 32;
constexpr size_t kMostSearchCharacters = 2048;

// What containers of one pod may not share.
class Uniqueness {
 public:
  explicit Uniqueness(Findings* findings) : findings_(findings) {}

  void LookAtName(const std::string& name, const Path& path) {
    if (name.empty() || names_.insert(name).second) return;
    findings_->Add(
        path / "name",
        absl::StrCat(Quote(name), " is the name of another container of the pod; choose another"));
  }
  void LookAtPorts(const v1::Container& container, const Path& path) {
    for (int i = 0; i < container.ports_size(); ++i) {
      LookAtPort(container.ports(i), (path / "ports").At(i));
    }
  }

 private:
  void LookAtPort(const v1::ContainerPort& port, const Path& path) {
    if (!port.name().empty() && !port_names_.insert(port.name()).second) {
      findings_->Add(path / "name", absl::StrCat(Quote(port.name()),
                                                 " is the name of another port of the pod; choose "
                                                 "another"));
    }
    if (port.host_port() == 0) return;
    const std::string ip = port.host_ip().empty() ? "0.0.0.0" : port.host_ip();
    for (const auto& [other_ip, protocol, number] : host_ports_) {
      const bool same_address = other_ip == ip || other_ip == "0.0.0.0" || ip == "0.0.0.0";
      if (!same_address || protocol != port.protocol() || number != port.host_port()) continue;
      findings_->Add(path / "hostPort",
                     absl::StrCat(port.host_port(), "/", EnumText(port.protocol()),
                                  " is taken by another port of the pod; choose "
                                  "another"));
      break;
    }
    host_ports_.emplace_back(ip, port.protocol(), port.host_port());
  }

  Findings* findings_;
  std::set<std::string> names_;
  std::set<std::string> port_names_;
  std::vector<std::tuple<std::string, v1::Protocol, int>> host_ports_;
};

void CheckEphemeral(const v1::PodSpec& spec, const Path& path, Uniqueness* uniqueness,
                    Findings* findings) {
  for (int i = 0; i < spec.ephemeral_containers_size(); ++i) {
    const v1::EphemeralContainer& container = spec.ephemeral_containers(i);
    const Path at = (path / "ephemeralContainers").At(i);
    const v1::Container same = AsContainer(container);
    CheckContainer(same, at, findings);
    CheckTerminationPath(same.termination_message_path(), at / "terminationMessagePath", findings);
    uniqueness->LookAtName(container.name(), at);
    const std::string& target = container.target_container_name();
    const auto is_target = [&target](const v1::Container& each) { return each.name() == target; };
    if (target.empty() ||
        std::any_of(spec.containers().begin(), spec.containers().end(), is_target) ||
        std::any_of(spec.init_containers().begin(), spec.init_containers().end(), is_target)) {
      continue;
    }
    findings->Add(at / "targetContainerName", absl::StrCat("the pod has no container ",
                                                           Quote(target), "; name one of its own"));
  }
}

void CheckContainers(const v1::PodSpec& spec, const Path& path, Findings* findings) {
  if (spec.containers().empty()) {
    findings->Add(path / "containers", "a pod needs at least one container; add it");
  }
  Uniqueness uniqueness(findings);
  const int64_t grace = spec.termination_grace_period_seconds();
  for (int i = 0; i < spec.containers_size(); ++i) {
    const Path at = (path / "containers").At(i);
    CheckContainer(spec.containers(i), at, findings);
    CheckLife(spec.containers(i), ContainerRole::kApp, grace, at, findings);
    uniqueness.LookAtName(spec.containers(i).name(), at);
    uniqueness.LookAtPorts(spec.containers(i), at);
  }
  for (int i = 0; i < spec.init_containers_size(); ++i) {
    const v1::Container& container = spec.init_containers(i);
    const Path at = (path / "initContainers").At(i);
    const bool stays = IsSidecar(container.restart_policy());
    CheckContainer(container, at, findings);
    CheckLife(container, stays ? ContainerRole::kSidecar : ContainerRole::kInit, grace, at,
              findings);
    uniqueness.LookAtName(container.name(), at);
    // The others hold their ports only while nothing else of the pod runs.
    if (stays) uniqueness.LookAtPorts(container, at);
  }
  CheckEphemeral(spec, path, &uniqueness, findings);
}

void CheckToleration(const v1::Toleration& toleration, const Path& path, Findings* findings) {
  const bool exists = toleration.operator_() == v1::TOLERATION_OPERATOR_EXISTS;
  if (toleration.key().empty()) {
    if (!exists) {
      findings->Add(
          path / "operator",
          "a toleration without key tolerates every taint; set the operator to Exists, or "
          "a key");
    }
  } else {
    findings->AddProblem(path / "key", QualifiedNameProblem(toleration.key()));
  }
  if (exists && !toleration.value().empty()) {
    findings->Add(path / "value", "Exists takes no value; remove it, or set the operator to Equal");
  }
  findings->AddProblem(path / "value", LabelValueProblem(toleration.value()));
  if (toleration.has_toleration_seconds() && toleration.effect() != v1::TAINT_EFFECT_NO_EXECUTE) {
    findings->Add(path / "effect",
                  "tolerationSeconds only means something with NoExecute; set that effect");
  }
}

void CheckHostAlias(const v1::HostAlias& alias, const Path& path, Findings* findings) {
  findings->AddProblem(path / "ip", IpProblem(alias.ip()));
  if (alias.hostnames().empty()) {
    findings->Add(path / "hostnames", "a host alias needs at least one name; add it");
  }
  for (int i = 0; i < alias.hostnames_size(); ++i) {
    findings->AddProblem((path / "hostnames").At(i), DnsSubdomainProblem(alias.hostnames(i)));
  }
}

void CheckDnsConfig(const v1::PodDnsConfig& config, const Path& path, Findings* findings) {
  if (config.nameservers_size() > kMostNameservers) {
    findings->Add(path / "nameservers",
                  absl::StrCat("there are ", config.nameservers_size(),
                               " nameservers; resolvers use at most ", kMostNameservers));
  }
  for (int i = 0; i < config.nameservers_size(); ++i) {
    findings->AddProblem((path / "nameservers").At(i), IpProblem(config.nameservers(i)));
  }
  size_t characters = 0;
  for (int i = 0; i < config.searches_size(); ++i) {
    absl::string_view domain = config.searches(i);
    characters += domain.size() + 1;
    if (domain == ".") continue;
    if (!domain.empty() && domain.back() == '.') domain.remove_suffix(1);
    findings->AddProblem((path / "searches").At(i), DnsSubdomainProblem(domain));
  }
  if (config.searches_size() > kMostSearches || characters > kMostSearchCharacters) {
    findings->Add(path / "searches",
                  absl::StrCat("there are too many search domains; use at most ", kMostSearches,
                               " with ", kMostSearchCharacters, " characters together"));
  }
  for (int i = 0; i < config.options_size(); ++i) {
    if (config.options(i).name().empty()) {
      findings->Add((path / "options").At(i) / "name", "a name is missing; name the option");
    }
  }
}

void CheckDns(const v1::PodSpec& spec, const Path& path, Findings* findings) {
  CheckDnsConfig(spec.dns_config(), path / "dnsConfig", findings);
  if (spec.dns_policy() == v1::DNS_POLICY_NONE && spec.dns_config().nameservers().empty()) {
    findings->Add(path / "dnsConfig" / "nameservers",
                  "dnsPolicy None needs at least one nameserver; add it or choose another policy");
  }
}

void CheckPlacement(const v1::PodSpec& spec, const Path& path, Findings* findings) {
  CheckLabels(spec.node_selector(), path / "nodeSelector", findings);
  if (!spec.node_name().empty()) {
    findings->AddProblem(path / "nodeName", DnsSubdomainProblem(spec.node_name()));
  }
  for (int i = 0; i < spec.tolerations_size(); ++i) {
    CheckToleration(spec.tolerations(i), (path / "tolerations").At(i), findings);
  }
  CheckAffinity(spec.affinity(), path / "affinity", findings);
  CheckSpreadConstraints(spec, path / "topologySpreadConstraints", findings);
  if (!spec.priority_class_name().empty()) {
    findings->AddProblem(path / "priorityClassName",
                         DnsSubdomainProblem(spec.priority_class_name()));
  }
  if (!spec.scheduler_name().empty() && spec.scheduler_name() != "default-scheduler") {
    findings->Add(
        path / "schedulerName",
        absl::StrCat("there is no scheduler ", Quote(spec.scheduler_name()), "; remove the field"));
  }
}

}  // namespace

void CheckPodSpec(const v1::PodSpec& spec, const Path& path, Findings* findings) {
  CheckContainers(spec, path, findings);
  CheckSecurity(spec, path, findings);
  CheckVolumes(spec, path, findings);
  CheckPlacement(spec, path, findings);
  CheckDns(spec, path, findings);
  if (spec.termination_grace_period_seconds() < 0) {
    findings->Add(path / "terminationGracePeriodSeconds",
                  absl::StrCat(spec.termination_grace_period_seconds(),
                               " is negative; use 0 or more seconds"));
  }
  if (spec.has_active_deadline_seconds() &&
      (spec.active_deadline_seconds() < 1 ||
       spec.active_deadline_seconds() > std::numeric_limits<int32_t>::max())) {
    findings->Add(path / "activeDeadlineSeconds",
                  absl::StrCat(spec.active_deadline_seconds(),
                               " is no deadline; use 1 to 2147483647 seconds"));
  }
  if (!spec.hostname().empty()) {
    findings->AddProblem(path / "hostname", DnsLabelProblem(spec.hostname()));
  }
  if (!spec.subdomain().empty()) {
    findings->AddProblem(path / "subdomain", DnsLabelProblem(spec.subdomain()));
  }
  for (int i = 0; i < spec.host_aliases_size(); ++i) {
    CheckHostAlias(spec.host_aliases(i), (path / "hostAliases").At(i), findings);
  }
  if (spec.automount_service_account_token()) {
    findings->Add(path / "automountServiceAccountToken",
                  "pods get no token of the API here; set it to false or remove it");
  }
}

}  // namespace cluster
