// A call of both directions that is relayed to and from the node that runs a pod. What exec and
// port-forward have in common: the order of things; what their messages mean is theirs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "grpcpp/support/server_callback.h"

#include "controller/api/status.h"
#include "controller/cache/cache.h"
#include "controller/session/sessions.h"

namespace cluster::controller {

// Deletes itself once gRPC is done with it. Everything but the reactions happens on the relay
// strand, the virtual functions below too. Messages go one at a time in each direction.
template <typename Request, typename Response>
class RelayedCall : public grpc::ServerBidiReactor<Request, Response>, public RelayClient {
 public:
  // All must outlive the call.
  RelayedCall(const Cache* cache, Sessions* sessions) : cache_(cache), sessions_(sessions) {}

  void OnFrame(v1::NodeFrame frame) override {
    writing_.Clear();
    if (!PassDown(std::move(frame), &writing_)) return relay_->ClientReady();
    in_flight_ = true;
    this->StartWrite(&writing_);
  }
  void OnSent() override { ReadNext(); }
  void OnEnd(const absl::Status& status) override {
    if (ended_) return;
    ended_ = true;
    end_ = status.ok() && relay_ != nullptr ? WellEnded() : status;
    FinishOnce();
  }

  void OnReadDone(bool ok) override {
    sessions_->relay_strand()->Post([this, ok] {
      if (ended_) return;
      if (ok) return OnRequest();
      if (relay_ == nullptr) return OnEnd(absl::InvalidArgumentError("the call begins with start"));
      // A client that has half-closed has no more input; it still waits for the output.
      half_closed_ = true;
      if (input_ended_) return;
      input_ended_ = true;
      v1::ControllerFrame frame;
      frame.set_stdin_eof(true);
      relay_->Send(std::move(frame));
    });
  }
  void OnWriteDone(bool ok) override {
    sessions_->relay_strand()->Post([this, ok] {
      in_flight_ = false;
      if (!ok) return ClientGone();
      if (ended_) return FinishOnce();
      relay_->ClientReady();
    });
  }
  void OnCancel() override {
    sessions_->relay_strand()->Post([this] { ClientGone(); });
  }
  void OnDone() override {
    sessions_->relay_strand()->Post([this] { delete this; });
  }

 protected:
  struct Opening {
    std::string node;
    v1::OpenStream open;
  };
  // What the first message asks for, and of which node.
  virtual absl::StatusOr<Opening> Open(const Cache& cache, const Request& first) = 0;
  // Nothing: the message is of no matter.
  virtual std::optional<v1::ControllerFrame> PassUp(Request* request) = 0;
  // False: the frame is of no matter.
  virtual bool PassDown(v1::NodeFrame frame, Response* response) = 0;
  // What it comes to when the node has ended the stream without an error.
  virtual absl::Status WellEnded() const = 0;

  // At the end of the constructor.
  void Start() { this->StartRead(&reading_); }

 private:
  void OnRequest() {
    if (relay_ == nullptr) return Begin();
    std::optional<v1::ControllerFrame> frame = PassUp(&reading_);
    if (!frame.has_value()) return ReadNext();
    input_ended_ = input_ended_ || frame->stdin_eof();
    relay_->Send(*std::move(frame));
  }

  void Begin() {
    absl::StatusOr<Opening> opening = Open(*cache_, reading_);
    if (!opening.ok()) return OnEnd(opening.status());
    relay_ = std::make_shared<Relay>(this);
    sessions_->Open(opening->node, std::move(opening->open), relay_);
    ReadNext();
  }

  void ReadNext() {
    if (ended_ || half_closed_) return;
    reading_.Clear();
    this->StartRead(&reading_);
  }

  void ClientGone() {
    if (relay_ != nullptr && !ended_) relay_->ClientGone();
    OnEnd(absl::CancelledError("the client is gone"));
    FinishOnce();
  }

  void FinishOnce() {
    if (!ended_ || in_flight_ || finished_) return;
    finished_ = true;
    this->Finish(ToGrpc(end_));
  }

  const Cache* const cache_;
  Sessions* const sessions_;
  Request reading_;

  // On the strand.
  std::shared_ptr<Relay> relay_;
  Response writing_;
  bool in_flight_ = false;
  bool ended_ = false;
  bool finished_ = false;
  bool input_ended_ = false;
  bool half_closed_ = false;  // nothing is read any more
  absl::Status end_;
};

}  // namespace cluster::controller
