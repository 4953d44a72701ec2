#include "node/mount/mount_plan.h"

#include <sys/mount.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace cluster::node {
namespace {

using init::MountKind;

constexpr uint64_t kNoSuidDevExec = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

PlannedMount Filesystem(std::string type, std::string target, uint64_t attributes,
                        std::vector<std::pair<std::string, std::string>> options = {}) {
  return {MountKind::kFilesystem, 0,          std::move(type),
          std::move(target),      attributes, std::move(options)};
}

PlannedMount EtcFile(const std::string& directory, const std::string& name) {
  return {MountKind::kBind,
          init::kTargetIsFile | init::kFollowSymlinks,
          absl::StrCat(directory, "/", name),
          absl::StrCat("/etc/", name),
          kNoSuidDevExec,
          {}};
}

bool Covers(absl::string_view above, absl::string_view path) {
  return above == "/" || above == path || absl::StartsWith(path, absl::StrCat(above, "/"));
}

long DepthOf(absl::string_view path) { return std::count(path.begin(), path.end(), '/'); }

PlannedMount VolumeMountOf(const PlannedVolume& volume) {
  const uint32_t flags = init::kFollowSymlinks | (volume.is_file ? init::kTargetIsFile : 0u) |
                         (volume.may_hide_system ? init::kMayHideSystem : 0u);
  return {MountKind::kVolume, flags, volume.name, volume.target, 0, {}};
}

void AddEtcAndVolumes(const MountInputs& inputs, MountPlan& plan) {
  const auto first = static_cast<std::ptrdiff_t>(plan.mounts.size());
  for (const size_t index : VolumeOrder(inputs.volumes)) {
    plan.mounts.push_back(VolumeMountOf(inputs.volumes[index]));
  }
  for (const char* name : {"hosts", "hostname", "resolv.conf"}) {
    PlannedMount file = EtcFile(inputs.etc_directory, name);
    bool replaced = false;
    for (const PlannedVolume& volume : inputs.volumes) {
      if (volume.target == file.target) replaced = true;
      // Nothing is made in a volume of the user's; what is there is covered.
      if (volume.target == "/etc") file.flags |= init::kOnlyWhereFound;
    }
    if (!replaced) plan.mounts.push_back(std::move(file));
  }
  std::stable_sort(plan.mounts.begin() + first, plan.mounts.end(),
                   [](const PlannedMount& a, const PlannedMount& b) {
                     return DepthOf(a.target) < DepthOf(b.target);
                   });
}

void AddDevices(MountPlan& plan) {
  plan.devices = {{"null", 0666, 1, 3},   {"zero", 0666, 1, 5},    {"full", 0666, 1, 7},
                  {"random", 0666, 1, 8}, {"urandom", 0666, 1, 9}, {"tty", 0666, 5, 0}};
  plan.links = {{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
                {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
                {"core", "/proc/kcore"},       {"ptmx", "pts/ptmx"}};
}

std::string AttributeNames(uint64_t attributes) {
  std::string names;
  const std::pair<uint64_t, const char*> known[] = {{MOUNT_ATTR_RDONLY, "ro"},
                                                    {MOUNT_ATTR_NOSUID, "nosuid"},
                                                    {MOUNT_ATTR_NODEV, "nodev"},
                                                    {MOUNT_ATTR_NOEXEC, "noexec"},
                                                    {MOUNT_ATTR_STRICTATIME, "strictatime"}};
  for (const auto& [bit, name] : known) {
    if ((attributes & bit) == 0) continue;
    absl::StrAppend(&names, names.empty() ? "" : ",", name);
  }
  return names.empty() ? "-" : names;
}

}  // namespace

std::vector<size_t> VolumeOrder(const std::vector<PlannedVolume>& volumes) {
  std::vector<size_t> order(volumes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&volumes](size_t a, size_t b) {
    return DepthOf(volumes[a].target) < DepthOf(volumes[b].target);
  });
  return order;
}

MountPlan PlanMounts(const MountInputs& inputs) {
  MountPlan plan;
  plan.mounts.push_back(Filesystem("proc", "/proc", kNoSuidDevExec, {{"source", "proc"}}));
  plan.mounts.push_back(Filesystem("tmpfs", "/dev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME,
                                   {{"source", "dev"}, {"mode", "755"}, {"size", "65536k"}}));
  // Devices in what a user namespace's root mounts cannot be opened.
  plan.mounts.back().flags = init::kPopulateDev | init::kMadeByNode;
  if (inputs.first_id != 0) {
    for (const char* owner : {"uid", "gid"}) {
      plan.mounts.back().options.emplace_back(owner, absl::StrCat(inputs.first_id));
    }
  }
  plan.mounts.push_back(Filesystem("devpts", "/dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                                   {{"source", "devpts"},
                                    {"newinstance", ""},
                                    {"ptmxmode", "0666"},
                                    {"mode", "0620"},
                                    {"gid", "5"}}));
  if (inputs.shared_memory_of_pod) {
    plan.mounts.push_back({MountKind::kPodShm, 0, "shm", "/dev/shm", kNoSuidDevExec, {}});
  } else {
    plan.mounts.push_back(Filesystem("tmpfs", "/dev/shm", kNoSuidDevExec,
                                     {{"source", "shm"}, {"mode", "1777"}, {"size", "65536k"}}));
  }
  plan.mounts.push_back(
      Filesystem("mqueue", "/dev/mqueue", kNoSuidDevExec, {{"source", "mqueue"}}));
  const uint64_t read_only = inputs.privileged ? 0 : MOUNT_ATTR_RDONLY;
  plan.mounts.push_back(
      Filesystem("sysfs", "/sys", kNoSuidDevExec | read_only, {{"source", "sysfs"}}));
  if (inputs.cgroup2) {
    plan.mounts.push_back(Filesystem("cgroup2", "/sys/fs/cgroup", kNoSuidDevExec | read_only,
                                     {{"source", "cgroup2"}}));
  }
  AddEtcAndVolumes(inputs, plan);
  AddDevices(plan);
  if (inputs.privileged) plan.devices = inputs.node_devices;
  if (!inputs.hide || inputs.privileged) return plan;
  plan.read_only = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  plan.masked = {"/proc/acpi",        "/proc/asound",  "/proc/interrupts",
                 "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
                 "/proc/sched_debug", "/proc/scsi",    "/proc/timer_list",
                 "/proc/timer_stats", "/sys/firmware", "/sys/devices/virtual/powercap"};
  return plan;
}

PlannedMount TerminationLog(std::string source, std::string target) {
  return {MountKind::kBind,  init::kTargetIsFile | init::kFollowSymlinks,
          std::move(source), std::move(target),
          kNoSuidDevExec,    {}};
}

absl::Status CheckUserTarget(absl::string_view target, bool may_hide_system) {
  if (!absl::StartsWith(target, "/") || target == "/") {
    return absl::InvalidArgumentError(
        absl::StrCat("mount path '", target, "' must be absolute and not the root"));
  }
  for (absl::string_view part : absl::StrSplit(target.substr(1), '/')) {
    if (part.empty() || part == "." || part == "..") {
      return absl::InvalidArgumentError(
          absl::StrCat("mount path '", target, "' must not hold '..', '.' or an empty part"));
    }
  }
  for (absl::string_view system : {"/proc", "/sys", "/dev"}) {
    // Places that people do mount on, and that nothing of ours depends on.
    if (Covers("/dev/shm", target)) continue;
    if (may_hide_system && system != "/proc") continue;
    if (Covers(system, target) || Covers(target, system)) {
      return absl::InvalidArgumentError(
          absl::StrCat("mount path '", target, "' would hide or change ", system));
    }
  }
  return absl::OkStatus();
}

std::string Describe(const MountPlan& plan) {
  std::string text;
  for (const PlannedMount& mount : plan.mounts) {
    const char* kind = mount.kind == MountKind::kFilesystem ? "mount"
                       : mount.kind == MountKind::kBind     ? "bind"
                       : mount.kind == MountKind::kVolume   ? "volume"
                                                            : "shm";
    absl::StrAppend(&text, kind, " ", mount.source, " ", mount.target, " ",
                    AttributeNames(mount.attributes));
    for (const auto& [key, value] : mount.options) {
      absl::StrAppend(&text, " ", key, value.empty() ? "" : "=", value);
    }
    absl::StrAppend(&text, "\n");
  }
  for (const PlannedDevice& device : plan.devices) {
    absl::StrAppendFormat(&text, "device %s %04o %d:%d\n", device.name, device.mode, device.major,
                          device.minor);
  }
  for (const auto& [name, target] : plan.links)
    absl::StrAppend(&text, "link ", name, " ", target, "\n");
  for (const std::string& path : plan.read_only) absl::StrAppend(&text, "read-only ", path, "\n");
  for (const std::string& path : plan.masked) absl::StrAppend(&text, "mask ", path, "\n");
  return text;
}

}  // namespace cluster::node
