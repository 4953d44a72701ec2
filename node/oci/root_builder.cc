#include "node/oci/root_builder.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/mountinfo.h"
#include "base/status.h"
#include "node/init/sys.h"
#include "node/oci/cgroup_mount.h"
#include "node/oci/copy_tree.h"
#include "node/oci/paths.h"

namespace cluster::oci {
namespace {

constexpr unsigned kCloneFd = AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

// What may be covered below /proc: files that say what the machine is like, and tell nothing of
// processes.
constexpr const char* kCoverable[] = {"/proc/cpuinfo",
                                      "/proc/diskstats",
                                      "/proc/meminfo",
                                      "/proc/stat",
                                      "/proc/swaps",
                                      "/proc/uptime",
                                      "/proc/loadavg",
                                      "/proc/slabinfo",
                                      "/proc/net/dev",
                                      "/proc/sys/kernel/ns_last_pid",
                                      "/proc/sys/crypto/fips_enabled"};

// The system's own: a link in their place would send what is mounted there elsewhere.
bool IsSystemPath(const std::string& path) {
  for (const char* system : {"/proc", "/sys", "/dev"}) {
    if (path == system || absl::StartsWith(path, absl::StrCat(system, "/"))) return true;
  }
  return false;
}

bool IsProc(int fd) {
  struct statfs fs {};
  return ::fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

absl::Status SetAttributes(int tree, uint64_t set, uint64_t cleared, unsigned flags,
                           const std::string& path) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = cleared;
  if (::mount_setattr(tree, "", AT_EMPTY_PATH | flags, &attributes, sizeof attributes) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus("set the attributes of", path);
}

absl::Status SetPropagation(int tree, uint64_t propagation, const std::string& path) {
  mount_attr attributes{};
  attributes.propagation = propagation & ~uint64_t{MS_REC};
  const unsigned flags = (propagation & MS_REC) != 0 ? AT_RECURSIVE : 0;
  if (::mount_setattr(tree, "", AT_EMPTY_PATH | flags, &attributes, sizeof attributes) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus("set the propagation of", path);
}

// The kernel's own words for why, if it said any. fsopen(2)
std::string ReadComplaint(int fs) {
  char text[512];
  const ssize_t got = ::read(fs, text, sizeof text);
  if (got < 3) return "";
  return absl::StrCat(" (", absl::string_view(text + 2, static_cast<size_t>(got) - 2), ")");
}

}  // namespace

absl::Status RootBuilder::Build() {
  // On top of the old root, which is the one place that can be reached whoever owns it. Its mounts
  // hear of the host's, never the other way.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return ErrnoStatus("make slave", "/");
  }
  if (::move_mount(root_, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return ErrnoStatus("attach", "the root file system");
  }
  for (size_t i = 0; i < config_.mounts.size(); ++i) {
    const absl::Status made = MakeMount(config_.mounts[i], &inputs_.sources->mounts[i]);
    if (!made.ok()) {
      return Annotate(made, absl::StrCat("mounts of ", config_.mounts[i].destination));
    }
  }
  if (MakesOwnDevices()) {
    RETURN_IF_ERROR(MakeDevices());
    RETURN_IF_ERROR(MakeLinks());
  }
  // While a root that will be read-only can be written to. Whoever starts there hears why he can't.
  (void)MakeDirectoryIn(root_, config_.process->cwd, Links::kFollow);
  return absl::OkStatus();
}

absl::Status RootBuilder::MakeMount(const Mount& mount, MountSource* source) {
  const std::string path = CleanPath(mount.destination);
  const MountOptions& options = source->options;
  if (options.remount) return Remount(path, mount, options);
  if (!source->symlink.empty()) return MakeSymlink(path, source->symlink);
  if (!options.bind && (mount.type == "cgroup" || mount.type == "cgroup2")) {
    RETURN_IF_ERROR(inputs_.enter_cgroups());
    return MountCgroups({&config_, inputs_.layout, inputs_.cgroup, root_, path, options.set});
  }
  UniqueFd made;
  if (options.bind) {
    made = std::move(source->tree);
  } else {
    ASSIGN_OR_RETURN(made, MakeFilesystem(mount, options));
  }
  ASSIGN_OR_RETURN(const UniqueFd target, OpenTarget(path, mount, *source));
  RETURN_IF_ERROR(CheckProc(path, target.get(), made.get()));
  if (options.copy_up) RETURN_IF_ERROR(CopyTree(target.get(), made.get()));
  RETURN_IF_ERROR(AttachTree(made.get(), target.get(), path));
  if (options.bind) return absl::OkStatus();
  for (const uint64_t propagation : options.propagation) {
    RETURN_IF_ERROR(SetPropagation(made.get(), propagation, path));
  }
  const uint64_t recursive = options.recursively_set | options.recursively_cleared;
  if (recursive != 0) {
    RETURN_IF_ERROR(SetAttributes(made.get(), options.recursively_set, options.recursively_cleared,
                                  AT_RECURSIVE, path));
  }
  // Later mounts may need their mount points made in it.
  if (mount.type == "tmpfs" && (options.set & MOUNT_ATTR_RDONLY) != 0) {
    read_only_at_last_.push_back(std::move(made));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> RootBuilder::MakeFilesystem(const Mount& mount,
                                                     const MountOptions& options) {
  auto made = ConfigureFilesystem(mount, options);
  // A user namespace without a network namespace of its own may not have a sysfs.
  if (made.ok() || mount.type != "sysfs" || !absl::IsPermissionDenied(made.status())) return made;
  UniqueFd tree(::open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!tree) return made.status();
  RETURN_IF_ERROR(SetPropagation(tree.get(), MS_SLAVE | MS_REC, "/sys"));
  RETURN_IF_ERROR(SetAttributes(tree.get(), options.set, 0, AT_RECURSIVE, "/sys"));
  return tree;
}

absl::StatusOr<UniqueFd> RootBuilder::ConfigureFilesystem(const Mount& mount,
                                                          const MountOptions& options) {
  const std::string& type = mount.type;
  const UniqueFd fs(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
  if (!fs) return ErrnoStatus("make a file system of type", type);
  const std::string source = mount.source.empty() ? type : mount.source;
  if (::fsconfig(fs.get(), FSCONFIG_SET_STRING, "source", source.c_str(), 0) != 0) {
    return ErrnoStatus("set the source of", type);
  }
  for (const auto& [name, value] : options.data) {
    const bool word = value.empty();
    if (::fsconfig(fs.get(), word ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, name.c_str(),
                   word ? nullptr : value.c_str(), 0) != 0) {
      const absl::Status refused = ErrnoStatus("set option", name);
      return Annotate(refused, absl::StrCat(type, ReadComplaint(fs.get())));
    }
  }
  const bool read_only = (options.set & MOUNT_ATTR_RDONLY) != 0;
  // What lives on a device may be unwritable.
  if (read_only && absl::StartsWith(mount.source, "/dev/")) {
    ::fsconfig(fs.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0);
  }
  if (::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    const absl::Status refused = ErrnoStatus("make a file system of type", type);
    return absl::Status(refused.code(), absl::StrCat(refused.message(), ReadComplaint(fs.get())));
  }
  uint64_t attributes = options.set;
  if (type == "tmpfs") attributes &= ~uint64_t{MOUNT_ATTR_RDONLY};
  UniqueFd made(::fsmount(fs.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes)));
  if (!made) return ErrnoStatus("mount a file system of type", type);
  return made;
}

absl::StatusOr<UniqueFd> RootBuilder::OpenTarget(const std::string& path, const Mount& mount,
                                                 const MountSource& source) {
  const bool exact = source.options.destination_nofollow || mount.type == "proc" ||
                     mount.type == "sysfs" || path == "/dev";
  const Links links = exact || IsSystemPath(path) ? Links::kRefuse : Links::kFollow;
  if (!source.options.bind || source.is_directory) return MakeDirectoryIn(root_, path, links);
  return MakeFileIn(root_, path, links);
}

// A hostile image or config could otherwise put files of its own where the runtime, or programs in
// the container, believe the kernel speaks.
absl::Status RootBuilder::CheckProc(const std::string& path, int target, int tree) const {
  if (path == "/proc") {
    if (IsProc(tree)) return absl::OkStatus();
    return absl::InvalidArgumentError("only a procfs can be mounted on /proc");
  }
  if (!IsProc(target)) return absl::OkStatus();
  for (const char* coverable : kCoverable) {
    if (path == coverable) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(path, " lies in /proc and cannot be covered"));
}

absl::Status RootBuilder::Remount(const std::string& path, const Mount& mount,
                                  const MountOptions& options) {
  ASSIGN_OR_RETURN(const UniqueFd target, OpenInRoot(root_, path, Links::kRefuse));
  RETURN_IF_ERROR(SetAttributes(target.get(), options.set, options.cleared,
                                options.recursive ? AT_RECURSIVE : 0, path));
  for (const uint64_t propagation : options.propagation) {
    RETURN_IF_ERROR(SetPropagation(target.get(), propagation, path));
  }
  if (options.bind || options.data.empty()) return absl::OkStatus();
  const UniqueFd fs(::fspick(target.get(), "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
  if (!fs) return ErrnoStatus("remount", mount.destination);
  for (const auto& [name, value] : options.data) {
    const bool word = value.empty();
    if (::fsconfig(fs.get(), word ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, name.c_str(),
                   word ? nullptr : value.c_str(), 0) != 0) {
      return ErrnoStatus("set option", name);
    }
  }
  if (::fsconfig(fs.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus("remount", mount.destination);
}

absl::Status RootBuilder::MakeSymlink(const std::string& path, const std::string& target) {
  ASSIGN_OR_RETURN(const UniqueFd parent, MakeDirectoryIn(root_, ParentOf(path), Links::kFollow));
  if (::symlinkat(target.c_str(), parent.get(), BaseOf(path).c_str()) == 0 || errno == EEXIST) {
    return absl::OkStatus();
  }
  return ErrnoStatus("make link", path);
}

// pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one and is taken
// away.
// With a chroot alone the machine's mounts stay, if out of reach. But as long as a whole procfs or
// sysfs is among them, the kernel lets a container mount another with nothing masked in it
// (mount_too_revealing() in fs/namespace.c).
absl::Status RootBuilder::HideSystemMounts() const {
  ASSIGN_OR_RETURN(const std::string mounts,
                   ReadFileAt(inputs_.sources->proc.get(), "self/mountinfo"));
  std::vector<absl::string_view> lines = absl::StrSplit(mounts, '\n', absl::SkipEmpty());
  // What lies upon others first.
  std::reverse(lines.begin(), lines.end());
  for (const absl::string_view line : lines) {
    const std::vector<absl::string_view> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    const std::vector<absl::string_view> words = absl::StrSplit(halves[0], ' ');
    const bool system = halves.size() == 2 && (absl::StartsWith(halves[1], "proc ") ||
                                               absl::StartsWith(halves[1], "sysfs "));
    if (!system || words.size() < 5) continue;
    // Looked up from the old root: the container's own are not found here.
    const std::string path = UnescapeMountInfo(words[4]);
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
    struct statfs fs {};
    if (::statfs(path.c_str(), &fs) != 0 ||
        (fs.f_type != PROC_SUPER_MAGIC && fs.f_type != SYSFS_MAGIC)) {
      continue;
    }
    // A user namespace may not take it away.
    if (::mount("tmpfs", path.c_str(), "tmpfs", MS_RDONLY, nullptr) != 0) {
      return ErrnoStatus("hide the machine's", path);
    }
  }
  return absl::OkStatus();
}

absl::Status RootBuilder::Enter() {
  if (inputs_.no_pivot) RETURN_IF_ERROR(HideSystemMounts());
  if (::fchdir(root_) != 0) return ErrnoStatus("fchdir", "the root file system");
  if (inputs_.no_pivot) {
    if (::chroot(".") != 0) return ErrnoStatus("chroot", "the root file system");
  } else {
    if (init::PivotRoot(".", ".") != 0) return ErrnoStatus("pivot_root", "the root file system");
    if (::umount2(".", MNT_DETACH) != 0) return ErrnoStatus("detach", "the old root");
  }
  if (::chdir("/") != 0) return ErrnoStatus("chdir", "/");
  if (!config_.linux_.rootfs_propagation) return absl::OkStatus();
  return SetPropagation(root_, *config_.linux_.rootfs_propagation, "/");
}

absl::Status RootBuilder::Protect() {
  for (const UniqueFd& tree : read_only_at_last_) {
    RETURN_IF_ERROR(SetAttributes(tree.get(), MOUNT_ATTR_RDONLY, 0, 0, "a read-only tmpfs"));
  }
  for (const std::string& path : config_.linux_.readonly_paths) RETURN_IF_ERROR(ProtectPath(path));
  for (const std::string& path : config_.linux_.masked_paths) RETURN_IF_ERROR(MaskPath(path));
  if (!config_.root_readonly) return absl::OkStatus();
  return SetAttributes(root_, MOUNT_ATTR_RDONLY, 0, 0, "/");
}

absl::Status RootBuilder::ProtectPath(const std::string& path) {
  auto target = OpenInRoot(root_, path, Links::kRefuse);
  if (absl::IsNotFound(target.status())) return absl::OkStatus();
  RETURN_IF_ERROR(target.status());
  const UniqueFd tree(::open_tree(target->get(), "", kCloneFd | AT_RECURSIVE));
  if (!tree) return ErrnoStatus("make read-only", path);
  RETURN_IF_ERROR(SetAttributes(tree.get(), MOUNT_ATTR_RDONLY, 0, 0, path));
  return AttachTree(tree.get(), target->get(), path);
}

// Files are covered with the machine's null device, which was verified, directories with an empty
// read-only tmpfs.
absl::Status RootBuilder::MaskPath(const std::string& path) {
  auto target = OpenInRoot(root_, path, Links::kRefuse);
  if (absl::IsNotFound(target.status())) return absl::OkStatus();
  RETURN_IF_ERROR(target.status());
  struct stat info {};
  if (::fstat(target->get(), &info) != 0) return ErrnoStatus("stat", path);
  if (S_ISDIR(info.st_mode) && !empty_) {
    Mount empty;
    empty.type = "tmpfs";
    MountOptions options;
    options.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    ASSIGN_OR_RETURN(empty_, ConfigureFilesystem(empty, options));
    RETURN_IF_ERROR(SetAttributes(empty_.get(), MOUNT_ATTR_RDONLY, 0, 0, path));
    return AttachTree(empty_.get(), target->get(), path);
  }
  const int cover = S_ISDIR(info.st_mode) ? empty_.get() : inputs_.sources->null_device.get();
  // Older kernels copy only what is mounted somewhere.
  if (!S_ISDIR(info.st_mode) && !null_is_mounted_) {
    null_is_mounted_ = true;
    return AttachTree(cover, target->get(), path);
  }
  const UniqueFd tree(::open_tree(cover, "", kCloneFd));
  if (!tree) return ErrnoStatus("mask", path);
  return AttachTree(tree.get(), target->get(), path);
}

}  // namespace cluster::oci
