// One stream between an agent and a controller.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <variant>

#include "tests/sim/network.h"

namespace cluster::sim {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Network* network, std::string node, Process* process,
             node::ControllerStream::Events events, std::function<void()> step);
  ~Connection();

  // The node's end.
  std::shared_ptr<node::ControllerStream> OpenNodeEnd();
  void SendUp(v1::NodeMessage message);
  void CancelByNode();
  void NodeGone(bool silently);

  // The controller's end.
  void SendDown(v1::ControllerMessage message);
  void CloseByController(const absl::Status& why);
  void ControllerGone();

  // The link passes again what it has held up, or holds up from now on.
  void LinkChanged();

  const std::string& node() const { return node_; }
  const Process* node_process() const { return node_process_; }
  const Process* controller_process() const { return listener_.process; }
  // Nobody is left at either end.
  bool over() const { return !node_open_ && !controller_open_ && bound_ && up_.empty(); }

 private:
  class NodeEnd;
  class ControllerEnd;
  struct Fin {};  // the node has ended the stream
  using Up = std::variant<v1::NodeMessage, Fin>;
  using Down = std::variant<v1::ControllerMessage, absl::Status>;  // its end, and why

  const Link& link() const { return *network_->link(node_); }
  void QueueUp(Up message);
  void QueueDown(Down message);
  void PumpUp();
  void PumpDown();
  void ArriveUp(Up message);
  void ArriveDown(Down message);
  // The first message is there: the stream is with the controller that runs now.
  bool Bind();
  // Tells each end that is still open, by itself, that the stream is broken.
  void BreakNodeEnd(const absl::Status& why);
  void BreakControllerEnd();
  void LetHubGo();
  // Looks whether the ends still hear of each other.
  void MindSilence();
  bool IsSilent() const;
  void TellDone(const absl::Status& why);

  Network* const network_;
  const std::string node_;
  Process* const node_process_;
  const node::ControllerStream::Events events_;
  const std::function<void()> step_;
  std::shared_ptr<NodeEnd> node_end_;
  std::unique_ptr<ControllerEnd> controller_end_;
  Listener listener_;
  bool node_open_ = true;
  bool bound_ = false;
  bool controller_open_ = false;

  // On their way, in order, each with the time at which it is there.
  std::deque<std::pair<Nanos, Up>> up_;
  std::deque<std::pair<Nanos, Down>> down_;
  bool up_timer_ = false;
  bool down_timer_ = false;
  bool silence_timer_ = false;
  Nanos silent_since_ = -1;  // -1: not silent
  bool told_done_ = false;
};

}  // namespace cluster::sim
