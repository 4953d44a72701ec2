#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/status.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr Flag kSpecFlags[] = {
    {"bundle", 'b', Flag::kValue, "DIR", "where to write it; default: the working directory"},
    {"rootless", 0, Flag::kSwitch, nullptr, "with a user namespace whose root is the caller"}};

OrderedJson DefaultMount(const char* destination, const char* type, const char* source,
                         std::vector<std::string> options) {
  return {{"destination", destination}, {"type", type}, {"source", source}, {"options", options}};
}

OrderedJson DefaultProcess() {
  const std::vector<std::string> capabilities = {"CAP_AUDIT_WRITE", "CAP_KILL",
                                                 "CAP_NET_BIND_SERVICE"};
  return {
      {"terminal", true},
      {"user", {{"uid", 0}, {"gid", 0}}},
      {"args", {"sh"}},
      {"env", {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"}},
      {"cwd", "/"},
      {"capabilities",
       {{"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}}},
      {"rlimits", {{{"type", "RLIMIT_NOFILE"}, {"hard", 1024}, {"soft", 1024}}}},
      {"noNewPrivileges", true}};
}

OrderedJson DefaultMounts() {
  return OrderedJson::array(
      {DefaultMount("/proc", "proc", "proc", {}),
       DefaultMount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
       DefaultMount("/dev/pts", "devpts", "devpts",
                    {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
       DefaultMount("/dev/shm", "tmpfs", "shm",
                    {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
       DefaultMount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
       DefaultMount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
       DefaultMount("/sys/fs/cgroup", "cgroup", "cgroup",
                    {"nosuid", "noexec", "nodev", "relatime", "ro"})});
}

OrderedJson DefaultLinux(bool rootless) {
  OrderedJson namespaces = OrderedJson::array();
  for (const char* type : {"pid", "network", "ipc", "uts", "mount"}) {
    namespaces.push_back({{"type", type}});
  }
  // As others have it: programs of v1 times look for their own groups below the machine's.
  struct statfs fs {};
  if (::statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
    namespaces.push_back({{"type", "cgroup"}});
  }
  OrderedJson linux_ = {
      {"resources", {{"devices", {{{"allow", false}, {"access", "rwm"}}}}}},
      {"namespaces", namespaces},
      {"maskedPaths",
       {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
        "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"}},
      {"readonlyPaths",
       {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}};
  if (!rootless) return linux_;
  linux_["namespaces"].push_back({{"type", "user"}});
  linux_["uidMappings"] = {{{"containerID", 0}, {"hostID", getuid()}, {"size", 1}}};
  linux_["gidMappings"] = {{{"containerID", 0}, {"hostID", getgid()}, {"size", 1}}};
  return linux_;
}

absl::StatusOr<int> RunSpec(const Call& call) {
  const OrderedJson spec = {{"ociVersion", kSpecVersion},
                            {"process", DefaultProcess()},
                            {"root", {{"path", "rootfs"}, {"readonly", true}}},
                            {"hostname", "cluster-oci"},
                            {"mounts", DefaultMounts()},
                            {"linux", DefaultLinux(call.arguments.Has("rootless"))}};
  const std::string path = absl::StrCat(call.arguments.Text("bundle", "."), "/config.json");
  auto file = OpenAt(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (absl::IsAlreadyExists(file.status())) {
    return absl::AlreadyExistsError(absl::StrCat(path, " exists already: remove it first"));
  }
  RETURN_IF_ERROR(file.status());
  RETURN_IF_ERROR(WriteAll(file->get(), absl::StrCat(spec.dump(2), "\n")));
  return 0;
}

}  // namespace

const Command kSpecCommand = {"spec",     "",    0,     0,      "write a config.json to begin with",
                              kSpecFlags, false, false, RunSpec};

}  // namespace cluster::oci
