// The network between nodes and controller: streams as TCP gives them. Within one stream messages
// keep their order and none is lost while it lives: what a real network drops, repeats or reorders
// shows as delay, as the end of a stream, and as messages of an old stream that come after those of
// a new one. What was on its way when a stream breaks may have arrived or not, so the next one says
// it again.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/strand.h"
#include "controller/session/hub.h"
#include "node/session/controller_stream.h"
#include "tests/sim/process.h"
#include "tests/sim/random.h"
#include "tests/sim/timeline.h"

namespace cluster::sim {

// Between one node and the controller.
struct Link {
  bool up = true;              // from the node
  bool down = true;            // to the node
  Nanos delay = kMillisecond;  // at most, one way
  double loss = 0;             // of packets; each costs a retransmission
};

// Where streams end: a running controller.
struct Listener {
  Process* process = nullptr;
  controller::Hub* hub = nullptr;
  Strand* strand = nullptr;
  HostClock* clock = nullptr;
  std::function<void()> step;  // told of each message that the controller sends
};

class Connection;

class Network {
 public:
  Network(Timeline* time, Random* random) : time_(time), random_(random) {}

  Link* link(const std::string& node) { return &links_[node]; }
  // Sets what passes, and lets go of what has waited for it.
  void SetLink(const std::string& node, bool up, bool down);

  // For the agent that runs as `process`; `step` is told of each message that it sends.
  node::Dialled Dial(const std::string& node, Process* process,
                     node::ControllerStream::Events events, std::function<void()> step);
  // The agent is gone; `silently`: with its whole machine, so that nobody is told.
  void NodeGone(Process* process, bool silently);

  // null: none runs.
  void SetListener(const Listener* listener);
  // The streams of the controller that runs as `process` are gone with it.
  void ControllerGone(Process* process);

  // Is told of each message that a controller sends to a node.
  using Told = std::function<void(const std::string& node, const v1::ControllerMessage& message)>;
  void SetTold(Told told) { told_ = std::move(told); }

  // Messages that arrived.
  int64_t delivered() const { return delivered_; }

 private:
  friend class Connection;
  // How long a message takes.
  Nanos Delay(const Link& link);

  Timeline* const time_;
  Random* const random_;
  const Listener* listener_ = nullptr;
  std::map<std::string, Link> links_;
  std::vector<std::shared_ptr<Connection>> connections_;  // in the order in which they were dialled
  Told told_;
  int64_t delivered_ = 0;
};

}  // namespace cluster::sim
