#include "node/volume/mount_tree.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/mountinfo.h"
#include "base/status.h"
#include "node/volume/remove_tree.h"

namespace cluster::node {
namespace {

enum class Peers { kPrivate, kSlave, kShared };

// How the mount that `fd` lies on propagates: the optional fields of /proc/self/mountinfo, proc(5).
absl::StatusOr<Peers> PeersOf(int fd) {
  struct statx info {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) != 0) return ErrnoStatus("statx", "volume");
  ASSIGN_OR_RETURN(const std::string table, ReadFile("/proc/self/mountinfo"));
  for (absl::string_view line : absl::StrSplit(table, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    if (words.size() < 7 || words[0] != absl::StrCat(info.stx_mnt_id)) continue;
    Peers peers = Peers::kPrivate;
    for (size_t i = 6; i < words.size() && words[i] != "-"; ++i) {
      if (absl::StartsWith(words[i], "shared:")) return Peers::kShared;
      if (absl::StartsWith(words[i], "master:")) peers = Peers::kSlave;
    }
    return peers;
  }
  return absl::NotFoundError("the volume's mount is not in the mount table");
}

// In the order in which they were mounted.
absl::StatusOr<std::vector<std::string>> MountPointsBelow(const std::string& directory) {
  ASSIGN_OR_RETURN(const std::string table, ReadFile("/proc/self/mountinfo"));
  std::vector<std::string> points;
  for (absl::string_view line : absl::StrSplit(table, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    if (words.size() < 7) continue;
    std::string point = UnescapeMountInfo(words[4]);
    if (absl::StartsWith(point, directory + "/")) points.push_back(std::move(point));
  }
  return points;
}

absl::Status CheckPropagation(int fd, MountPropagation wanted, const std::string& object) {
  if (wanted == MountPropagation::kPrivate) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Peers peers, PeersOf(fd));
  const bool both = wanted == MountPropagation::kBidirectional;
  if (peers == Peers::kShared || (peers == Peers::kSlave && !both)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      object, ": mountPropagation ", both ? "Bidirectional" : "HostToContainer",
      " needs a shared mount on the node, and this one is not; see mount --make-shared"));
}

uint64_t PropagationFlag(MountPropagation propagation) {
  switch (propagation) {
    case MountPropagation::kPrivate:
      return MS_PRIVATE;
    case MountPropagation::kHostToContainer:
      return MS_SLAVE;
    case MountPropagation::kBidirectional:
      return MS_SHARED;
  }
  return MS_PRIVATE;
}

absl::Status SetAttributes(int tree, const mount_attr& attributes, bool recursive,
                           const std::string& object) {
  mount_attr copy = attributes;
  const unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u);
  if (mount_setattr(tree, "", flags, &copy, sizeof copy) != 0) {
    return ErrnoStatus("set mount attributes of", object);
  }
  return absl::OkStatus();
}

absl::Status MapIds(int tree, int user_namespace, const std::string& object) {
  mount_attr mapping{};
  mapping.attr_set = MOUNT_ATTR_IDMAP;
  mapping.userns_fd = static_cast<uint64_t>(user_namespace);
  if (mount_setattr(tree, "", AT_EMPTY_PATH, &mapping, sizeof mapping) == 0) {
    return absl::OkStatus();
  }
  if (errno != EINVAL) return ErrnoStatus("map ids of", object);
  return absl::FailedPreconditionError(absl::StrCat(
      object,
      ": its file system cannot map ids, which a pod with users of its own needs; put the "
      "node's state on ext4, xfs or btrfs, or set hostUsers: true"));
}

absl::Status Configure(int fs, unsigned command, const char* key, const char* value) {
  if (fsconfig(fs, command, key, value, 0) != 0) return ErrnoStatus("configure tmpfs", key);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> MakeTmpfs(const TmpfsOptions& options) {
  const UniqueFd fs(fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!fs) return ErrnoStatus("fsopen", "tmpfs");
  const std::string mode = absl::StrFormat("%o", options.mode);
  const std::vector<std::pair<const char*, std::string>> settings = {
      {"source", options.name},
      {"mode", mode},
      {"uid", absl::StrCat(options.uid)},
      {"gid", absl::StrCat(options.gid)}};
  for (const auto& [key, value] : settings) {
    RETURN_IF_ERROR(Configure(fs.get(), FSCONFIG_SET_STRING, key, value.c_str()));
  }
  if (options.size > 0) {
    RETURN_IF_ERROR(
        Configure(fs.get(), FSCONFIG_SET_STRING, "size", absl::StrCat(options.size).c_str()));
  }
  // Since 6.4; before, swap is the machine's own choice.
  (void)fsconfig(fs.get(), FSCONFIG_SET_FLAG, "noswap", nullptr, 0);
  RETURN_IF_ERROR(Configure(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr));
  UniqueFd made(fsmount(fs.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
  if (!made) return ErrnoStatus("fsmount", "tmpfs");
  return made;
}

bool CanCopyDetached(int mount) {
  const UniqueFd copy(open_tree(mount, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  return copy.valid() || errno != EINVAL;
}

absl::Status AttachOn(int mount, const std::string& directory) {
  RETURN_IF_ERROR(MakeDirectories(directory, 0700));
  if (move_mount(mount, "", AT_FDCWD, directory.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return ErrnoStatus("attach on", directory);
  }
  return absl::OkStatus();
}

absl::Status DetachIn(const std::string& directory) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    const std::string path = at->path().string();
    while (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
    }
    if (errno != EINVAL && errno != ENOENT) return ErrnoStatus("unmount", path);
    if (rmdir(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus("rmdir", path);
  }
  return absl::OkStatus();
}

absl::Status DetachAndRemoveTree(const std::string& directory) {
  const absl::Status removed = RemoveTree(directory);
  // Else nothing is mounted there, or it is something else.
  if (!absl::IsUnavailable(removed)) return removed;
  ASSIGN_OR_RETURN(const std::vector<std::string> points, MountPointsBelow(directory));
  // The last one is on top.
  for (auto point = points.rbegin(); point != points.rend(); ++point) {
    if (umount2(point->c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL &&
        errno != ENOENT) {
      return ErrnoStatus("unmount", *point);
    }
  }
  return RemoveTree(directory);
}

absl::StatusOr<UniqueFd> CloneTree(int fd, const TreeOptions& options, const std::string& object) {
  RETURN_IF_ERROR(CheckPropagation(fd, options.propagation, object));
  UniqueFd tree(
      open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE));
  if (!tree) return ErrnoStatus("open_tree", object);
  mount_attr everywhere{};
  if (!options.allow_devices) everywhere.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (options.recursive_read_only) everywhere.attr_set |= MOUNT_ATTR_RDONLY;
  everywhere.propagation = PropagationFlag(options.propagation);
  RETURN_IF_ERROR(SetAttributes(tree.get(), everywhere, true, object));
  if (options.read_only && !options.recursive_read_only) {
    mount_attr top{};
    top.attr_set = MOUNT_ATTR_RDONLY;
    RETURN_IF_ERROR(SetAttributes(tree.get(), top, false, object));
  }
  if (options.user_namespace >= 0) {
    RETURN_IF_ERROR(MapIds(tree.get(), options.user_namespace, object));
  }
  return tree;
}

}  // namespace cluster::node
