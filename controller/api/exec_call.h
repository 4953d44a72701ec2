// One Exec call: relayed to and from the node that runs the pod.
#pragma once

#include <memory>

#include "grpcpp/support/server_callback.h"

#include "cluster/v1/api.grpc.pb.h"
#include "controller/cache/cache.h"
#include "controller/session/sessions.h"

namespace cluster::controller {

// Deletes itself once gRPC is done with it. Everything but the reactions happens on the relay
// strand.
class ExecCall : public grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>,
                 public RelayClient {
 public:
  // All must outlive the call.
  ExecCall(const Cache* cache, Sessions* sessions);

  void OnFrame(v1::NodeFrame frame) override;
  void OnSent() override;
  void OnEnd(const absl::Status& status) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void OnRequest();
  void Begin(const v1::ExecStart& start);
  void Forward();
  void ReadNext();
  void ClientGone();
  void FinishOnce();

  const Cache* const cache_;
  Sessions* const sessions_;
  v1::ExecRequest reading_;

  // On the strand.
  std::shared_ptr<Relay> relay_;
  v1::ExecResponse writing_;
  bool in_flight_ = false;
  bool ended_ = false;
  bool finished_ = false;
  bool input_ended_ = false;
  bool half_closed_ = false;  // nothing is read any more
  bool exit_known_ = false;
  absl::Status end_;
};

}  // namespace cluster::controller
