// An independent, slow check of every rule that names other pods or the node's labels, written
// without the code that it checks: it looks at all pods each time.
#pragma once

#include <string>

#include "controller/cache/view.h"

namespace cluster::domain {

// The first required rule of `pod`, or of the pods that are there, that a placement on `node` would
// break; "" = none. The pod itself is left out of what is there.
std::string BrokenPlacingRule(const View& view, const v1::Pod& pod, const v1::Node& node);

}  // namespace cluster::domain
