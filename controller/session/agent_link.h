// One Attach stream as the hub sees it: the gRPC call, or a fake agent of a test.
#pragma once

#include "absl/status/status.h"

#include "cluster/v1/session.pb.h"

namespace cluster::controller {

// Called on the hub's strand. The hub learns of everything that the link does through its own On...
// methods, on the same strand; after OnClosed it does not touch the link again.
class AgentLink {
 public:
  virtual ~AgentLink() = default;
  // Queues a message. Acks of the same sort replace each other while they wait. After an
  // Assignments message has left, the link calls Hub::OnAssignmentsSent.
  virtual void Send(v1::ControllerMessage message) = 0;
  // Ends the stream; OnClosed follows.
  virtual void Close(const absl::Status& why) = 0;
};

}  // namespace cluster::controller
