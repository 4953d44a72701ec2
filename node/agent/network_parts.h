// What the session says of the network, in the words of the node's own (node/network). All of it is
// thread-safe, as PodNetwork is.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "cluster/v1/session.pb.h"
#include "node/network/pod_network.h"
#include "node/services/service_book.h"

namespace cluster::node {

// InvalidArgument: no range. Otherwise as PodNetwork::SetRange.
absl::Status SetRange(PodNetwork* network, const std::string& pod_cidr,
                      const std::string& cluster_cidr);

// Peers without an address or a range are left out.
absl::Status SetPeers(PodNetwork* network, const std::vector<v1::Peer>& peers);

// `node`: the name of this one. InvalidArgument: an address or a range is none.
absl::Status SetServices(PodNetwork* network, const std::string& node, const KnownServices& table);

}  // namespace cluster::node
