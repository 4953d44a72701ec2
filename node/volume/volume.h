// Volumes as the runtime is asked for them: what a pod brings along, and what a container of it
// sees.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cluster::node {

enum class MountPropagation { kPrivate, kHostToContainer, kBidirectional };

// A file of a volume whose content comes from objects of the cluster.
struct VolumeFile {
  std::string path;  // relative, without ".."
  std::string content;
  uint32_t mode = 0644;
  friend bool operator==(const VolumeFile&, const VolumeFile&) = default;
};

enum class VolumeKind {
  kDisk,      // a directory on the node's disk; goes with the pod
  kMemory,    // a tmpfs; goes with the pod's processes
  kFiles,     // `files`, never on a disk, replaced all at once; containers only read it
  kHostPath,  // `source` of the node
  kClaim,     // a directory on the node's disk that outlives the pod; `source` is its name
};

// What must be found at a kHostPath, or is made there.
enum class HostPathCheck {
  kAnything,  // a directory is made where nothing is
  kDirectory,
  kDirectoryOrCreate,
  kFile,
  kFileOrCreate,
  kSocket,
  kCharDevice,
  kBlockDevice,
};

// A volume of a pod, shared by its containers.
struct VolumeSpec {
  std::string name;  // unique in the pod
  VolumeKind kind = VolumeKind::kDisk;
  std::string source;  // kHostPath: absolute path; kClaim: name of the claim's directory
  HostPathCheck check = HostPathCheck::kAnything;
  // Bytes at most; 0 = as many as there are, of kMemory half of the machine's memory. kDisk and
  // kClaim keep to it where the file system has project quotas.
  int64_t size_limit = 0;
  std::vector<VolumeFile> files;
  // Group, inside of the pod, that may read and write it; not of kHostPath.
  std::optional<uint32_t> group;
  bool group_only_on_mismatch = false;  // a kClaim whose top belongs to it is left as it is
};

// What a container sees of a volume.
struct VolumeBind {
  std::string volume;    // VolumeSpec::name; "" = `source`
  std::string source;    // directory or file on the host, absolute
  std::string sub_path;  // below the volume, resolved without ever leaving it; made when missing
  std::string target;    // absolute, in the container; made when missing
  bool read_only = false;
  bool recursive_read_only = false;  // with everything that is mounted below, too
  MountPropagation propagation = MountPropagation::kPrivate;
  // Of `source`: its files belong to the pod's ids as if they were the host's (an idmapped mount).
  // False: what the host owns stays the host's.
  bool map_ids = false;
};

}  // namespace cluster::node
