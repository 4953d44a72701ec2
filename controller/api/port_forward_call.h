// One PortForward call: a connection to a port of a pod, relayed to and from its node.
#pragma once

#include "cluster/v1/api.grpc.pb.h"
#include "controller/api/relayed_call.h"

namespace cluster::controller {

class PortForwardCall final : public RelayedCall<v1::PortForwardRequest, v1::PortForwardResponse> {
 public:
  // All must outlive the call.
  PortForwardCall(const Cache* cache, Sessions* sessions) : RelayedCall(cache, sessions) {
    Start();
  }

 private:
  absl::StatusOr<Opening> Open(const Cache& cache, const v1::PortForwardRequest& first) override;
  std::optional<v1::ControllerFrame> PassUp(v1::PortForwardRequest* request) override;
  bool PassDown(v1::NodeFrame frame, v1::PortForwardResponse* response) override;
  absl::Status WellEnded() const override { return absl::OkStatus(); }
};

}  // namespace cluster::controller
