// A stream between a client of the API (logs, exec) and a node, which dials back for it.
//
// Both ends hand over one message at a time and read the next only when the other end has taken it:
// back-pressure reaches from the client's socket to the container's pipe, and nothing is dropped.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "base/strand.h"
#include "cluster/v1/session.pb.h"

namespace cluster::controller {

// The node's end, as the relay sees it. Called on the strand.
class RelayNode {
 public:
  virtual ~RelayNode() = default;
  // Taken when Relay::NodeReady is called.
  virtual void Write(v1::ControllerFrame frame) = 0;
  // Read the next frame.
  virtual void Read() = 0;
  // The stream is over; the relay does not touch this again.
  virtual void End(const absl::Status& status) = 0;
};

// The client's end. Called on the strand.
class RelayClient {
 public:
  virtual ~RelayClient() = default;
  // One frame of the node (never hello, never error); taken when Relay::ClientReady is called.
  virtual void OnFrame(v1::NodeFrame frame) = 0;
  // The frame given to Relay::Send was taken.
  virtual void OnSent() = 0;
  // Nothing comes any more: OK when the node ended it, otherwise why. The relay does not touch this
  // again.
  virtual void OnEnd(const absl::Status& status) = 0;
};

// Lives on the strand; shared by its two ends.
class Relay : public std::enable_shared_from_this<Relay> {
 public:
  explicit Relay(RelayClient* client) : client_(client) {}

  // Client's side. Send: one frame at a time; before the node is there it waits.
  void Send(v1::ControllerFrame frame);
  void ClientReady();
  void ClientGone();

  // Node's side.
  void Attach(RelayNode* node);
  void OnNodeFrame(v1::NodeFrame frame);
  void NodeReady();
  void NodeGone(const absl::Status& why);

  // Ends it from outside, e.g. when the node does not dial.
  void Fail(const absl::Status& why);
  bool attached() const { return node_ != nullptr; }
  bool over() const { return client_ == nullptr; }

 private:
  void EndClient(const absl::Status& status);
  void EndNode(const absl::Status& status);

  RelayClient* client_;
  RelayNode* node_ = nullptr;
  std::unique_ptr<v1::ControllerFrame> waiting_;
};

// Brings the two ends together by the stream's id. Lives on the strand.
class RelayBoard {
 public:
  RelayBoard(Strand* strand, absl::Duration timeout) : strand_(strand), timeout_(timeout) {}

  // Waits for a node to dial back with the answered id.
  std::string Expect(const std::string& node, std::shared_ptr<Relay> relay);
  // nullptr when nobody waits for it (any more). At most once per id.
  std::shared_ptr<Relay> Take(const std::string& id);
  // Whether somebody waits for it.
  bool Expects(const std::string& id) const;
  // Nobody will dial; of no effect when somebody has.
  void Fail(const std::string& id, const absl::Status& why);

 private:
  Strand* const strand_;
  const absl::Duration timeout_;
  std::map<std::string, std::shared_ptr<Relay>> waiting_;
};

}  // namespace cluster::controller
