// Every entry of a directory tree that others write to meanwhile.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"

namespace cluster::node {

// `dir` and `name` say where the entry was found, `info` is of the entry itself (links are not
// followed). A status that is not ok ends the walk.
using Visit = std::function<absl::Status(int dir, const char* name, const struct stat& info)>;

// Calls `visit` for everything below the directory `root` (a descriptor open for reading), in no
// order, never crossing into another file system. Holds two descriptors, however deep the tree is:
// directories that are still to be read are remembered by their handles (open_by_handle_at(2),
// which needs CAP_DAC_READ_SEARCH). What goes meanwhile is left out. False when it stopped after
// `most` entries.
absl::StatusOr<bool> WalkTree(int root, int64_t most, const Visit& visit);

}  // namespace cluster::node
