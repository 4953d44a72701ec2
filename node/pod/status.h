// What the node reports of a pod, from its record. Pure.
#pragma once

#include <string>

#include "cluster/v1/node_state.pb.h"
#include "node/pod/decide.h"

namespace cluster::node {

// The status for the controller. Every container that waits says why (law 10). Keeps the
// conditions' transition times in the record.
v1::PodStatus StatusOf(const Hurdles& hurdles, const std::string& host_ip, const Moment& now,
                       v1::PodRecord* record);

}  // namespace cluster::node
