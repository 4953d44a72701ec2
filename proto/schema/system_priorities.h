// The priority classes that every cluster has.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace cluster {

struct SystemPriority {
  absl::string_view name;
  int32_t value;
  absl::string_view description;
};

inline constexpr SystemPriority kSystemPriorities[] = {
    {"system-cluster-critical", 2'000'000'000,
     "Used for system critical pods that must run in the cluster, but can be moved to another node "
     "if necessary."},
    {"system-node-critical", 2'000'001'000,
     "Used for system critical pods that must not be moved from their current node."},
};

// nullptr when it is none of them.
constexpr const SystemPriority* FindSystemPriority(absl::string_view name) {
  for (const SystemPriority& each : kSystemPriorities) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

}  // namespace cluster
