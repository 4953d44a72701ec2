// Paths inside of a volume, where a container may exchange directories for links at any moment.
//
// Everything is resolved by openat2(2) with RESOLVE_BENEATH from the volume's own descriptor: links
// that stay inside are followed, no other can be, and what comes back is a descriptor, not a name
// that could mean something else later.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"

namespace cluster::node {

// Who owns directories that are made: ids of the node.
struct PathOwner {
  uid_t uid = 0;
  gid_t gid = 0;
};

// An O_PATH descriptor of `path` below the directory `root`. With `make`, missing directories are
// made, one component at a time, with the mode of `root`. Errors: InvalidArgument (absolute, empty
// or with ".."), NotFound without `make`, FailedPrecondition (leads out of the volume, or through
// what is no directory), Unavailable (it is being changed under our hands).
absl::StatusOr<UniqueFd> OpenSubPath(int root, const std::string& path,
                                     const std::optional<PathOwner>& make);

}  // namespace cluster::node
