// Reads a profile in the JSON form that Docker and podman ship and OCI bundles carry:
//
//   {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures":
//   ["SCMP_ARCH_X86_64"],
//    "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [...], "includes":
//    {...}}]}
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "node/seccomp/profile.h"

namespace cluster::node {

constexpr size_t kMaxProfileSize = 1 << 20;

// InvalidArgument with the place ("syscalls[3].args[0].op: ...") or, where it is no JSON, line and
// column. A field that is not known or not supported (a listener) is an error.
absl::StatusOr<SeccompProfile> ParseSeccompProfile(absl::string_view text);

}  // namespace cluster::node
