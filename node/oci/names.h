// Names that config.json uses for the kernel's numbers. Tables alone.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace cluster::oci {

// RLIMIT_NOFILE of "RLIMIT_NOFILE".
std::optional<int> RlimitNumber(absl::string_view name);
// CLONE_NEWNET of "network"; and back, null for another flag.
std::optional<int> NamespaceFlag(absl::string_view name);
const char* NamespaceName(int flag);
// The name of its file below /proc/PID/ns.
const char* NamespaceFile(int flag);
// SCHED_FIFO of "SCHED_FIFO".
std::optional<uint32_t> SchedulerPolicy(absl::string_view name);
std::optional<uint64_t> SchedulerFlag(absl::string_view name);
// IOPRIO_CLASS_RT of "IOPRIO_CLASS_RT".
std::optional<int> IoPriorityClass(absl::string_view name);
// MS_SHARED of "shared", MS_SHARED | MS_REC of "rshared".
std::optional<uint64_t> PropagationFlags(absl::string_view name);
// A signal's number of "9", "KILL", "SIGKILL" or "sigkill"; "RTMIN+1".
std::optional<int> SignalNumber(absl::string_view name);

}  // namespace cluster::oci
