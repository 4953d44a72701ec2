// config.json of an OCI bundle as plain values. Pure: text in, values or one exact error out.
//
// Follows runtime-spec 1.2 (config.md, config-linux.md). Unknown properties are skipped, as that
// document demands; a known one with a value that Linux or we cannot honour is an error that names
// its path: "linux.resources.memory.limit: must be an integer".
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/capability_names.h"
#include "node/oci/resources.h"

namespace cluster::oci {

inline constexpr char kSpecVersion[] = "1.2.0";

struct User {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::optional<uint32_t> umask;
  std::vector<uint32_t> additional_gids;
  // Those of the caller instead (podman's --group-add keep-groups, which says so by an annotation).
  bool keeps_groups = false;
};

// Bit N = capability N. Absent: the process keeps none (capabilities(7)).
struct Capabilities {
  uint64_t bounding = 0;
  uint64_t effective = 0;
  uint64_t inheritable = 0;
  uint64_t permitted = 0;
  uint64_t ambient = 0;
};

struct Rlimit {
  int resource = 0;  // RLIMIT_*
  std::string name;
  uint64_t soft = 0;  // RLIM_INFINITY = 2^64 - 1
  uint64_t hard = 0;
};

// sched_setattr(2).
struct Scheduler {
  uint32_t policy = SCHED_OTHER;
  int32_t nice = 0;
  int32_t priority = 0;
  uint64_t flags = 0;
  uint64_t runtime = 0;
  uint64_t deadline = 0;
  uint64_t period = 0;
};

struct ConsoleSize {
  uint16_t height = 0;
  uint16_t width = 0;
};

struct Process {
  bool terminal = false;
  std::optional<ConsoleSize> console_size;
  User user;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd;
  std::optional<Capabilities> capabilities;
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::optional<int> oom_score_adj;
  std::string apparmor_profile;
  std::string selinux_label;
  std::optional<Scheduler> scheduler;
  std::optional<int> io_priority;  // as ioprio_set(2) takes it
};

struct IdMapping {
  uint32_t container = 0;
  uint32_t host = 0;
  uint32_t size = 0;
};

struct Mount {
  std::string destination;  // absolute
  std::string type;
  std::string source;
  std::vector<std::string> options;
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
};

struct Hook {
  std::string path;  // absolute
  std::vector<std::string> args;
  std::optional<std::vector<std::string>> env;  // absent: the runtime's own
  int timeout_seconds = 0;                      // 0 = none
};

struct Hooks {
  std::vector<Hook> prestart;
  std::vector<Hook> create_runtime;
  std::vector<Hook> create_container;
  std::vector<Hook> start_container;
  std::vector<Hook> poststart;
  std::vector<Hook> poststop;
};

struct Namespace {
  int flag = 0;      // CLONE_NEW*
  std::string path;  // empty = a new one
};

struct Device {
  std::string path;
  mode_t type = 0;  // S_IFCHR, S_IFBLK, S_IFIFO
  uint32_t major = 0;
  uint32_t minor = 0;
  mode_t mode = 0666;
  uint32_t uid = 0;
  uint32_t gid = 0;
};

struct SeccompArgument {
  uint32_t index = 0;
  uint64_t value = 0;
  uint64_t value_two = 0;
  std::string op;  // "SCMP_CMP_EQ", ...
};

struct SeccompRule {
  std::vector<std::string> names;
  std::string action;  // "SCMP_ACT_ALLOW", ...
  std::optional<uint32_t> errno_ret;
  std::vector<SeccompArgument> arguments;
};

struct Seccomp {
  std::string default_action;
  std::optional<uint32_t> default_errno_ret;
  std::vector<std::string> architectures;
  std::vector<std::string> flags;
  std::string listener_path;
  std::string listener_metadata;
  std::vector<SeccompRule> rules;
};

struct TimeOffset {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
};

struct Linux {
  std::vector<Namespace> namespaces;
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  std::vector<Device> devices;
  std::string cgroups_path;
  Resources resources;
  std::vector<std::pair<std::string, std::string>> sysctl;  // name with dots, value
  std::optional<Seccomp> seccomp;
  std::optional<uint64_t> rootfs_propagation;  // MS_SHARED, ..., with MS_REC
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  std::optional<TimeOffset> monotonic_offset;
  std::optional<TimeOffset> boottime_offset;
  std::optional<uint32_t> personality;  // personality(2)
  std::string mount_label;

  const Namespace* Find(int flag) const;
  // Whether the container has one of its own, or one given by path.
  bool Has(int flag) const { return Find(flag) != nullptr; }
  bool HasNew(int flag) const { return Has(flag) && Find(flag)->path.empty(); }
};

struct Config {
  std::string version;
  std::optional<Process> process;
  std::string root_path;  // as written: may be relative to the bundle
  bool root_readonly = false;
  std::vector<Mount> mounts;
  std::string hostname;
  std::string domainname;
  Hooks hooks;
  std::map<std::string, std::string> annotations;
  Linux linux_;
  std::vector<std::string> warnings;  // what is skipped, one sentence each
};

// InvalidArgument with the path of the property and what is wrong with it.
absl::StatusOr<Config> ReadConfig(absl::string_view text);
// A process alone, as `exec --process FILE` takes it.
absl::StatusOr<Process> ReadProcess(absl::string_view text, std::vector<std::string>* warnings);
// Resources alone, as `update --resources FILE` takes them.
absl::StatusOr<Resources> ReadResources(absl::string_view text);

// "CAP_CHOWN", also without the prefix and in lower case; -1 when Linux has no such capability.
int CapabilityNumber(absl::string_view name);
int CapabilityCount();

}  // namespace cluster::oci
