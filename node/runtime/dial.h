// Connections into pods: to the loopback of a network namespace.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/unique_handle.h"

namespace cluster::node {

// A connection to a port of a pod. Whoever holds the socket holds the pod's network namespace, so
// it goes when the pod does.
struct PodConnection {
  UniqueFd socket;   // non-blocking
  UniqueFd pod_end;  // readable once the pod is over; for poll alone
};

// TCP to `port` of 127.0.0.1, or of ::1 where nobody listens on the former, in the network
// namespace that the calling thread is in. The socket is non-blocking and stays there, wherever the
// thread goes. Unavailable: nobody listens, or whoever does takes no connection for so long.
absl::StatusOr<UniqueFd> DialLoopback(uint16_t port, absl::Duration patience = absl::Seconds(5));

}  // namespace cluster::node
