#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "node/init/child_report.h"
#include "node/init/rootfs.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

constexpr unsigned kClone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

// A descriptor for each layer and for what lies above them.
struct OverlayParts {
  int layers[kMaxLayers];
  int upper = -1;
  int work = -1;
};

class OverlayMaker {
 public:
  explicit OverlayMaker(const RootfsInputs& inputs)
      : inputs_(inputs), launch_(*inputs.launch), channel_(inputs.channel) {}

  // `kept` gets the layers that are not to be closed yet.
  int Make(NodeMounts* kept);

 private:
  int OpenLayer(const char* path) const;
  void Open(OverlayParts* parts) const;
  void Close(const OverlayParts& parts) const;
  void Keep(const OverlayParts& parts, NodeMounts* kept) const;
  int MountByDescriptors(const OverlayParts& parts) const;
  void AttachLayers(const OverlayParts& parts) const;
  int MountByNames(const OverlayParts& parts) const;
  void LeaveSharedMounts() const;

  const RootfsInputs& inputs_;
  const Launch& launch_;
  const int channel_;
};

// In a pod with a user namespace a layer is seen through an idmapped mount: its files belong to the
// pod's ids without any of them being touched. mount_setattr(2)
int OverlayMaker::OpenLayer(const char* path) const {
  if (inputs_.user_namespace < 0) return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int tree = open_tree(AT_FDCWD, path, kClone);
  if (tree < 0) return -1;
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV;
  attributes.propagation = MS_PRIVATE;
  attributes.userns_fd = static_cast<uint64_t>(inputs_.user_namespace);
  if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
    Fail(channel_,
         "map the ids (its file system, or a kernel before 5.19, cannot; use hostUsers) of", path,
         errno);
  }
  return tree;
}

void OverlayMaker::Open(OverlayParts* parts) const {
  for (size_t i = 0; i < launch_.layers.count; ++i) {
    parts->layers[i] = OpenLayer(launch_.layers.items[i]);
    if (parts->layers[i] < 0) Fail(channel_, "open image layer", launch_.layers.items[i], errno);
  }
  // By path, not by a descriptor from cluster-init: that one may belong to the mounts of the
  // namespace that this one was copied from, and overlayfs takes only what is mounted here.
  const int instance = open(launch_.instance_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (instance < 0) Fail(channel_, "open", launch_.instance_path, errno);
  parts->upper = openat(instance, "upper", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (parts->upper < 0) Fail(channel_, "open", "upper", errno);
  parts->work = openat(instance, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (parts->work < 0) Fail(channel_, "open", "work", errno);
  close(instance);
}

void OverlayMaker::Close(const OverlayParts& parts) const {
  for (size_t i = 0; i < launch_.layers.count; ++i) close(parts.layers[i]);
  close(parts.upper);
  close(parts.work);
}

void OverlayMaker::Keep(const OverlayParts& parts, NodeMounts* kept) const {
  const size_t count = launch_.layers.count;
  kept->layers = static_cast<int*>(malloc(count * sizeof(int)));
  if (kept->layers == nullptr) return Close(parts);
  memcpy(kept->layers, parts.layers, count * sizeof(int));
  kept->layer_count = count;
  close(parts.upper);
  close(parts.work);
}

// No length limit, no escaping, no path looked up twice. -1 when this kernel's overlayfs takes
// strings only (before 6.13), or only layers that are mounted in its own namespace (before 6.15).
int OverlayMaker::MountByDescriptors(const OverlayParts& parts) const {
  const int fs = fsopen("overlay", FSOPEN_CLOEXEC);
  if (fs < 0) Fail(channel_, "fsopen", "overlay", errno);
  for (size_t i = launch_.layers.count; i > 0; --i) {
    if (fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", nullptr, parts.layers[i - 1]) == 0) continue;
    // Before 6.5 overlayfs is configured by strings alone, and says EOPNOTSUPP.
    if (errno != EINVAL && errno != EOPNOTSUPP) {
      Fail(channel_, "add layer", launch_.layers.items[i - 1], errno);
    }
    close(fs);
    return -1;
  }
  // volatile: no sync of the disk when the container ends; a fresh upper directory per instance is
  // never mounted twice, which is all that "volatile" asks.
  if (fsconfig(fs, FSCONFIG_SET_FD, "upperdir", nullptr, parts.upper) != 0 ||
      fsconfig(fs, FSCONFIG_SET_FD, "workdir", nullptr, parts.work) != 0 ||
      fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0) != 0 ||
      fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", nullptr, 0) != 0) {
    Fail(channel_, "configure", "overlay", errno);
  }
  int root = -1;
  if (fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
    root = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
    if (root < 0) Fail(channel_, "fsmount", "overlay", errno);
  } else if (errno != EINVAL || inputs_.user_namespace < 0) {
    Fail(channel_, "make overlay of", launch_.layers.items[launch_.layers.count - 1], errno);
  }
  close(fs);
  return root;
}

// Nothing that is attached from here on travels back to the node through a shared mount.
void OverlayMaker::LeaveSharedMounts() const {
  if (inputs_.shares_mounts && unshare(CLONE_NEWNS) != 0) {
    Fail(channel_, "unshare", "mount namespace", errno);
  }
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    Fail(channel_, "make private", "/", errno);
  }
}

// Each onto the directory that it shows.
void OverlayMaker::AttachLayers(const OverlayParts& parts) const {
  for (size_t i = 0; i < launch_.layers.count && inputs_.user_namespace >= 0; ++i) {
    const char* path = launch_.layers.items[i];
    const int target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0 || move_mount(parts.layers[i], "", target, "", kOnto) != 0) {
      Fail(channel_, "attach image layer", path, errno);
    }
    close(target);
  }
}

// mount(2) takes a page of options: descriptors named through /proc keep each layer at 20 bytes,
// and free of ':' and ','.
int OverlayMaker::MountByNames(const OverlayParts& parts) const {
  TextBuffer<4096> options;
  options.Add("volatile,lowerdir=");
  for (size_t i = launch_.layers.count; i > 0; --i) {
    options.Add("/proc/self/fd/").AddNumber(parts.layers[i - 1]).Add(i > 1 ? ":" : "");
  }
  options.Add(",upperdir=/proc/self/fd/").AddNumber(parts.upper);
  options.Add(",workdir=/proc/self/fd/").AddNumber(parts.work);
  if (options.size() >= 4095)
    Fail(channel_, "mount overlay: too many layers for this kernel", "", 0);
  if (mount("overlay", launch_.instance_path, "overlay", MS_NODEV, options.c_str()) != 0) {
    Fail(channel_, "mount overlay with", options.c_str(), errno);
  }
  const int root = open_tree(AT_FDCWD, launch_.instance_path, kClone);
  if (root < 0) Fail(channel_, "open", launch_.instance_path, errno);
  // The clone stays; what lies in the directory (the termination message's file) is wanted next.
  if (umount2(launch_.instance_path, MNT_DETACH) != 0) {
    Fail(channel_, "detach", launch_.instance_path, errno);
  }
  return root;
}

int OverlayMaker::Make(NodeMounts* kept) {
  if (launch_.layers.count == 0 || launch_.layers.count > kMaxLayers) {
    Fail(channel_, "the image has no layer, or more than 512", "", 0);
  }
  OverlayParts parts;
  int root = -1;
  if ((launch_.flags & kLegacyOverlay) == 0) {
    Open(&parts);
    root = MountByDescriptors(parts);
    if (root >= 0 && inputs_.user_namespace >= 0) {
      Keep(parts, kept);
    } else {
      Close(parts);
    }
  }
  if (root >= 0) return root;
  LeaveSharedMounts();
  Open(&parts);
  AttachLayers(parts);
  root = MountByNames(parts);
  Close(parts);
  return root;
}

void PopulateDev(int dev, const Launch& launch, int channel) {
  struct stat root {};
  if (fstat(dev, &root) != 0) Fail(channel, "stat", "/dev", errno);
  for (size_t i = 0; i < launch.device_count; ++i) {
    const DeviceStep& device = launch.devices[i];
    const mode_t kind = (device.mode & S_IFMT) == 0 ? S_IFCHR : 0;
    for (const char* slash = strchr(device.name, '/'); slash != nullptr;
         slash = strchr(slash + 1, '/')) {
      TextBuffer<256> directory;
      directory.Add(device.name, static_cast<size_t>(slash - device.name));
      if (mkdirat(dev, directory.c_str(), 0755) != 0 && errno != EEXIST) {
        Fail(channel, "make directory /dev/", directory.c_str(), errno);
      }
    }
    if (mknodat(dev, device.name, kind | device.mode, makedev(device.major, device.minor)) != 0 ||
        fchownat(dev, device.name, root.st_uid, root.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
      Fail(channel, "make device", device.name, errno);
    }
  }
  for (size_t i = 0; i < launch.link_count; ++i) {
    if (symlinkat(launch.links[i].target, dev, launch.links[i].name) != 0) {
      Fail(channel, "make link /dev/", launch.links[i].name, errno);
    }
  }
}

int MakeFilesystem(const MountStep& mount, int channel) {
  const int fs = fsopen(mount.source, FSOPEN_CLOEXEC);
  if (fs < 0) return -1;
  for (size_t i = 0; i < mount.option_count; ++i) {
    const MountOption& option = mount.options[i];
    const bool flag = option.value[0] == 0;
    if (fsconfig(fs, flag ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, option.key,
                 flag ? nullptr : option.value, 0) != 0) {
      Fail(channel, option.key, mount.target, errno);
    }
  }
  if (fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return -1;
  const int made = fsmount(fs, FSMOUNT_CLOEXEC, static_cast<unsigned>(mount.attributes));
  close(fs);
  return made;
}

}  // namespace

int MakeMount(const MountStep& mount, const RootfsInputs& inputs) {
  if (mount.kind == MountKind::kFilesystem) return MakeFilesystem(mount, inputs.channel);
  int tree = -1;
  if (mount.kind == MountKind::kPodShm) {
    tree = inputs.pod_shm >= 0 ? open_tree(inputs.pod_shm, "", kClone | AT_EMPTY_PATH)
                               : open_tree(AT_FDCWD, "/dev/shm", kClone);
  } else {
    // The host's path is ours (a file of the pod's directory), opened before anything of the image
    // is.
    tree = open_tree(AT_FDCWD, mount.source, kClone);
  }
  if (tree < 0) return -1;
  mount_attr attributes{};
  attributes.attr_set = mount.attributes;
  attributes.propagation = MS_PRIVATE;
  if ((mount.flags & kMapIds) != 0 && inputs.user_namespace >= 0) {
    attributes.attr_set |= MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<uint64_t>(inputs.user_namespace);
  }
  if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) return -1;
  return tree;
}

void CloseLayers(const NodeMounts& mounts) {
  for (size_t i = 0; i < mounts.layer_count; ++i) close(mounts.layers[i]);
}

void MakeNodeMounts(const RootfsInputs& inputs, NodeMounts* out) {
  const Launch& launch = *inputs.launch;
  out->root = OverlayMaker(inputs).Make(out);
  out->steps = static_cast<int*>(calloc(launch.mount_count + 1, sizeof(int)));
  if (out->steps == nullptr) Fail(inputs.channel, "allocate", "mounts", ENOMEM);
  size_t volumes = 0;
  for (size_t i = 0; i < launch.mount_count; ++i) {
    const MountStep& mount = launch.mounts[i];
    out->steps[i] = -1;
    if (mount.kind == MountKind::kVolume) {
      // Finished by the agent: source, attributes and all.
      if (volumes < inputs.volume_count) out->steps[i] = inputs.volumes[volumes];
      ++volumes;
      continue;
    }
    if (mount.kind == MountKind::kFilesystem && (mount.flags & kMadeByNode) == 0) continue;
    out->steps[i] = MakeMount(mount, inputs);
    if (out->steps[i] < 0) Fail(inputs.channel, mount.source, mount.target, errno);
    if (mount.flags & kPopulateDev) PopulateDev(out->steps[i], launch, inputs.channel);
  }
  if (volumes != inputs.volume_count) {
    Fail(inputs.channel, "the plan's volumes did not come along", "", 0);
  }
}

}  // namespace cluster::init
