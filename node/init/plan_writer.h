// The agent's side of a launch plan: what cluster-init is told about one container.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/init/wire.h"
#include "node/mount/mount_plan.h"

namespace cluster::node {

// What init::WireWriter writes into.
struct StringSink {
  std::string bytes;
  void Append(const void* data, size_t size) { bytes.append(static_cast<const char*>(data), size); }
};

// setrlimit(2)
struct PlannedLimit {
  uint32_t resource = 0;
  uint64_t soft = 0;
  uint64_t hard = 0;
};

struct LaunchPlan {
  std::string name;
  int32_t attempt = 0;
  uint32_t flags = init::kNoNewPrivileges;  // init::LaunchFlags
  uint64_t capabilities = 0;                // bit N = capability N
  int32_t oom_score_adj = 0;
  std::string instance_path;  // on the host; holds upper/ and work/, is the mount point
  std::string working_dir = "/";
  std::string user;
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::vector<std::string> layers;  // lowest first
  MountPlan mounts;
  uint32_t gid = 0;  // with init::kSetGid
  std::vector<uint32_t> groups;
  std::vector<PlannedLimit> limits;
  int64_t boottime_offset = 0;  // seconds, with init::kTimeNamespace
  int64_t monotonic_offset = 0;
  std::string filter;            // the bytes of a sock_filter[]; empty = unconfined
  std::string pid_namespace_of;  // with kSharedProcesses; see ContainerSpec
  uint64_t log_max_bytes = 0;    // of one file; 0 = no limit
  uint32_t log_max_files = 0;
};

// The wire form. InvalidArgument for strings with a NUL inside (they cannot be told to a kernel),
// for an empty argv and for plans over init::kMaxPlan.
absl::StatusOr<std::string> EncodeLaunchPlan(const LaunchPlan& plan);

// A memfd holding `bytes`.
absl::StatusOr<UniqueFd> MakeMemfd(const std::string& name, const std::string& bytes);

// What containers get without asking: CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP
// NET_BIND_SERVICE SYS_CHROOT SETFCAP. capabilities(7)
inline constexpr uint64_t kDefaultCapabilities = 0x800405fb;

}  // namespace cluster::node
