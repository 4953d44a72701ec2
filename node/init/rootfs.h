// Builds a container's file system in mount namespaces that nobody else sees and makes it "/".
// Freestanding. Nothing is mounted anywhere else, so there is nothing to take down: the mounts go
// with the namespace, the namespace with its last process.
//
// In two halves, as a user namespace lies between them: what only the node's root may make (the
// overlay of idmapped layers, binds of the host's paths, a /dev whose devices work) is made first,
// as mounts that are attached nowhere; what belongs to the container's own namespaces (/proc, /sys)
// is made in them, and there all is put together.
//
// The image is hostile. Its paths are only ever resolved in the second half, from the root's
// descriptor with openat2(2) and RESOLVE_IN_ROOT, mounts land on descriptors, and where the
// system's own directories (/proc, /sys, /dev) are symbolic links the start fails.
#pragma once

#include <sys/mount.h>

#include "node/init/launch.h"

namespace cluster::init {

struct RootfsInputs {
  const Launch* launch;
  // Detached tmpfs that the pod's containers share; -1 = what is at /dev/shm.
  int pod_shm;
  int user_namespace;  // of the pod, or -1
  // The process still lives in the mount namespace of the pod's cluster-init: it leaves that before
  // it attaches anything.
  bool shares_mounts;
  const int* volumes;  // detached mounts, those of the plan's kVolume steps in their order
  size_t volume_count;
  int channel;  // for Fail
};

// move_mount(2): one descriptor onto another.
constexpr unsigned kOnto = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

constexpr size_t kMaxLayers = 512;

struct NodeMounts {
  int root = -1;         // the overlay
  int* steps = nullptr;  // one per mount of the plan, -1 = made in the container's namespaces
  // Idmapped mounts of the layers, which the overlay needs no more. To close the last descriptor of
  // a mount that is attached nowhere waits for a grace period of RCU, each for its own.
  int* layers = nullptr;
  size_t layer_count = 0;
};

// First half (node_mounts.cc). Everything in `out` is detached. Fails with Fail().
void MakeNodeMounts(const RootfsInputs& inputs, NodeMounts* out);
void CloseLayers(const NodeMounts& mounts);

// Second half: the caller is in mount, pid, net and ipc namespaces of the container's, as their
// root. Returns with the working directory at the new "/", the old root gone. Fails with Fail().
void EnterRootfs(const RootfsInputs& inputs, const NodeMounts& made);

// A mount of the plan's, not attached anywhere yet; -1 and errno. `user_namespace` is for kMapIds.
int MakeMount(const MountStep& mount, const RootfsInputs& inputs);

// in_root.cc. Opens `path` for chdir(2) below the root directory `root`, making what is missing.
// -1 and errno.
int MakeDirectoryInRoot(int root, const char* path, uint64_t resolve);
// What a mount lands on, made when missing; O_PATH. -1 and errno.
int OpenMountTarget(int root, const MountStep& mount);

}  // namespace cluster::init
