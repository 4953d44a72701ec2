// One Exec call: relayed to and from the node that runs the pod.
#pragma once

#include "cluster/v1/api.grpc.pb.h"
#include "controller/api/relayed_call.h"

namespace cluster::controller {

class ExecCall final : public RelayedCall<v1::ExecRequest, v1::ExecResponse> {
 public:
  // All must outlive the call.
  ExecCall(const Cache* cache, Sessions* sessions) : RelayedCall(cache, sessions) { Start(); }

 private:
  absl::StatusOr<Opening> Open(const Cache& cache, const v1::ExecRequest& first) override;
  std::optional<v1::ControllerFrame> PassUp(v1::ExecRequest* request) override;
  bool PassDown(v1::NodeFrame frame, v1::ExecResponse* response) override;
  absl::Status WellEnded() const override;

  bool exit_known_ = false;
};

}  // namespace cluster::controller
