// fsGroup: whoever is in the group may read and write a volume that outlives its pods.
#pragma once

#include <sys/types.h>

#include "absl/status/status.h"

namespace cluster::node {

// Gives the tree at `root` (a directory, open for reading) to the group: g+rw on files, g+rwxs on
// directories, so that what is made later belongs to it too. With `only_on_mismatch` a tree whose
// top is so already is left alone. Safe against containers that move things meanwhile.
absl::Status GiveToGroup(int root, gid_t group, bool only_on_mismatch);

}  // namespace cluster::node
