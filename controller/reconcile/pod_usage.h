// What pods use, as the counters of their nodes say. Plain values; they come from controller/usage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace cluster::controller {

struct PodUsage {
  // Mean over `window`, in thousandths of a core; nothing where the pod was looked at only once.
  std::optional<int64_t> cpu_milli;
  int64_t memory_bytes = 0;  // working set
  absl::Time at;             // of the look
  absl::Duration window;
};

// One round of looks at nodes. What a node that did not answer runs is missing in it.
struct UsageSample {
  int64_t number = 0;                               // grows with each round; 0: there was none yet
  absl::flat_hash_map<std::string, PodUsage> pods;  // by uid
};

}  // namespace cluster::controller
