// One Logs call: relayed from the node that runs the pod.
#pragma once

#include <memory>

#include "grpcpp/support/server_callback.h"

#include "cluster/v1/api.grpc.pb.h"
#include "controller/cache/cache.h"
#include "controller/session/sessions.h"

namespace cluster::controller {

// Deletes itself once gRPC is done with it. Everything but the reactions happens on the relay
// strand.
class LogsCall : public grpc::ServerWriteReactor<v1::LogsResponse>, public RelayClient {
 public:
  // All must outlive the call; `request` is copied.
  LogsCall(const Cache* cache, Sessions* sessions, const v1::LogsRequest& request);

  void OnFrame(v1::NodeFrame frame) override;
  void OnSent() override {}
  void OnEnd(const absl::Status& status) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Begin();
  void ClientGone();
  void FinishOnce();

  const Cache* const cache_;
  Sessions* const sessions_;
  v1::LogsRequest request_;

  // On the strand.
  std::shared_ptr<Relay> relay_;
  v1::LogsResponse writing_;
  bool in_flight_ = false;
  bool ended_ = false;
  bool finished_ = false;
  absl::Status end_;
};

}  // namespace cluster::controller
