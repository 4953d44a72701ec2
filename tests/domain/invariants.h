// Independent checks of laws over a whole view, written without the code that they check.
#pragma once

#include <string>

#include "controller/cache/view.h"

namespace cluster::domain {

// Law 9: on no node do requests of unfinished pods exceed what is allocatable, and no host port is
// held twice. "" when it holds, otherwise what is broken.
std::string OvercommitProblem(const View& view);

// True when no rule (ready, cordon, taints, selector, room, host ports) keeps the pod from the
// node.
bool CouldRun(const View& view, const v1::Pod& pod, const v1::Node& node);

}  // namespace cluster::domain
