// One DialBack stream over gRPC: the node's end of a relay.
#pragma once

#include "grpcpp/support/server_callback.h"

#include "base/strand.h"
#include "cluster/v1/session.grpc.pb.h"
#include "controller/session/relay.h"

namespace cluster::controller {

// Deletes itself once gRPC is done with it. Everything but the reactions happens on the strand.
class DialBackCall : public grpc::ServerBidiReactor<v1::NodeFrame, v1::ControllerFrame>,
                     public RelayNode {
 public:
  DialBackCall(grpc::CallbackServerContext* context, RelayBoard* board, Strand* strand);

  void Write(v1::ControllerFrame frame) override;
  void Read() override;
  void End(const absl::Status& status) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Begin();
  void AfterLastFrame();
  void PeerGone(const absl::Status& why);

  grpc::CallbackServerContext* const context_;
  RelayBoard* const board_;
  Strand* const strand_;
  v1::NodeFrame reading_;

  // On the strand.
  std::shared_ptr<Relay> relay_;
  v1::ControllerFrame writing_;
  bool in_flight_ = false;
  bool ending_ = false;
  bool finished_ = false;
  grpc::Status status_;
};

}  // namespace cluster::controller
