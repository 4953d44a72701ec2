// What must hold for messages that anybody sends to the cluster's name server; see record_checks.h.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cluster::node {

// As a query: its answer is one to it and not too large. As another server's answer: what is made
// of it can be read.
std::string FindDnsFlaw(absl::string_view message);

}  // namespace cluster::node
