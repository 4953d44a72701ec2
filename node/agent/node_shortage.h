// What the evictor needs to know of this node's pods, from their records and the kernel.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "node/eviction/disk_limits.h"
#include "node/eviction/evictor.h"
#include "node/pod/pod_workers.h"

namespace cluster::node {

// What one pod uses at this moment.
struct PodUse {
  int64_t memory = 0;  // working set
  int64_t pids = 0;
};

// The kernel's side, as the agent is given it; any thread.
struct ShortageSource {
  std::function<absl::StatusOr<NodeNumbers>()> node;
  std::function<absl::StatusOr<PodUse>(const std::string& uid)> pod;
  // Counts files: slow. May be empty.
  std::function<absl::StatusOr<PodDisk>(const std::string& uid)> disk;
};

// `workers` outlives what is made of this. `changed` and `clock` are passed on.
EvictorParts ShortageParts(ShortageSource source, PodWorkers* workers, const Clock* clock,
                           std::function<void()> changed);

}  // namespace cluster::node
