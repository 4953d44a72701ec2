#include "proto/validate/security_rules.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/capability_names.h"
#include "proto/validate/name_rules.h"

namespace cluster {
namespace {

constexpr int64_t kMostIds = 65535;
constexpr int64_t kMostIdsOfNode = 2147483647;

bool Asks(const v1::PodSpec& spec, bool (*wants)(const v1::SecurityContext&)) {
  const auto any = [wants](const auto& containers) {
    return std::any_of(containers.begin(), containers.end(), [wants](const auto& container) {
      return wants(container.security_context());
    });
  };
  return any(spec.containers()) || any(spec.init_containers()) || any(spec.ephemeral_containers());
}

bool IsPrivileged(const v1::SecurityContext& context) { return context.privileged(); }

// As the node decides it.
bool UsesNodeUsers(const v1::PodSpec& spec) {
  if (spec.has_host_users()) return spec.host_users();
  return spec.host_network() || spec.host_pid() || spec.host_ipc() || Asks(spec, IsPrivileged);
}

class SecurityRules {
 public:
  SecurityRules(const v1::PodSpec& spec, Findings* findings)
      : spec_(spec), node_users_(UsesNodeUsers(spec)), findings_(findings) {}

  void CheckNamespaces(const Path& path);
  void CheckPod(const v1::PodSecurityContext& context, const Path& path);
  void CheckContainer(const v1::SecurityContext& context, const Path& path);
  void CheckPort(const v1::ContainerPort& port, const Path& path);

 private:
  void CheckId(int64_t id, const Path& path);
  void CheckProfile(const v1::SeccompProfile& profile, const Path& path);
  void CheckSysctl(const v1::Sysctl& sysctl, const Path& path);
  void CheckCapabilities(const v1::Capabilities& capabilities, const Path& path);
  void CheckEscalation(const v1::SecurityContext& context, const Path& path);

  const v1::PodSpec& spec_;
  const bool node_users_;
  Findings* findings_;
};

void SecurityRules::CheckNamespaces(const Path& path) {
  if (spec_.share_process_namespace() && spec_.host_pid()) {
    findings_->Add(
        path / "shareProcessNamespace",
        "the pod's processes are shared or the node's, not both; remove hostPID or this");
  }
  if (!spec_.has_host_users() || spec_.host_users()) return;
  const std::pair<bool, const char*> needs[] = {{spec_.host_network(), "hostNetwork"},
                                                {spec_.host_pid(), "hostPID"},
                                                {spec_.host_ipc(), "hostIPC"},
                                                {Asks(spec_, IsPrivileged), "privileged"}};
  for (const auto& [needed, field] : needs) {
    if (!needed) continue;
    findings_->Add(path / "hostUsers",
                   absl::StrCat("a pod with ", field,
                                " uses the node's users; remove hostUsers or set it to true"));
  }
}

void SecurityRules::CheckId(int64_t id, const Path& path) {
  const int64_t most = node_users_ ? kMostIdsOfNode : kMostIds;
  if (id >= 0 && id <= most) return;
  if (id < 0 || id > kMostIdsOfNode) {
    findings_->Add(path,
                   absl::StrCat(id, " is no id; use one between 0 and ", most, ", inclusive"));
    return;
  }
  findings_->Add(path, absl::StrCat(id,
                                    " is outside of the pod's user namespace; use an id between "
                                    "0 and ",
                                    most, ", inclusive, or set hostUsers to true"));
}

void SecurityRules::CheckProfile(const v1::SeccompProfile& profile, const Path& path) {
  const std::string& file = profile.localhost_profile();
  if (profile.type() == v1::SECCOMP_PROFILE_TYPE_UNSPECIFIED) {
    findings_->Add(path / "type", "a type is missing; use RuntimeDefault, Localhost or Unconfined");
  } else if (profile.type() != v1::SECCOMP_PROFILE_TYPE_LOCALHOST) {
    if (!file.empty()) {
      findings_->Add(path / "localhostProfile",
                     "only type Localhost has a file; remove this or change the type");
    }
  } else if (file.empty()) {
    findings_->Add(path / "localhostProfile",
                   "type Localhost needs a file; name it by its path below the node's seccomp "
                   "directory");
  } else {
    const std::vector<std::string> parts = absl::StrSplit(file, '/');
    const bool climbs = std::find(parts.begin(), parts.end(), "..") != parts.end();
    if (absl::StartsWith(file, "/") || climbs) {
      findings_->Add(path / "localhostProfile",
                     absl::StrCat(Quote(file),
                                  " must be a path below the node's seccomp directory, "
                                  "without \"..\""));
    }
  }
}

bool IsSysctlName(absl::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  for (const absl::string_view part : absl::StrSplit(name, '.')) {
    if (part.empty()) return false;
    const bool plain = std::all_of(part.begin(), part.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
    });
    if (!plain) return false;
  }
  return absl::StrContains(name, '.');
}

// Those that belong to a namespace which the pod has for itself.
void SecurityRules::CheckSysctl(const v1::Sysctl& sysctl, const Path& path) {
  const std::string& name = sysctl.name();
  if (!IsSysctlName(name)) {
    findings_->Add(path / "name", absl::StrCat(Quote(name),
                                               " is no sysctl; write it with dots, for example "
                                               "net.core.somaxconn"));
    return;
  }
  const bool of_network = absl::StartsWith(name, "net.");
  const bool of_ipc = absl::StartsWith(name, "kernel.shm") ||
                      absl::StartsWith(name, "kernel.msg") || name == "kernel.sem" ||
                      absl::StartsWith(name, "fs.mqueue.");
  if (!of_network && !of_ipc) {
    findings_->Add(path / "name",
                   absl::StrCat(Quote(name),
                                " is a setting of the whole node; pods can set "
                                "kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.* and "
                                "net.*"));
  } else if (of_network && spec_.host_network()) {
    findings_->Add(path / "name", absl::StrCat(Quote(name),
                                               " would change the node's network; "
                                               "remove it or hostNetwork"));
  } else if (of_ipc && spec_.host_ipc()) {
    findings_->Add(path / "name", absl::StrCat(Quote(name),
                                               " would change the node's ipc; remove "
                                               "it or hostIPC"));
  }
  if (sysctl.value().empty()) findings_->Add(path / "value", "a value is missing; set it");
}

void SecurityRules::CheckPod(const v1::PodSecurityContext& context, const Path& path) {
  if (context.has_run_as_user()) CheckId(context.run_as_user(), path / "runAsUser");
  if (context.has_run_as_group()) CheckId(context.run_as_group(), path / "runAsGroup");
  if (context.has_fs_group()) CheckId(context.fs_group(), path / "fsGroup");
  for (int i = 0; i < context.supplemental_groups_size(); ++i) {
    CheckId(context.supplemental_groups(i), (path / "supplementalGroups").At(i));
  }
  if (context.has_seccomp_profile()) {
    CheckProfile(context.seccomp_profile(), path / "seccompProfile");
  }
  std::set<std::string> names;
  for (int i = 0; i < context.sysctls_size(); ++i) {
    const Path at = (path / "sysctls").At(i);
    CheckSysctl(context.sysctls(i), at);
    if (!names.insert(context.sysctls(i).name()).second) {
      findings_->Add(at / "name", absl::StrCat(Quote(context.sysctls(i).name()),
                                               " is set twice; remove one of them"));
    }
  }
}

void SecurityRules::CheckCapabilities(const v1::Capabilities& capabilities, const Path& path) {
  const auto check = [this](const auto& names, const Path& list) {
    for (int i = 0; i < names.size(); ++i) {
      if (absl::EqualsIgnoreCase(names[i], "ALL") || CapabilityByName(names[i])) continue;
      findings_->Add(list.At(i), absl::StrCat(Quote(names[i]),
                                              " is no capability; use a name like NET_ADMIN, or "
                                              "ALL"));
    }
  };
  check(capabilities.add(), path / "add");
  check(capabilities.drop(), path / "drop");
}

void SecurityRules::CheckEscalation(const v1::SecurityContext& context, const Path& path) {
  if (!context.has_allow_privilege_escalation() || context.allow_privilege_escalation()) return;
  if (context.privileged()) {
    findings_->Add(path / "allowPrivilegeEscalation",
                   "this cannot be false for a privileged container; remove one of them");
  }
  const auto& added = context.capabilities().add();
  const bool admin = std::any_of(added.begin(), added.end(), [](const std::string& name) {
    return CapabilityByName(name) == CapabilityByName("SYS_ADMIN");
  });
  if (admin) {
    findings_->Add(path / "allowPrivilegeEscalation",
                   "this cannot be false with the capability SYS_ADMIN; remove one of them");
  }
}

// In the node's network a container's port is the node's.
void SecurityRules::CheckPort(const v1::ContainerPort& port, const Path& path) {
  if (!spec_.host_network() || port.host_port() == 0) return;
  if (port.host_port() == port.container_port()) return;
  findings_->Add(path / "hostPort", absl::StrCat(port.host_port(), " must be the containerPort ",
                                                 port.container_port(),
                                                 " as the pod uses the node's network; remove it"));
}

void SecurityRules::CheckContainer(const v1::SecurityContext& context, const Path& path) {
  if (context.has_run_as_user()) CheckId(context.run_as_user(), path / "runAsUser");
  if (context.has_run_as_group()) CheckId(context.run_as_group(), path / "runAsGroup");
  CheckCapabilities(context.capabilities(), path / "capabilities");
  CheckEscalation(context, path);
  if (context.has_seccomp_profile()) {
    CheckProfile(context.seccomp_profile(), path / "seccompProfile");
  }
  if (context.proc_mount() == v1::PROC_MOUNT_TYPE_UNMASKED && node_users_) {
    findings_->Add(path / "procMount",
                   "Unmasked is only for pods with a user namespace; set hostUsers to false or use "
                   "Default");
  }
}

}  // namespace

void CheckSecurity(const v1::PodSpec& spec, const Path& path, Findings* findings) {
  SecurityRules rules(spec, findings);
  rules.CheckNamespaces(path);
  rules.CheckPod(spec.security_context(), path / "securityContext");
  const auto check = [&rules](const auto& containers, const Path& list) {
    for (int i = 0; i < containers.size(); ++i) {
      rules.CheckContainer(containers[i].security_context(), list.At(i) / "securityContext");
    }
  };
  check(spec.init_containers(), path / "initContainers");
  check(spec.containers(), path / "containers");
  check(spec.ephemeral_containers(), path / "ephemeralContainers");
  for (int i = 0; i < spec.containers_size(); ++i) {
    const Path ports = (path / "containers").At(i) / "ports";
    for (int k = 0; k < spec.containers(i).ports_size(); ++k) {
      rules.CheckPort(spec.containers(i).ports(k), ports.At(k));
    }
  }
}

}  // namespace cluster
