// Ephemeral containers seen as containers. Pure.
#pragma once

#include "cluster/v1/pod.pb.h"

namespace cluster {

// The container with everything that the two have in common: their fields have the same numbers.
v1::Container AsContainer(const v1::EphemeralContainer& container);

}  // namespace cluster
