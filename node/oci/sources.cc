#include "node/oci/sources.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/oci/namespaces.h"

namespace cluster::oci {
namespace {

constexpr unsigned kCloneTree = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

absl::Status SetAttributes(int tree, mount_attr attributes, unsigned flags,
                           const std::string& what) {
  if (::mount_setattr(tree, "", AT_EMPTY_PATH | flags, &attributes, sizeof attributes) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus("set the attributes of mount", what);
}

// How a copy of the host's mounts hears of later ones there: as the whole container does. A copy
// is born in the group of its original, which is what "shared" means.
absl::Status SetBasePropagation(const Linux& config, int tree, const std::string& what) {
  const uint64_t base = config.rootfs_propagation.value_or(MS_SLAVE | MS_REC);
  if ((base & MS_SHARED) != 0) return absl::OkStatus();
  mount_attr attributes{};
  attributes.propagation = base & ~uint64_t{MS_REC};
  // Nothing could be bound out of it before it is in place.
  if (attributes.propagation == MS_UNBINDABLE) attributes.propagation = MS_PRIVATE;
  return SetAttributes(tree, attributes, AT_RECURSIVE, what);
}

class Opener {
 public:
  explicit Opener(const Bundle& bundle) : bundle_(bundle), config_(bundle.config) {}

  absl::StatusOr<HostSources> Open() {
    HostSources sources;
    RETURN_IF_ERROR(OpenProc(&sources));
    ASSIGN_OR_RETURN(sources.root_path,
                     OpenAt(AT_FDCWD, bundle_.rootfs, O_PATH | O_DIRECTORY | O_NOFOLLOW));
    if (!config_.linux_.Has(CLONE_NEWNS)) return sources;
    RETURN_IF_ERROR(OpenRoot(&sources));
    ASSIGN_OR_RETURN(sources.null_device, OpenDevice("/dev/null", S_IFCHR, 1, 3));
    for (const Mount& mount : config_.mounts) {
      auto source = OpenMount(mount);
      if (!source.ok()) {
        return Annotate(source.status(), absl::StrCat("mounts of ", mount.destination));
      }
      sources.mounts.push_back(*std::move(source));
    }
    if (config_.linux_.Has(CLONE_NEWUSER)) RETURN_IF_ERROR(OpenDevices(&sources));
    return sources;
  }

 private:
  static absl::Status OpenProc(HostSources* sources) {
    ASSIGN_OR_RETURN(sources->proc, OpenAt(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
    struct statfs fs {};
    if (::fstatfs(sources->proc.get(), &fs) != 0) return ErrnoStatus("statfs", "/proc");
    if (fs.f_type == PROC_SUPER_MAGIC) return absl::OkStatus();
    return absl::FailedPreconditionError("/proc of this machine is no procfs");
  }

  absl::Status OpenRoot(HostSources* sources) {
    const std::string& path = bundle_.rootfs;
    sources->root.reset(::open_tree(AT_FDCWD, path.c_str(), kCloneTree | AT_RECURSIVE));
    if (!sources->root) return ErrnoStatus("clone the mounts of", path);
    const int tree = sources->root.get();
    RETURN_IF_ERROR(SetBasePropagation(config_.linux_, tree, path));
    // pivot_root(2) wants it so. What the container asks for comes after that.
    mount_attr attributes{};
    attributes.propagation = MS_PRIVATE;
    return SetAttributes(tree, attributes, 0, path);
  }

  static absl::StatusOr<UniqueFd> OpenDevice(const std::string& path, mode_t type, uint32_t major,
                                             uint32_t minor) {
    UniqueFd tree(::open_tree(AT_FDCWD, path.c_str(), kCloneTree | AT_SYMLINK_NOFOLLOW));
    if (!tree) return ErrnoStatus("open device", path);
    struct stat info {};
    if (::fstat(tree.get(), &info) != 0) return ErrnoStatus("stat", path);
    if ((info.st_mode & S_IFMT) == type && info.st_rdev == makedev(major, minor)) return tree;
    return absl::FailedPreconditionError(
        absl::StrCat(path, " of this machine is not the device ", major, ":", minor));
  }

  // Those that the bundle lists are made on a file system of the machine's own, as they belong to
  // whom it says; the usual ones are the machine's.
  absl::Status OpenDevices(HostSources* sources) {
    UniqueFd made;
    for (const Device& device : DevicesOf(config_)) {
      if (device.type == S_IFIFO) continue;
      const bool listed =
          std::any_of(config_.linux_.devices.begin(), config_.linux_.devices.end(),
                      [&device](const Device& one) { return one.path == device.path; });
      const bool made_here = listed && config_.linux_.HasNew(CLONE_NEWUSER);
      if (made_here) {
        if (!made) {
          ASSIGN_OR_RETURN(made, MakeDeviceFilesystem());
        }
        ASSIGN_OR_RETURN(UniqueFd tree, MakeDeviceFor(device, made.get()));
        if (tree) {
          sources->devices[device.path] = std::move(tree);
          continue;
        }
      }
      absl::StatusOr<UniqueFd> tree =
          OpenDevice(device.path, device.type, device.major, device.minor);
      if (!tree.ok() && made_here) {
        return Annotate(tree.status(),
                        "linux.devices: before Linux 6.15 a container with a user namespace of its "
                        "own gets only devices that the machine has itself");
      }
      if (!tree.ok()) return tree.status();
      sources->devices[device.path] = *std::move(tree);
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<UniqueFd> MakeDeviceFilesystem() {
    const UniqueFd fs(::fsopen("tmpfs", FSOPEN_CLOEXEC));
    if (!fs || ::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
      return ErrnoStatus("make", "a file system for devices");
    }
    UniqueFd made(::fsmount(fs.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
    if (!made) return ErrnoStatus("mount", "a file system for devices");
    return made;
  }

  // No descriptor where the kernel clones no mount that is attached nowhere (before 6.15).
  absl::StatusOr<UniqueFd> MakeDeviceFor(const Device& device, int directory) {
    const std::string name = absl::StrCat(++made_devices_);
    const auto uid = IdOutside(config_.linux_.uid_mappings, device.uid);
    const auto gid = IdOutside(config_.linux_.gid_mappings, device.gid);
    if (!uid.has_value() || !gid.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "linux.devices: ", device.path, ": its owner has no id outside of the container"));
    }
    if (::mknodat(directory, name.c_str(), device.type, makedev(device.major, device.minor)) != 0 ||
        ::fchmodat(directory, name.c_str(), device.mode, 0) != 0 ||
        ::fchownat(directory, name.c_str(), *uid, *gid, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoStatus("make device", device.path);
    }
    UniqueFd tree(::open_tree(directory, name.c_str(), kCloneTree));
    if (!tree && errno != EINVAL) return ErrnoStatus("open device", device.path);
    return tree;
  }

  static std::optional<uint32_t> IdOutside(const std::vector<IdMapping>& mappings, uint32_t id) {
    for (const IdMapping& mapping : mappings) {
      if (id < mapping.container || id - mapping.container >= mapping.size) continue;
      return mapping.host + (id - mapping.container);
    }
    return std::nullopt;
  }

  absl::StatusOr<MountSource> OpenMount(const Mount& mount) {
    MountSource source;
    ASSIGN_OR_RETURN(source.options, ParseMountOptions(mount));
    const MountOptions& options = source.options;
    if (!options.bind || options.remount) return source;
    const std::string path = absl::StartsWith(mount.source, "/")
                                 ? mount.source
                                 : absl::StrCat(bundle_.path, "/", mount.source);
    if (options.copy_symlink && ReadLink(path, &source.symlink)) return source;
    const unsigned flags = kCloneTree | (options.recursive ? AT_RECURSIVE : 0) |
                           (options.source_nofollow ? AT_SYMLINK_NOFOLLOW : 0);
    source.tree.reset(::open_tree(AT_FDCWD, path.c_str(), flags));
    if (!source.tree) return ErrnoStatus("open source", path);
    struct stat info {};
    if (::fstat(source.tree.get(), &info) != 0) return ErrnoStatus("stat", path);
    source.is_directory = S_ISDIR(info.st_mode);
    RETURN_IF_ERROR(Shape(mount, options, source.tree.get(), path));
    return source;
  }

  static bool ReadLink(const std::string& path, std::string* target) {
    char text[4096];
    const ssize_t size = ::readlink(path.c_str(), text, sizeof text);
    if (size <= 0 || size == sizeof text) return false;
    target->assign(text, static_cast<size_t>(size));
    return true;
  }

  absl::Status Shape(const Mount& mount, const MountOptions& options, int tree,
                     const std::string& path) {
    RETURN_IF_ERROR(SetBasePropagation(config_.linux_, tree, path));
    if (options.id_mapped || !mount.uid_mappings.empty()) {
      RETURN_IF_ERROR(MapIds(mount, options, tree, path));
    }
    if ((options.recursively_set | options.recursively_cleared) != 0) {
      mount_attr attributes{};
      attributes.attr_set = options.recursively_set;
      attributes.attr_clr = options.recursively_cleared;
      RETURN_IF_ERROR(SetAttributes(tree, attributes, AT_RECURSIVE, path));
    }
    if ((options.set | options.cleared) != 0) {
      mount_attr attributes{};
      attributes.attr_set = options.set;
      attributes.attr_clr = options.cleared;
      RETURN_IF_ERROR(SetAttributes(tree, attributes, 0, path));
    }
    for (const uint64_t propagation : options.propagation) {
      mount_attr attributes{};
      attributes.propagation = propagation & ~uint64_t{MS_REC};
      RETURN_IF_ERROR(
          SetAttributes(tree, attributes, (propagation & MS_REC) != 0 ? AT_RECURSIVE : 0, path));
    }
    return absl::OkStatus();
  }

  absl::Status MapIds(const Mount& mount, const MountOptions& options, int tree,
                      const std::string& path) {
    const bool own = !mount.uid_mappings.empty();
    const auto& uids = own ? mount.uid_mappings : config_.linux_.uid_mappings;
    const auto& gids = own ? mount.gid_mappings : config_.linux_.gid_mappings;
    if (uids.empty() || gids.empty()) {
      return absl::InvalidArgumentError(
          "idmap: there are no ids, neither of the mount nor of a new user namespace");
    }
    ASSIGN_OR_RETURN(const UniqueFd users, MakeUserNamespace(uids, gids));
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<uint64_t>(users.get());
    return SetAttributes(tree, attributes, options.id_mapped_recursively ? AT_RECURSIVE : 0, path);
  }

  const Bundle& bundle_;
  const Config& config_;
  int made_devices_ = 0;
};

}  // namespace

absl::Status AttachTree(int tree, int target, const std::string& path) {
  constexpr unsigned kOnto = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (::move_mount(tree, "", target, "", kOnto) == 0) return absl::OkStatus();
  return ErrnoStatus("mount on", path);
}

std::vector<Device> DevicesOf(const Config& config) {
  constexpr struct {
    const char* path;
    uint32_t major;
    uint32_t minor;
  } kDefaults[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
                   {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};
  std::vector<Device> devices = config.linux_.devices;
  for (const auto& known : kDefaults) {
    const bool given = std::any_of(devices.begin(), devices.end(),
                                   [&](const Device& device) { return device.path == known.path; });
    if (given) continue;
    Device device;
    device.path = known.path;
    device.type = S_IFCHR;
    device.major = known.major;
    device.minor = known.minor;
    devices.push_back(std::move(device));
  }
  return devices;
}

absl::StatusOr<HostSources> OpenSources(const Bundle& bundle) { return Opener(bundle).Open(); }

}  // namespace cluster::oci
