// An instance of a container: which one, and how it is.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace cluster::node {

struct ContainerId {
  std::string pod_uid;
  std::string name;
  int32_t attempt = 0;
};

enum class ContainerPhase {
  kRunning,
  kExited,
  kUnknown,  // it ended and nobody saw how (its cluster-init was killed)
};

struct ContainerState {
  std::string name;
  int32_t attempt = 0;
  ContainerPhase phase = ContainerPhase::kRunning;
  int32_t pid = 0;  // in the node's pid namespace
  absl::Time started_at;
  absl::Time finished_at;
  int32_t exit_code = 0;  // 128 + signal when a signal ended it
  int32_t signal = 0;
  bool oom_killed = false;
  std::string message;              // why it could not start, when exit came before exec
  std::string termination_message;  // what it wrote to its termination_message_path
};

}  // namespace cluster::node
