// Programs that config.json wants run at points of a container's life. runtime-spec config.md,
// "POSIX-platform Hooks".
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "node/oci/config.h"

namespace cluster::oci {

// One after another, each with the container's state as its standard input, its own environment and
// nothing of ours but the working directory. DeadlineExceeded: a hook ran out of time and was
// killed. FailedPrecondition: one could not be run or failed; with what it printed last. The hooks
// behind it are not run then, unless `all`.
absl::Status RunHooks(const char* kind, const std::vector<Hook>& hooks, const std::string& state,
                      bool all = false);

}  // namespace cluster::oci
