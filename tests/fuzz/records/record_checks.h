// What must hold for texts that the node reads back: each check returns what is wrong,
// or "". A crash, a sanitizer's finding or a hang are what a fuzzer looks for besides.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace cluster::node {

// Records of containers and sandboxes: what is read is written as it was read.
std::string FindStateFlaw(absl::string_view text);
// A container's log: nothing is shown that is not in it, and no more than was asked for.
std::string FindLogFlaw(absl::string_view text);

}  // namespace cluster::node
