// What probes and hooks found out about one instance of a container. Plain data: it goes from the
// prober to the pod's state machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace cluster::node {

enum class ProbeKind { kStartup, kLiveness, kReadiness };

struct Health {
  std::string container;
  int32_t attempt = 0;
  // The startup probe has succeeded, or there is none.
  bool started = false;
  // What the readiness probe says; true where there is none.
  bool ready = false;
  // This probe has failed so often that the container is to be ended.
  std::optional<ProbeKind> failed;
};

enum class HookKind { kPostStart, kPreStop };

// A hook has run to its end, failed, or took too long.
struct HookEnd {
  std::string container;
  int32_t attempt = 0;
  HookKind kind = HookKind::kPostStart;
  absl::Status status;
};

}  // namespace cluster::node
