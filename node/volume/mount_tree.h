// Mounts that are attached nowhere yet: made by the agent, handed to the process that is to become
// the container, and attached there. open_tree(2), mount_setattr(2), fsmount(2).
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/volume/volume.h"

namespace cluster::node {

struct TmpfsOptions {
  std::string name;  // shown as the mount's source
  int64_t size = 0;  // bytes; 0 = the kernel's default, half of the memory
  uint32_t mode = 0777;
  uint32_t uid = 0;
  uint32_t gid = 0;
};

// A new, empty tmpfs; nosuid, nodev, and never swapped out where the kernel can promise that.
absl::StatusOr<UniqueFd> MakeTmpfs(const TmpfsOptions& options);

// False before 6.15: there only what is attached somewhere can be copied.
bool CanCopyDetached(int mount);
// Attaches it on the directory, which is made (and so records it).
absl::Status AttachOn(int mount, const std::string& directory);
// Takes whatever is mounted on directories in `directory` off, and these with it.
absl::Status DetachIn(const std::string& directory);
// RemoveTree, after everything that is mounted below was taken off: what a container with
// Bidirectional propagation mounted in its volume. What lies in those mounts stays.
absl::Status DetachAndRemoveTree(const std::string& directory);

struct TreeOptions {
  bool read_only = false;
  bool recursive_read_only = false;
  bool allow_devices = false;  // else nosuid and nodev
  MountPropagation propagation = MountPropagation::kPrivate;
  int user_namespace = -1;  // ids are mapped as it maps them
};

// A copy of what is at `fd` (O_PATH or a mount's), with all that is mounted below. `object` is
// named in errors. FailedPrecondition: what propagation, or mapping of ids, needs is not there.
absl::StatusOr<UniqueFd> CloneTree(int fd, const TreeOptions& options, const std::string& object);

}  // namespace cluster::node
