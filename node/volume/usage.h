// How much of the node's disk a pod holds.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace cluster::node {

struct DiskUsage {
  int64_t bytes = 0;     // as blocks on the disk
  int64_t inodes = 0;    // files that have several names count once
  bool complete = true;  // false: there is more, counting ended at kMostCounted

  DiskUsage& operator+=(const DiskUsage& other);
};

// Counting a million entries takes a second or two; nobody needs more to be sent away.
inline constexpr int64_t kMostCounted = 1'000'000;

// What lies below `directory`, itself included. Nothing where there is none.
absl::StatusOr<DiskUsage> MeasureTree(const std::string& directory);

struct PodUsage {
  std::map<std::string, DiskUsage> volumes;  // kDisk volumes, by name
  std::map<std::string, DiskUsage> layers;   // writable layers of every instance, by container
  std::map<std::string, DiskUsage> logs;     // by container

  DiskUsage Total() const;
};

// `pod_directory` is the pod's on the disk (node/runtime/pod_directory.h).
absl::StatusOr<PodUsage> MeasurePod(const std::string& pod_directory);

}  // namespace cluster::node
