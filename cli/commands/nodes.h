// Shared by cordon, uncordon and drain.
#pragma once

#include <string>

#include "cli/session.h"

namespace cluster::cli {

// Marks a node as (un)schedulable and says so: "node/node1 cordoned" or "... already cordoned".
absl::Status SetUnschedulable(Session& session, const std::string& node, bool unschedulable);

}  // namespace cluster::cli
