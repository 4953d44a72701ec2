// The gRPC side of one session: one write in flight, the rest queued; one message read at a time.
#pragma once

#include <deque>
#include <memory>

#include "grpcpp/grpcpp.h"

#include "base/mutex.h"
#include "cluster/v1/session.grpc.pb.h"
#include "node/session/controller_stream.h"

namespace cluster::node {

// Keeps itself alive until gRPC is done with it; its events run on gRPC's threads.
class AttachStream final : public ControllerStream,
                           private grpc::ClientBidiReactor<v1::NodeMessage, v1::ControllerMessage> {
 public:
  static std::shared_ptr<AttachStream> Open(std::shared_ptr<grpc::Channel> channel, Events events);

  void Send(v1::NodeMessage message) override;
  void ReadNext() override;
  void Cancel() override;

 private:
  AttachStream(std::shared_ptr<grpc::Channel> channel, Events events);
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  // Nothing is started any more.
  void Close();

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::NodeSession::Stub> stub_;
  const Events events_;
  grpc::ClientContext context_;
  std::shared_ptr<AttachStream> self_;  // until OnDone

  Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = true;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::NodeMessage> queue_ ABSL_GUARDED_BY(mutex_);
  v1::NodeMessage outgoing_;        // gRPC's while writing_
  v1::ControllerMessage incoming_;  // gRPC's while reading_
};

// Each call dials that controller (as for DialController) anew.
Dial DialOverGrpc(std::string controller);

}  // namespace cluster::node
