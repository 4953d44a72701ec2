#include "controller/session/attach_call.h"

#include <algorithm>

namespace cluster::controller {
namespace {

// Acks are cumulative, so a later one says everything that an earlier one of its sort said.
bool Replaces(const v1::ControllerMessage& later, const v1::ControllerMessage& earlier) {
  return later.message_case() == earlier.message_case() &&
         (later.has_beat_ack() || later.has_status_ack());
}

}  // namespace

AttachCall::AttachCall(grpc::CallbackServerContext* context, Hub* hub, Strand* strand,
                       const Clock* clock)
    : context_(context), hub_(hub), strand_(strand), clock_(clock) {
  StartRead(&reading_);
}

void AttachCall::Send(v1::ControllerMessage message) {
  if (closing_) return;
  const auto same = std::find_if(queue_.begin(), queue_.end(),
                                 [&](const auto& waiting) { return Replaces(message, waiting); });
  if (same != queue_.end()) {
    *same = std::move(message);
  } else {
    queue_.push_back(std::move(message));
  }
  Pump();
}

void AttachCall::Pump() {
  if (in_flight_ || closing_ || queue_.empty()) return;
  writing_ = std::move(queue_.front());
  queue_.pop_front();
  in_flight_ = true;
  StartWrite(&writing_);
}

void AttachCall::Close(const absl::Status& why) {
  // Posted, because the hub may be in the middle of using this link.
  strand_->Post([this, status = grpc::Status(static_cast<grpc::StatusCode>(why.raw_code()),
                                             std::string(why.message()))] { Closed(status); });
}

void AttachCall::Closed(const grpc::Status& status) {
  if (!closing_) {
    closing_ = true;
    status_ = status;
    queue_.clear();
    // A write to a peer that does not read would hold up the end.
    if (in_flight_) context_->TryCancel();
  }
  if (!told_hub_) {
    told_hub_ = true;
    hub_->OnClosed(this);
  }
  End();
}

void AttachCall::End() {
  if (!closing_ || in_flight_ || finished_) return;
  finished_ = true;
  Finish(status_);
}

void AttachCall::OnReadDone(bool ok) {
  if (!ok) {
    strand_->Post([this] { Closed(grpc::Status::OK); });
    return;
  }
  auto message = std::make_shared<v1::NodeMessage>(std::move(reading_));
  // The next message is read only once this one was looked at: the strand is the bound.
  strand_->Post([this, message, received = clock_->Monotonic()] {
    if (closing_) return;
    hub_->OnMessage(this, *message, received);
    if (closing_) return;
    reading_.Clear();
    StartRead(&reading_);
  });
}

void AttachCall::OnWriteDone(bool ok) {
  strand_->Post([this, ok] {
    in_flight_ = false;
    const bool assignments = writing_.has_assignments();
    if (!ok) return Closed(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the node is gone"));
    if (closing_) return End();
    if (assignments) hub_->OnAssignmentsSent(this);
    Pump();
  });
}

void AttachCall::OnCancel() {
  strand_->Post([this] { Closed(grpc::Status(grpc::StatusCode::CANCELLED, "the node is gone")); });
}

void AttachCall::OnDone() {
  // Behind everything that was posted before.
  strand_->Post([this] { delete this; });
}

}  // namespace cluster::controller
