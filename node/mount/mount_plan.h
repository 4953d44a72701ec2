// What a container's file system looks like besides its image: a plain value made by a pure
// function, carried to cluster-init in the launch plan and applied there (node/init/rootfs.h).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "node/init/wire.h"

namespace cluster::node {

struct PlannedMount {
  init::MountKind kind = init::MountKind::kFilesystem;
  uint32_t flags = 0;       // init::MountFlags
  std::string source;       // file system type, or an absolute path on the host
  std::string target;       // absolute, in the container
  uint64_t attributes = 0;  // MOUNT_ATTR_*, mount_setattr(2)
  std::vector<std::pair<std::string, std::string>> options;  // of fsconfig(2); value "" = a flag
};

struct PlannedDevice {
  std::string name;      // below /dev; directories on the way are made
  uint32_t mode = 0666;  // with S_IFBLK or S_IFCHR; neither = S_IFCHR
  uint32_t major = 0;
  uint32_t minor = 0;
};

// In the order in which they are applied.
struct MountPlan {
  std::vector<PlannedMount> mounts;
  std::vector<PlannedDevice> devices;
  std::vector<std::pair<std::string, std::string>> links;  // name below /dev, where it points
  std::vector<std::string> read_only;  // paths; those that are missing are skipped
  std::vector<std::string> masked;
};

// A mount that the agent has made, and where the container wants it.
struct PlannedVolume {
  std::string name;    // for people
  std::string target;  // absolute, in the container
  bool is_file = false;
  bool may_hide_system = false;  // for privileged containers: below /sys and /dev, too
};

struct MountInputs {
  std::string etc_directory = "";    // on the host; holds hosts, hostname and resolv.conf
  bool shared_memory_of_pod = true;  // else a /dev/shm of the container's own
  bool cgroup2 = false;              // show the container its v2 cgroup, read-only
  uint32_t first_id = 0;             // the node's id of the container's root
  bool hide = true;                  // mask and write-protect parts of /proc and /sys
  // All of the node's devices, and what can be set in /proc and /sys can be.
  bool privileged = false;
  std::vector<PlannedDevice> node_devices = {};  // with `privileged`; instead of the usual ones
  std::vector<PlannedVolume> volumes = {};
};

// Pure. The system's mounts come first, then volumes and the files of /etc, what lies deeper after
// what it lies in; a volume at the place of a file of /etc stands instead of it. The kVolume mounts
// of the plan are `inputs.volumes`, in an order of the plan's own: see VolumeOrder.
MountPlan PlanMounts(const MountInputs& inputs);
// Indices into `volumes` in the order of the plan.
std::vector<size_t> VolumeOrder(const std::vector<PlannedVolume>& volumes);

// A file of the instance's own at the place where the container writes why it ends. To come after
// everything else that is mounted.
PlannedMount TerminationLog(std::string source, std::string target);

// Refuses what would undermine the plan (row 3 and 4 of the security profile): targets that are not
// absolute or hold "..", that are, lie in or cover /proc, /sys or /dev; for one who may hide the
// system (a privileged container) only /proc. InvalidArgument with one sentence.
absl::Status CheckUserTarget(absl::string_view target, bool may_hide_system = false);

// One line per step, for people and golden tests.
std::string Describe(const MountPlan& plan);

}  // namespace cluster::node
