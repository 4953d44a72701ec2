// What of the cluster a Service has for itself alone, as words to look it up by. Pure.
#pragma once

#include <string>
#include <vector>

#include "cluster/v1/object.pb.h"

namespace cluster {

// Its address ("10.60.0.7"), and a port of every node for each of its ports ("TCP/30080"). Empty
// for every other kind.
std::vector<std::string> ClaimsOf(const v1::Object& object);

std::string NodePortClaim(v1::Protocol protocol, int port);

}  // namespace cluster
