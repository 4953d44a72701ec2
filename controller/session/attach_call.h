// One Attach stream over gRPC.
#pragma once

#include <deque>

#include "grpcpp/support/server_callback.h"

#include "base/clock.h"
#include "base/strand.h"
#include "cluster/v1/session.grpc.pb.h"
#include "controller/session/agent_link.h"
#include "controller/session/hub.h"

namespace cluster::controller {

// Deletes itself once gRPC is done with it. Everything but the reactions happens on the hub's
// strand. At most one write is on its way; what waits is bounded: one ack of each sort, one
// Assignments message, and one OpenStream per stream that the API has open.
class AttachCall : public grpc::ServerBidiReactor<v1::NodeMessage, v1::ControllerMessage>,
                   public AgentLink {
 public:
  AttachCall(grpc::CallbackServerContext* context, Hub* hub, Strand* strand, const Clock* clock);

  void Send(v1::ControllerMessage message) override;
  void Close(const absl::Status& why) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Pump();
  // The peer has ended or is gone.
  void Closed(const grpc::Status& status);
  void End();

  grpc::CallbackServerContext* const context_;
  Hub* const hub_;
  Strand* const strand_;
  const Clock* const clock_;
  v1::NodeMessage reading_;

  // On the strand.
  std::deque<v1::ControllerMessage> queue_;
  v1::ControllerMessage writing_;
  bool in_flight_ = false;
  bool closing_ = false;   // by the hub or the peer; nothing is written any more
  bool finished_ = false;  // Finish was called
  bool told_hub_ = false;
  grpc::Status status_;
};

}  // namespace cluster::controller
