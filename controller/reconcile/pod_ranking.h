// Which pods go first when there are too many.
#pragma once

#include <vector>

#include "controller/cache/view.h"

namespace cluster::controller {

// The `count` pods that are missed least, in the order in which they go: without node, then
// pending, then not ready; among equals those on the node that has most of them, then the newest,
// then by name.
std::vector<EntryPtr> FirstToDelete(const std::vector<EntryPtr>& pods, int count);

}  // namespace cluster::controller
