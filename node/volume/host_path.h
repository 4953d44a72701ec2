// Places of the node that pods ask for by name.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/volume/volume.h"

namespace cluster::node {

// An O_PATH descriptor of `path`, whose type was checked on that descriptor; made before where
// `check` says so. The node's own links are followed. FailedPrecondition, with a sentence, where
// something else is there, or nothing.
absl::StatusOr<UniqueFd> OpenHostPath(const std::string& path, HostPathCheck check);

}  // namespace cluster::node
