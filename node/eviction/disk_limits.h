// Pods that use more of the node's disk than they said. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "cluster/v1/pod.pb.h"

namespace cluster::node {

// Bytes on the node's disk.
struct PodDisk {
  std::map<std::string, int64_t> volumes;     // emptyDirs, by name
  std::map<std::string, int64_t> containers;  // writable layer and logs, by container
  int64_t inodes = 0;                         // of all of it
  int64_t total() const;
};

// Whether anything of it has to be measured: a size limit of an emptyDir on disk, or a limit of
// ephemeral-storage.
bool HasDiskLimits(const v1::PodSpec& spec);

// Why the pod has to go, as kubelet says it; "" when it keeps to its limits.
std::string DiskOverrun(const v1::PodSpec& spec, const PodDisk& disk);

}  // namespace cluster::node
