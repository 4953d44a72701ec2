// The volumes of one pod on the node: made when they are first asked for, and what a container sees
// of them as mounts that are attached nowhere yet.
//
//   POD/volumes/NAME     kDisk; goes with the pod's directory
//   CLAIMS/NAME          kClaim; goes when the controller says so
//   cluster-init         keeps the tmpfs of kMemory volumes ("volume.NAME") and of all kFiles
//                        volumes of the pod ("files"), so that nothing is mounted on the node, no
//                        secret can reach a disk, and nothing is left when the pod's processes end
//
// Everything is found again by an agent that starts anew, and made only where it is missing.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/volume/sub_path.h"
#include "node/volume/volume.h"

namespace cluster::node {

struct VolumePlace {
  std::string pod_directory;    // the pod's on the disk; exists
  std::string claim_directory;  // of the node; exists
  // Where tmpfs are attached on kernels that cannot copy detached mounts (before 6.15), each on a
  // directory of its own; the pod's end takes them off (DetachIn).
  std::string attach_directory;
  bool always_attach = false;  // for tests of that
  PathOwner root;              // the pod's root, as ids of the node
  uint32_t id_count = 0;       // ids of the pod's own from there on; 0 = those of the node
  UniqueFd user_namespace;     // the pod's, or none
  // Of the pod's cluster-init: NotFound, and AlreadyExists.
  std::function<absl::StatusOr<UniqueFd>(const std::string& name)> fetch;
  std::function<absl::Status(const std::string& name, int fd)> keep;
};

// What a container sees of a volume.
struct BoundVolume {
  UniqueFd tree;  // a detached mount
  bool is_file = false;
};

// One verb at a time per pod. FailedPrecondition: something that must be there is not, or is
// something else; the message names the volume.
class VolumeStore {
 public:
  explicit VolumeStore(VolumePlace place) : place_(std::move(place)) {}

  // Makes what is missing of the volume, and brings files up to date.
  absl::Status Make(const VolumeSpec& volume) const;
  // `volume` is the one that the bind names, or nullptr. `privileged`: devices work.
  absl::StatusOr<BoundVolume> Bind(const VolumeBind& bind, const VolumeSpec* volume,
                                   bool privileged) const;

 private:
  // The volume's top.
  absl::StatusOr<UniqueFd> Open(const VolumeSpec& volume) const;
  absl::StatusOr<UniqueFd> OpenDisk(const VolumeSpec& volume) const;
  absl::StatusOr<UniqueFd> OpenMemory(const VolumeSpec& volume) const;
  absl::StatusOr<UniqueFd> OpenFiles(const VolumeSpec& volume) const;
  absl::StatusOr<UniqueFd> OpenClaim(const VolumeSpec& volume) const;
  absl::StatusOr<UniqueFd> FetchTmpfs(const std::string& name, int64_t size, uint32_t mode,
                                      const PathOwner& owner) const;
  absl::StatusOr<UniqueFd> OpenTop(const VolumeBind& bind, const VolumeSpec* volume) const;
  absl::StatusOr<PathOwner> OwnerOf(const VolumeSpec& volume) const;

  VolumePlace place_;
};

}  // namespace cluster::node
