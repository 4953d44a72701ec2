#include "controller/session/dial_back_call.h"

namespace cluster::controller {

DialBackCall::DialBackCall(grpc::CallbackServerContext* context, RelayBoard* board, Strand* strand)
    : context_(context), board_(board), strand_(strand) {
  StartRead(&reading_);
}

void DialBackCall::Begin() {
  relay_ = board_->Take(reading_.hello());
  if (relay_ == nullptr) {
    return End(absl::NotFoundError("nobody waits for this stream any more"));
  }
  relay_->Attach(this);
}

void DialBackCall::Write(v1::ControllerFrame frame) {
  if (ending_) return;
  writing_ = std::move(frame);
  in_flight_ = true;
  StartWrite(&writing_);
}

void DialBackCall::Read() {
  if (ending_) return;
  reading_.Clear();
  StartRead(&reading_);
}

void DialBackCall::End(const absl::Status& status) {
  if (!ending_) {
    ending_ = true;
    status_ = grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                           std::string(status.message()));
    // A write to a peer that does not read would hold up the end.
    if (in_flight_) context_->TryCancel();
  }
  if (in_flight_ || finished_) return;
  finished_ = true;
  Finish(status_);
}

void DialBackCall::PeerGone(const absl::Status& why) {
  if (relay_ != nullptr && !ending_) relay_->NodeGone(why);
  End(absl::OkStatus());
}

// The node half-closes after its last frame. When it died instead, gRPC says so in the next moment.
void DialBackCall::AfterLastFrame() {
  strand_->PostAfter(absl::Milliseconds(2), [this] {
    if (ending_) return;
    PeerGone(context_->IsCancelled()
                 ? absl::UnavailableError("the node is gone in the middle of the stream")
                 : absl::OkStatus());
  });
}

void DialBackCall::OnReadDone(bool ok) {
  strand_->Post([this, ok] {
    if (ending_) return;
    if (!ok) return AfterLastFrame();
    if (relay_ == nullptr) return Begin();
    relay_->OnNodeFrame(std::move(reading_));
  });
}

void DialBackCall::OnWriteDone(bool ok) {
  strand_->Post([this, ok] {
    in_flight_ = false;
    if (ending_) return End(absl::OkStatus());
    if (ok) relay_->NodeReady();
  });
}

void DialBackCall::OnCancel() {
  strand_->Post(
      [this] { PeerGone(absl::UnavailableError("the node is gone in the middle of the stream")); });
}

void DialBackCall::OnDone() {
  strand_->Post([this] { delete this; });
}

}  // namespace cluster::controller
