// What a container's mounts need of the host, opened with all our rights before its process exists:
// nothing of the bundle or the image is looked up by name from inside. Bind mounts are complete
// here (attributes, propagation, ids), detached; the process only puts them in their places.
// mount_setattr(2), open_tree(2).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/oci/bundle.h"
#include "node/oci/mount_options.h"

namespace cluster::oci {

// One entry of config.mounts.
struct MountSource {
  MountOptions options;
  UniqueFd tree;             // of a bind mount
  bool is_directory = true;  // of a bind mount
  std::string symlink;       // copy-symlink: the source is this link, make one like it
};

struct HostSources {
  UniqueFd root;         // the root file system as a detached tree; -1 without a mount namespace
  UniqueFd root_path;    // O_PATH of the same on the host
  UniqueFd proc;         // O_PATH of the host's procfs, verified
  UniqueFd null_device;  // detached tree of /dev/null, verified
  std::vector<MountSource> mounts;          // in the order of config.mounts
  std::map<std::string, UniqueFd> devices;  // with a user namespace: detached trees, by path inside
};

// Errors name the source: "mount /data: NotFound".
absl::StatusOr<HostSources> OpenSources(const Bundle& bundle);

// Puts a detached tree on `target`, which is at `path` in the container.
absl::Status AttachTree(int tree, int target, const std::string& path);

// The devices that every container has, those of config.json in the place of theirs.
std::vector<Device> DevicesOf(const Config& config);

}  // namespace cluster::oci
