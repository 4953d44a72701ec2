// How failures leave the controller.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/status.h"

#include "cluster/v1/api.pb.h"

namespace cluster::controller {

// Code and message as they are; a payload under kViolationsUrl becomes the details. Never carries
// OK with a message.
grpc::Status ToGrpc(const absl::Status& status);

// INVALID_ARGUMENT: one sentence about the first violation (and how many more there are), with all
// of them as a serialized v1::Violations in the payload.
absl::Status InvalidObjects(const std::vector<v1::Violation>& violations);
constexpr char kViolationsUrl[] = "cluster.v1.Violations";

// 16 bytes, or empty where the writer does not care.
absl::Status CheckWriteId(const std::string& id);

// Ends a call with that.
grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status);

}  // namespace cluster::controller
