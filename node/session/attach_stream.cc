#include "node/session/attach_stream.h"

#include <utility>

#include "node/session/channel.h"

namespace cluster::node {

AttachStream::AttachStream(std::shared_ptr<grpc::Channel> channel, Events events)
    : channel_(std::move(channel)),
      stub_(v1::NodeSession::NewStub(channel_)),
      events_(std::move(events)) {}

std::shared_ptr<AttachStream> AttachStream::Open(std::shared_ptr<grpc::Channel> channel,
                                                 Events events) {
  std::shared_ptr<AttachStream> stream(new AttachStream(std::move(channel), std::move(events)));
  stream->self_ = stream;
  stream->stub_->async()->Attach(&stream->context_, stream.get());
  // Writes start from outside of gRPC's callbacks: without a hold the stream could end between
  // them.
  stream->AddHold();
  stream->ReadNext();
  stream->StartCall();
  return stream;
}

void AttachStream::Send(v1::NodeMessage message) {
  MutexLock lock(&mutex_);
  if (!open_) return;
  if (writing_) {
    queue_.push_back(std::move(message));
    return;
  }
  writing_ = true;
  outgoing_ = std::move(message);
  StartWrite(&outgoing_);
}

void AttachStream::ReadNext() {
  MutexLock lock(&mutex_);
  if (!open_ || reading_) return;
  reading_ = true;
  StartRead(&incoming_);
}

void AttachStream::Cancel() {
  context_.TryCancel();
  Close();
}

void AttachStream::Close() {
  {
    MutexLock lock(&mutex_);
    if (!open_) return;
    open_ = false;
    queue_.clear();
  }
  RemoveHold();
}

void AttachStream::OnReadDone(bool ok) {
  if (!ok) {
    Close();
    return;
  }
  v1::ControllerMessage message;
  {
    MutexLock lock(&mutex_);
    message.Swap(&incoming_);
    reading_ = false;
  }
  events_.message(std::move(message));
}

void AttachStream::OnWriteDone(bool ok) {
  MutexLock lock(&mutex_);
  writing_ = false;
  if (!ok || !open_ || queue_.empty()) return;
  writing_ = true;
  outgoing_ = std::move(queue_.front());
  queue_.pop_front();
  StartWrite(&outgoing_);
}

void AttachStream::OnDone(const grpc::Status& status) {
  // Copied, as the receiver may destroy this stream, and its own function with it.
  const auto done = events_.done;
  done(FromGrpc(status), std::move(self_));
}

Dial DialOverGrpc(std::string controller) {
  return [controller = std::move(controller)](ControllerStream::Events events) {
    auto channel = DialController(controller);
    return Dialled{AttachStream::Open(channel, std::move(events)), channel};
  };
}

}  // namespace cluster::node
