// Streams that nodes are to open, until they have: those that wait for a node to be attached, and
// those that were asked for in a session that goes on. No I/O. Not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "cluster/v1/session.pb.h"

namespace cluster::controller {

class AgentLink;

struct StreamRequest {
  v1::OpenStream open;
  // At most one of them is called, once. It cannot be asked for, and why:
  std::function<void(const absl::Status&)> refused;
  // It was asked for in a session that is over; the node may have heard it or not.
  std::function<void()> unanswered;
};

class StreamRequests {
 public:
  // Who was asked so long ago has opened the stream, or will not.
  explicit StreamRequests(absl::Duration timeout) : timeout_(timeout) {}

  void Wait(const std::string& node, StreamRequest request);
  std::vector<StreamRequest> TakeWaiting(const std::string& node);
  // `now`: monotonic.
  void Asked(const AgentLink* link, StreamRequest request, absl::Duration now);
  std::vector<StreamRequest> TakeAsked(const AgentLink* link, absl::Duration now);

 private:
  struct Question {
    absl::Duration at;
    StreamRequest request;
  };
  using Questions = std::deque<Question>;

  void Forget(absl::Duration now, Questions* questions) const;

  const absl::Duration timeout_;
  std::map<std::string, std::vector<StreamRequest>> waiting_;  // by node
  std::map<const AgentLink*, Questions> asked_;                // oldest first
};

}  // namespace cluster::controller
