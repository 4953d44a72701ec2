#include "node/session/dial_back.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace cluster::node {
namespace {

void Raise(int event_fd) {
  const uint64_t one = 1;
  // An eventfd only refuses when it is raised already.
  (void)!::write(event_fd, &one, sizeof one);
}

void Lower(int event_fd) {
  uint64_t count = 0;
  (void)!::read(event_fd, &count, sizeof count);
}

}  // namespace

DialBackStream::DialBackStream(std::shared_ptr<grpc::Channel> channel, const std::string& stream_id)
    : channel_(std::move(channel)),
      stub_(v1::NodeSession::NewStub(channel_)),
      news_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      gone_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  stream_ = stub_->DialBack(&context_);
  v1::NodeFrame hello;
  hello.set_hello(stream_id);
  Give(hello);
  reader_ = std::thread([this] { Read(); });
}

DialBackStream::~DialBackStream() {
  {
    MutexLock lock(&mutex_);
    finishing_ = true;
    taken_.SignalAll();
  }
  if (reader_.joinable()) {
    context_.TryCancel();
    reader_.join();
    (void)stream_->Finish();
  }
}

void DialBackStream::Read() {
  v1::ControllerFrame frame;
  while (stream_->Read(&frame)) {
    MutexLock lock(&mutex_);
    waiting_bytes_ += frame.stdin().size();
    frames_.push_back(std::move(frame));
    Raise(news_.get());
    while (waiting_bytes_ > kMaxWaitingBytes && !finishing_) taken_.Wait(&mutex_);
  }
  MutexLock lock(&mutex_);
  is_gone_ = true;
  Raise(gone_.get());
  Raise(news_.get());
}

std::optional<v1::ControllerFrame> DialBackStream::Take() {
  MutexLock lock(&mutex_);
  if (frames_.empty()) {
    if (!is_gone_) Lower(news_.get());
    return std::nullopt;
  }
  v1::ControllerFrame frame = std::move(frames_.front());
  frames_.pop_front();
  waiting_bytes_ -= frame.stdin().size();
  taken_.SignalAll();
  return frame;
}

bool DialBackStream::Gone() const {
  MutexLock lock(&mutex_);
  return is_gone_;
}

bool DialBackStream::Give(const v1::NodeFrame& frame) { return stream_->Write(frame); }

bool DialBackStream::GiveStdout(absl::string_view data) {
  v1::NodeFrame frame;
  frame.set_stdout(data.data(), data.size());
  return Give(frame);
}

bool DialBackStream::GiveStderr(absl::string_view data) {
  v1::NodeFrame frame;
  frame.set_stderr(data.data(), data.size());
  return Give(frame);
}

bool DialBackStream::GiveStdoutEof() {
  v1::NodeFrame frame;
  frame.set_stdout_eof(true);
  return Give(frame);
}

bool DialBackStream::GiveStats(v1::NodeStats stats) {
  v1::NodeFrame frame;
  *frame.mutable_stats() = std::move(stats);
  return Give(frame);
}

void DialBackStream::FinishWithExit(int exit_code) {
  v1::NodeFrame frame;
  frame.set_exit_code(exit_code);
  Give(frame);
  Finish();
}

void DialBackStream::FinishWithError(const absl::Status& status) {
  v1::NodeFrame frame;
  frame.mutable_error()->set_code(static_cast<int32_t>(status.code()));
  frame.mutable_error()->set_message(std::string(status.message()));
  Give(frame);
  Finish();
}

void DialBackStream::Finish() {
  {
    MutexLock lock(&mutex_);
    finishing_ = true;
    taken_.SignalAll();
  }
  stream_->WritesDone();
  // The controller ends its side once it has passed everything on.
  reader_.join();
  (void)stream_->Finish();
}

}  // namespace cluster::node
