// The one place where the agent's transport is chosen: certificates come in here.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"

namespace cluster::node {

// A new channel to "HOST:PORT" or "unix:PATH"; does not connect yet. Each call makes a connection
// of its own, so that a dead one never holds up its successor.
std::shared_ptr<grpc::Channel> DialController(const std::string& target);

// gRPC's codes are abseil's.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace cluster::node
