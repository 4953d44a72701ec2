// What the session says of the network, in the words of the node's own (node/network, node/dns).
#pragma once

#include <string>

#include "node/agent/agent.h"
#include "node/dns/name_server.h"
#include "node/network/pod_network.h"

namespace cluster::node {

// The agent's `set_range`, `set_peers`, `set_services` and `name_server`, all of them thread-safe.
// Names are answered on the bridge, for whoever has an address of the node's range, from when there
// is one: now, if it is known from an earlier life. `node` is this one's name; what is pointed to
// outlives the agent.
//
// InvalidArgument: an address or a range is none. Otherwise as the methods of PodNetwork.
void AddNetwork(PodNetwork* network, NameServer* names, const std::string& node, AgentParts* parts);

}  // namespace cluster::node
