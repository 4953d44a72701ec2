// The launch plan of one container as cluster-init sees it: pointers into the received bytes.
// Freestanding. The agent's side, which writes it, is plan_writer.h; the order of fields is that of
// ReadLaunch in launch.cc.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "node/init/wire.h"

namespace cluster::init {

struct Strings {
  const char** items = nullptr;  // ends with a null pointer
  size_t count = 0;
};

struct MountOption {
  const char* key = "";
  const char* value = "";  // "" = a flag
};

struct MountStep {
  MountKind kind = MountKind::kFilesystem;
  uint32_t flags = 0;       // MountFlags
  const char* source = "";  // file system type, or path on the host
  const char* target = "";  // in the container
  uint64_t attributes = 0;  // MOUNT_ATTR_*
  MountOption* options = nullptr;
  size_t option_count = 0;
};

struct DeviceStep {
  const char* name = "";  // below /dev
  uint32_t mode = 0;
  uint32_t major = 0;
  uint32_t minor = 0;
};

struct LinkStep {
  const char* name = "";  // below /dev
  const char* target = "";
};

struct LimitStep {
  uint32_t resource = 0;  // RLIMIT_*
  uint64_t soft = 0;
  uint64_t hard = 0;
};

struct Launch {
  const char* name = "";
  int32_t attempt = 0;
  uint32_t flags = 0;  // LaunchFlags
  uint64_t capabilities = 0;
  int32_t oom_score_adj = 0;
  const char* instance_path = "";  // on the host; holds upper/ and work/, is the mount point
  const char* working_dir = "/";
  const char* user = "";
  Strings argv;
  Strings env;
  Strings layers;  // lowest first
  MountStep* mounts = nullptr;
  size_t mount_count = 0;
  DeviceStep* devices = nullptr;
  size_t device_count = 0;
  LinkStep* links = nullptr;
  size_t link_count = 0;
  Strings read_only;
  Strings masked;
  uint32_t gid = 0;  // with kSetGid
  uint32_t* groups = nullptr;
  size_t group_count = 0;
  LimitStep* limits = nullptr;
  size_t limit_count = 0;
  int64_t boottime_offset = 0;  // seconds, with kTimeNamespace
  int64_t monotonic_offset = 0;
  const void* filter = nullptr;       // sock_filter[], not aligned
  size_t filter_size = 0;             // bytes; 0 = unconfined
  const char* pid_namespace_of = "";  // with kSharedProcesses: of this container, not the pod's
  uint64_t log_max_bytes = 0;         // of one file; 0 = no limit
  uint32_t log_max_files = 0;
};

// Checks and indexes `size` bytes at `plan`, which must outlive the result. False: not a plan.
// The arrays come from malloc; FreeLaunch gives them back, also after a failure.
bool ReadLaunch(const char* plan, size_t size, Launch* out);
void FreeLaunch(Launch* launch);

// A list of strings, as in the plan; kExec's argv comes this way too.
bool ReadStrings(WireReader* reader, Strings* out);

}  // namespace cluster::init
