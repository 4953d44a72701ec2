// The session's stream to the controller, as the session sees it: gRPC's (attach_stream.h), or the
// simulation's.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"

#include "cluster/v1/session.pb.h"

namespace cluster::node {

// Thread-safe.
class ControllerStream {
 public:
  // Both run on threads of the stream's and must not block.
  struct Events {
    // The next message is read only after ReadNext.
    std::function<void(v1::ControllerMessage)> message;
    // Once, as the last call. The receiver must let go of the stream on a thread of its own: the
    // last channel of a process must not be destroyed on the thread of gRPC that it would wait for.
    std::function<void(absl::Status, std::shared_ptr<ControllerStream>)> done;
  };

  virtual ~ControllerStream() = default;
  virtual void Send(v1::NodeMessage message) = 0;
  virtual void ReadNext() = 0;
  // Ends the session now; `done` follows.
  virtual void Cancel() = 0;
};

// A stream that has begun, and the channel for what goes beside it (null: nothing can).
struct Dialled {
  std::shared_ptr<ControllerStream> stream;
  std::shared_ptr<grpc::Channel> channel;
};
using Dial = std::function<Dialled(ControllerStream::Events)>;

}  // namespace cluster::node
