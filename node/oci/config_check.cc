#include <sched.h>
#include <sys/mount.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "node/oci/config_parts.h"
#include "node/oci/mount_options.h"
#include "node/oci/names.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace cluster::oci {
namespace {

constexpr const char* kIpcSysctls[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                       "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                       "kernel.shmmni", "kernel.shm_rmid_forced"};

class Checker {
 public:
  Checker(const Config& config, Reading* reading)
      : config_(config), linux_(config.linux_), reading_(reading) {}

  void Check() {
    CheckNamespaces();
    CheckUserNamespace();
    CheckTime();
    for (const auto& [name, value] : linux_.sysctl) CheckSysctl(name);
    for (const Mount& mount : config_.mounts) CheckMount(mount);
    CheckCgroupsPath();
  }

 private:
  void Fail(absl::string_view path, absl::string_view sentence) {
    Field(nullptr, std::string(path), reading_).Fail(sentence);
  }

  // Without one of its own, what is asked for would change the machine.
  void Needs(int flag, absl::string_view path) {
    if (linux_.Has(flag)) return;
    Fail(path, absl::StrCat("needs a ", NamespaceName(flag), " namespace in linux.namespaces"));
  }

  void CheckNamespaces() {
    if (!config_.hostname.empty()) Needs(CLONE_NEWUTS, "hostname");
    if (!config_.domainname.empty()) Needs(CLONE_NEWUTS, "domainname");
    if (!config_.mounts.empty()) Needs(CLONE_NEWNS, "mounts");
    if (!linux_.masked_paths.empty()) Needs(CLONE_NEWNS, "linux.maskedPaths");
    if (!linux_.readonly_paths.empty()) Needs(CLONE_NEWNS, "linux.readonlyPaths");
    if (config_.root_readonly) Needs(CLONE_NEWNS, "root.readonly");
    if (linux_.rootfs_propagation) Needs(CLONE_NEWNS, "linux.rootfsPropagation");
  }

  void CheckUserNamespace() {
    const bool mapped = !linux_.uid_mappings.empty() || !linux_.gid_mappings.empty();
    if (mapped) Needs(CLONE_NEWUSER, "linux.uidMappings");
    if (!linux_.HasNew(CLONE_NEWUSER)) return;
    if (linux_.uid_mappings.empty()) Fail("linux.uidMappings", "a new user namespace needs them");
    if (linux_.gid_mappings.empty()) Fail("linux.gidMappings", "a new user namespace needs them");
  }

  void CheckTime() {
    if (!linux_.monotonic_offset && !linux_.boottime_offset) return;
    if (!linux_.HasNew(CLONE_NEWTIME)) {
      Fail("linux.timeOffsets", "needs a new time namespace in linux.namespaces");
    }
  }

  // Only what belongs to a namespace of the container's: the rest is the machine's.
  void CheckSysctl(const std::string& name) {
    const std::string path = absl::StrCat("linux.sysctl.", name);
    for (absl::string_view part : absl::StrSplit(name, '.')) {
      if (part.empty() || absl::StrContains(part, "..")) return Fail(path, "is no sysctl");
    }
    if (absl::StartsWith(name, "net.")) return Needs(CLONE_NEWNET, path);
    if (absl::StartsWith(name, "fs.mqueue.")) return Needs(CLONE_NEWIPC, path);
    for (const char* ipc : kIpcSysctls) {
      if (name == ipc) return Needs(CLONE_NEWIPC, path);
    }
    if (name == "kernel.domainname") return Needs(CLONE_NEWUTS, path);
    if (name == "kernel.hostname") return Fail(path, "use hostname instead");
    Fail(path, "belongs to the whole machine, not to a container");
  }

  void CheckMount(const Mount& mount) {
    const auto options = ParseMountOptions(mount);
    if (!options.ok()) {
      return Fail(absl::StrCat("mounts of ", mount.destination), options.status().message());
    }
    if (!mount.uid_mappings.empty() && !options->bind) {
      Fail(absl::StrCat("mounts of ", mount.destination), "only bind mounts can map ids");
    }
    for (const std::string& word : options->ignored) {
      reading_->warnings.push_back(absl::StrCat("mounts of ", mount.destination, ": option '", word,
                                                "' has no effect on Linux"));
    }
  }

  void CheckCgroupsPath() {
    for (absl::string_view part : absl::StrSplit(linux_.cgroups_path, '/')) {
      if (part == "..") Fail("linux.cgroupsPath", "must not hold '..'");
      if (absl::StrContains(part, "\n")) Fail("linux.cgroupsPath", "must not hold a line break");
    }
  }

  const Config& config_;
  const Linux& linux_;
  Reading* reading_;
};

}  // namespace

void CheckConfig(const Config& config, Reading* reading) { Checker(config, reading).Check(); }

}  // namespace cluster::oci
