// The options of one mount in config.json, sorted by whom they are for. Pure. mount(8),
// mount_setattr(2), runtime-spec config.md "Linux mount options".
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "node/oci/config.h"

namespace cluster::oci {

struct MountOptions {
  bool bind = false;
  bool recursive = false;  // rbind
  bool remount = false;
  bool copy_up = false;  // tmpcopyup: a tmpfs starts with what the image has there
  // idmap, ridmap: the ids of uidMappings and gidMappings, or else those of the user namespace.
  bool id_mapped = false;
  bool id_mapped_recursively = false;
  bool source_nofollow = false;       // src-nofollow
  bool destination_nofollow = false;  // dest-nofollow
  bool copy_symlink = false;          // copy-symlink

  // MOUNT_ATTR_* of the mount itself; `cleared` holds those that were asked away ("exec"), whole
  // fields for the access times.
  uint64_t set = 0;
  uint64_t cleared = 0;
  // The same for the mount and all below it ("rro").
  uint64_t recursively_set = 0;
  uint64_t recursively_cleared = 0;

  std::vector<uint64_t> propagation;  // MS_SHARED, MS_SLAVE | MS_REC, ..., in their order

  // Of the file system: words of its superblock ("sync") and its own ("size", "64m"). A word alone
  // has an empty value.
  std::vector<std::pair<std::string, std::string>> data;

  std::vector<std::string> ignored;  // "async", "mand", ...: known, and of no effect
};

// Refuses words with a meaning that contradicts another ("tmpcopyup" on what is no tmpfs).
absl::StatusOr<MountOptions> ParseMountOptions(const Mount& mount);

}  // namespace cluster::oci
