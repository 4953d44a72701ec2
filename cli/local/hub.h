// The link that joins the nodes of a local cluster: a bridge in a network namespace of its own, in
// which the controller lives too. Nothing leads from there to the machine's own network.
#pragma once

#include "absl/status/status.h"
#include "cli/local/layout.h"

namespace cluster::cli {

// The hub's namespace, bridge and controller address. Idempotent.
absl::Status MakeHub(const Layout& layout, const Definition& definition);

// The node's own network namespace with eth0 on the hub's bridge. Idempotent.
absl::Status ConnectNode(const Layout& layout, const LocalNode& node);

// Ends the node's network namespace and its port on the hub.
absl::Status DisconnectNode(const Layout& layout, const LocalNode& node);

// Cuts (false) or mends (true) the node's link at the hub's side.
absl::Status SetNodeLink(const Layout& layout, const LocalNode& node, bool up);

// True while the link is cut.
absl::StatusOr<bool> IsPartitioned(const Layout& layout, const LocalNode& node);

}  // namespace cluster::cli
