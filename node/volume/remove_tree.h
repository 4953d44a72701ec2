// rm -rf for what containers made.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace cluster::node {

// Follows no link, crosses no mount and its depth is bounded, however deep the tree is. Ok when
// there is nothing. Unavailable where something is mounted in the tree: what lies there stays.
absl::Status RemoveTree(const std::string& path);
// `path` below the directory `dir`.
absl::Status RemoveTreeAt(int dir, const std::string& path);

}  // namespace cluster::node
