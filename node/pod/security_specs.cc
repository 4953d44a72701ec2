#include "node/pod/security_specs.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/capability_names.h"
#include "base/status.h"
#include "proto/schema/pod_tuning.h"

namespace cluster::node {
namespace {

constexpr int kSysAdmin = 21;

// "ALL" first, then names are added, then names are dropped: what is both is dropped.
uint64_t CapabilitiesOf(const v1::Capabilities& wanted, uint64_t standard) {
  const auto has_all = [](const auto& names) {
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return absl::EqualsIgnoreCase(name, "ALL"); });
  };
  uint64_t set = standard;
  if (has_all(wanted.add())) set = kAllCapabilities;
  if (has_all(wanted.drop())) set = 0;
  for (const std::string& name : wanted.add()) {
    if (const auto number = CapabilityByName(name)) set |= uint64_t{1} << *number;
  }
  for (const std::string& name : wanted.drop()) {
    if (const auto number = CapabilityByName(name)) set &= ~(uint64_t{1} << *number);
  }
  return set;
}

std::string ProfileOf(const v1::SeccompProfile& profile) {
  if (profile.type() == v1::SECCOMP_PROFILE_TYPE_UNCONFINED) return "unconfined";
  if (profile.type() != v1::SECCOMP_PROFILE_TYPE_LOCALHOST) return "";
  return absl::StrCat("localhost/", profile.localhost_profile());
}

absl::Status CheckNotRoot(const SecuritySpec& spec, const std::string& container,
                          const std::string& image_user) {
  if (!spec.must_not_be_root) return absl::OkStatus();
  if (spec.uid.has_value()) {
    if (*spec.uid != 0) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("container's runAsUser breaks non-root policy (container: ", container, ")"));
  }
  const std::string user = image_user.substr(0, image_user.find(':'));
  uint32_t uid = 0;
  if (!user.empty() && !absl::SimpleAtoi(user, &uid)) {
    return absl::FailedPreconditionError(
        absl::StrCat("container has runAsNonRoot and image has non-numeric user (", user,
                     "), cannot verify user is non-root (container: ", container, ")"));
  }
  if (uid != 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "container has runAsNonRoot and image will run as root (container: ", container, ")"));
}

// Numbers were checked by the controller.
std::optional<uint32_t> Id(bool of_container, int64_t container, bool of_pod, int64_t pod) {
  if (of_container) return static_cast<uint32_t>(container);
  if (of_pod) return static_cast<uint32_t>(pod);
  return std::nullopt;
}

void FillUsers(const v1::PodSecurityContext& pod, const v1::SecurityContext& context,
               SecuritySpec* spec) {
  spec->uid = Id(context.has_run_as_user(), context.run_as_user(), pod.has_run_as_user(),
                 pod.run_as_user());
  spec->gid = Id(context.has_run_as_group(), context.run_as_group(), pod.has_run_as_group(),
                 pod.run_as_group());
  spec->must_not_be_root =
      context.has_run_as_non_root() ? context.run_as_non_root() : pod.run_as_non_root();
  for (const int64_t group : pod.supplemental_groups()) {
    spec->supplemental_groups.push_back(static_cast<uint32_t>(group));
  }
  if (pod.has_fs_group()) {
    spec->supplemental_groups.push_back(static_cast<uint32_t>(pod.fs_group()));
  }
  spec->groups_of_image = pod.supplemental_groups_policy() != v1::SUPPLEMENTAL_GROUPS_POLICY_STRICT;
}

template <typename Containers>
bool AnyPrivileged(const Containers& containers) {
  return std::any_of(containers.begin(), containers.end(), [](const auto& container) {
    return container.security_context().privileged();
  });
}

}  // namespace

bool UsesNodeUsers(const v1::PodSpec& pod) {
  if (pod.has_host_users()) return pod.host_users();
  return pod.host_network() || pod.host_pid() || pod.host_ipc() ||
         AnyPrivileged(pod.containers()) || AnyPrivileged(pod.init_containers()) ||
         AnyPrivileged(pod.ephemeral_containers());
}

void FillSandboxSecurity(const v1::PodSpec& pod, SandboxSpec* spec) {
  spec->host_users = UsesNodeUsers(pod);
  spec->host_network = pod.host_network();
  spec->host_pid = pod.host_pid();
  spec->host_ipc = pod.host_ipc();
  spec->share_process_namespace = pod.share_process_namespace();
  for (const v1::Sysctl& sysctl : pod.security_context().sysctls()) {
    spec->sysctls.emplace_back(sysctl.name(), sysctl.value());
  }
}

absl::StatusOr<SecuritySpec> SecuritySpecOf(const v1::PodSpec& pod, const std::string& container,
                                            const v1::SecurityContext& context,
                                            const std::string& image_user) {
  SecuritySpec spec;
  FillUsers(pod.security_context(), context, &spec);
  RETURN_IF_ERROR(CheckNotRoot(spec, container, image_user));
  spec.privileged = context.privileged();
  spec.capabilities = spec.privileged ? kAllCapabilities
                                      : CapabilitiesOf(context.capabilities(), spec.capabilities);
  const bool is_admin = (spec.capabilities >> kSysAdmin & 1) != 0;
  spec.no_new_privileges = !context.allow_privilege_escalation() && !spec.privileged && !is_admin;
  spec.seccomp =
      ProfileOf(context.has_seccomp_profile() ? context.seccomp_profile()
                                              : pod.security_context().seccomp_profile());
  spec.read_only_root = context.read_only_root_filesystem();
  spec.masked_paths = context.proc_mount() != v1::PROC_MOUNT_TYPE_UNMASKED;
  return spec;
}

std::optional<TimeOffsets> TimeOffsetsOf(const v1::ObjectMeta& meta) {
  const auto tuning = ParseTuning(meta);
  if (!tuning.ok() || (!tuning->boottime_offset && !tuning->monotonic_offset)) return std::nullopt;
  return TimeOffsets{tuning->boottime_offset.value_or(0), tuning->monotonic_offset.value_or(0)};
}

}  // namespace cluster::node
