// One local connection, passed on to a port of a pod.
#pragma once

#include "cli/client.h"

#include "base/unique_handle.h"

namespace cluster::cli {

// Each direction on its own, as fast as the receiver takes it; an end of one direction is passed on
// as such. Returns once the connection is over: ok, or the controller's error. `client` may be used
// by other threads; `stop_fd` readable: cut it now.
absl::Status ForwardConnection(Client& client, const v1::PortForwardStart& start, UniqueFd local,
                               int stop_fd);

}  // namespace cluster::cli
