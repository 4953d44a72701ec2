// Settings of a network namespace that the kernel shows only where the node's own users own it: all
// of net.core before Linux 6.6, and others.
#pragma once

#include "absl/status/status.h"

#include "node/runtime/runtime.h"

namespace cluster::node {

// InvalidArgument names the first of the pod's sysctls that no pod with a user namespace of its own
// has on this machine, and what to do. A name that there is nowhere is left to who sets it. Looks
// from inside of namespaces that are gone again when it returns; needs CAP_SYS_ADMIN. Other errors:
// what clone(2) says.
absl::Status CheckSysctlsShown(const SandboxSpec& spec);

}  // namespace cluster::node
