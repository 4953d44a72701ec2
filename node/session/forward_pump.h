// Passes the bytes of a connection into a pod to and from the controller, each direction on its
// own.
#pragma once

#include "node/runtime/runtime.h"
#include "node/session/dial_back.h"

namespace cluster::node {

// Returns, and has finished the stream, once both sides have said that they send no more, or one of
// them is gone, or the pod is.
void PumpConnection(PodConnection connection, DialBackStream* stream);

}  // namespace cluster::node
