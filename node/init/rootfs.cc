#include "node/init/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "node/init/child_report.h"
#include "node/init/sys.h"

namespace cluster::init {
namespace {

constexpr unsigned kCloneFd = AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
constexpr uint64_t kNoLinks = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;

uint64_t MountIdOf(int fd) {
  struct statx info {};
  if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &info) != 0) return 0;
  return info.stx_mnt_id;
}

class Rootfs {
 public:
  Rootfs(const RootfsInputs& inputs, const NodeMounts& made)
      : inputs_(inputs), made_(made), launch_(*inputs.launch), channel_(inputs.channel) {}

  void Enter();

 private:
  void Mount(const MountStep& mount, int made);
  void CheckHidesNothing(const MountStep& mount, int target);
  void ProtectPaths();
  void MaskPaths();
  int MakeEmptyDirectory(const char* target) const;
  void Pivot();

  const RootfsInputs& inputs_;
  const NodeMounts& made_;
  const Launch& launch_;
  const int channel_;
  int null_device_ = -1;        // O_PATH, from the /dev that was just made
  uint64_t system_mounts_[16];  // ids of what a volume may not land on; the first is /proc
  size_t system_count_ = 0;
};

// A link of the image's, or one that a container put into a shared volume a moment ago, may have
// led anywhere inside of the root: where it ended counts.
void Rootfs::CheckHidesNothing(const MountStep& mount, int target) {
  const uint64_t id = MountIdOf(target);
  if (id == 0) Fail(channel_, "look at the mount point", mount.target, errno);
  const size_t forbidden = (mount.flags & kMayHideSystem) != 0 ? 1 : system_count_;
  for (size_t i = 0; i < forbidden; ++i) {
    if (system_mounts_[i] != id) continue;
    Fail(channel_,
         "a volume would hide /proc, /sys or /dev: the mount path leads there:", mount.target, 0);
  }
}

void Rootfs::Mount(const MountStep& mount, int made) {
  if (made < 0) made = MakeMount(mount, inputs_);
  if (made < 0) Fail(channel_, mount.source, mount.target, errno);
  const int target = OpenMountTarget(made_.root, mount);
  if (target < 0 && (mount.flags & kOnlyWhereFound) != 0) {
    close(made);
    return;
  }
  if (target < 0) {
    const bool link = errno == ELOOP || errno == ENOTDIR;
    Fail(channel_, link ? "the image has something else where a directory must be:" : "mount point",
         mount.target, errno);
  }
  if (mount.kind == MountKind::kVolume) CheckHidesNothing(mount, target);
  if (move_mount(made, "", target, "", kOnto) != 0) Fail(channel_, "mount on", mount.target, errno);
  close(target);
  if (mount.kind == MountKind::kFilesystem && strcmp(mount.target, "/dev/shm") != 0 &&
      system_count_ < sizeof system_mounts_ / sizeof system_mounts_[0]) {
    system_mounts_[system_count_++] = MountIdOf(made);
  }
  if (mount.flags & kPopulateDev) {
    null_device_ = openat(made, "null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
  }
  close(made);
}

void Rootfs::ProtectPaths() {
  for (size_t i = 0; i < launch_.read_only.count; ++i) {
    const char* path = launch_.read_only.items[i];
    const int target = OpenAt2(made_.root, path, O_PATH, kNoLinks);
    if (target < 0 && errno == ENOENT) continue;
    if (target < 0) Fail(channel_, "open", path, errno);
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    const int tree = open_tree(target, "", kCloneFd);
    if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0 ||
        move_mount(tree, "", target, "", kOnto) != 0) {
      Fail(channel_, "make read-only", path, errno);
    }
    close(tree);
    close(target);
  }
}

int Rootfs::MakeEmptyDirectory(const char* target) const {
  MountStep step;
  step.source = "tmpfs";
  step.target = target;
  step.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  return MakeMount(step, inputs_);
}

// Files are covered with the null device that was made a moment ago in a tmpfs nobody else has
// seen, directories with an empty read-only tmpfs.
void Rootfs::MaskPaths() {
  struct stat null {};
  if (launch_.masked.count == 0) return;
  if (null_device_ < 0 || fstat(null_device_, &null) != 0 || !S_ISCHR(null.st_mode) ||
      null.st_rdev != makedev(1, 3)) {
    Fail(channel_, "the mask is not the null device:", "/dev/null", 0);
  }
  int empty = -1;
  for (size_t i = 0; i < launch_.masked.count; ++i) {
    const char* path = launch_.masked.items[i];
    const int target = OpenAt2(made_.root, path, O_PATH, kNoLinks);
    if (target < 0 && errno == ENOENT) continue;
    struct stat info {};
    if (target < 0 || fstat(target, &info) != 0) Fail(channel_, "open", path, errno);
    int cover = -1;
    if (S_ISDIR(info.st_mode) && empty < 0) {
      cover = empty = MakeEmptyDirectory(path);
    } else {
      cover = open_tree(S_ISDIR(info.st_mode) ? empty : null_device_, "", kCloneFd);
    }
    if (cover < 0 || move_mount(cover, "", target, "", kOnto) != 0)
      Fail(channel_, "mask", path, errno);
    if (cover != empty) close(cover);
    close(target);
  }
}

// pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one and is taken
// away.
void Rootfs::Pivot() {
  if (fchdir(made_.root) != 0) Fail(channel_, "fchdir", "rootfs", errno);
  if (PivotRoot(".", ".") != 0) Fail(channel_, "pivot_root", "rootfs", errno);
  if (umount2(".", MNT_DETACH) != 0) Fail(channel_, "detach", "the old root", errno);
  if (chdir("/") != 0) Fail(channel_, "chdir", "/", errno);
}

void Rootfs::Enter() {
  // Nothing that happens here may travel back to the host through a shared mount.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    Fail(channel_, "make private", "/", errno);
  }
  // On top of the old root, which is the one place that can be reached whoever owns it.
  if (move_mount(made_.root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    Fail(channel_, "attach", "overlay", errno);
  }
  for (size_t i = 0; i < launch_.mount_count; ++i) Mount(launch_.mounts[i], made_.steps[i]);
  ProtectPaths();
  MaskPaths();
  if (launch_.flags & kReadOnlyRoot) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY;
    if (mount_setattr(made_.root, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
      Fail(channel_, "make read-only", "/", errno);
    }
  }
  Pivot();
}

}  // namespace

void EnterRootfs(const RootfsInputs& inputs, const NodeMounts& made) {
  Rootfs(inputs, made).Enter();
}

}  // namespace cluster::init
