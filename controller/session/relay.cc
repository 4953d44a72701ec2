#include "controller/session/relay.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/object/object_fields.h"

namespace cluster::controller {

void Relay::Send(v1::ControllerFrame frame) {
  if (node_ != nullptr) return node_->Write(std::move(frame));
  waiting_ = std::make_unique<v1::ControllerFrame>(std::move(frame));
}

void Relay::ClientReady() {
  if (node_ != nullptr) node_->Read();
}

void Relay::ClientGone() {
  client_ = nullptr;
  EndNode(absl::CancelledError("the client is gone"));
}

void Relay::Attach(RelayNode* node) {
  node_ = node;
  if (waiting_ != nullptr) node_->Write(std::move(*std::exchange(waiting_, nullptr)));
  node_->Read();
}

void Relay::OnNodeFrame(v1::NodeFrame frame) {
  if (client_ == nullptr) return;
  if (frame.has_error()) {
    EndClient(
        absl::Status(static_cast<absl::StatusCode>(frame.error().code()), frame.error().message()));
    EndNode(absl::OkStatus());
    return;
  }
  client_->OnFrame(std::move(frame));
}

void Relay::NodeReady() {
  if (client_ != nullptr) client_->OnSent();
}

void Relay::NodeGone(const absl::Status& why) {
  node_ = nullptr;
  EndClient(why);
}

void Relay::Fail(const absl::Status& why) {
  EndClient(why);
  EndNode(why);
}

void Relay::EndClient(const absl::Status& status) {
  if (client_ != nullptr) std::exchange(client_, nullptr)->OnEnd(status);
}

void Relay::EndNode(const absl::Status& status) {
  if (node_ != nullptr) std::exchange(node_, nullptr)->End(status);
}

std::string RelayBoard::Expect(const std::string& node, std::shared_ptr<Relay> relay) {
  const std::string id = RandomId();
  waiting_[id] = std::move(relay);
  strand_->PostAfter(timeout_, [this, id, node] {
    Fail(id, absl::DeadlineExceededError(
                 absl::StrCat("node ", node, " did not open the stream in time: see `get nodes`")));
  });
  return id;
}

std::shared_ptr<Relay> RelayBoard::Take(const std::string& id) {
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return nullptr;
  std::shared_ptr<Relay> relay = std::move(found->second);
  waiting_.erase(found);
  return relay->over() ? nullptr : relay;
}

bool RelayBoard::Expects(const std::string& id) const {
  const auto found = waiting_.find(id);
  return found != waiting_.end() && !found->second->over();
}

void RelayBoard::Fail(const std::string& id, const absl::Status& why) {
  const std::shared_ptr<Relay> relay = Take(id);
  if (relay != nullptr) relay->Fail(why);
}

}  // namespace cluster::controller
