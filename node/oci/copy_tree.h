// Copies what one directory holds into another: files, directories, links and special files with
// owner and mode. For tmpcopyup, where an image's directory becomes the content of a tmpfs.
#pragma once

#include "absl/status/status.h"

namespace cluster::oci {

// Both are directories; O_PATH will do. Links are copied, never followed. At most 256 levels deep.
absl::Status CopyTree(int from, int to);

}  // namespace cluster::oci
