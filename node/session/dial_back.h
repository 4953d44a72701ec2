// A stream that the controller asked for, as the node sees it: frames up, frames down, and a
// descriptor that tells that the other side is gone.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "grpcpp/grpcpp.h"

#include "base/mutex.h"
#include "base/unique_handle.h"
#include "cluster/v1/session.grpc.pb.h"

namespace cluster::node {

// Give* are called by one thread at a time and block while the receiver is slow; the rest is
// thread-safe.
class DialBackStream {
 public:
  // Dials and says hello. The frames that come in are read by a thread of the stream.
  DialBackStream(std::shared_ptr<grpc::Channel> channel, const std::string& stream_id);
  ~DialBackStream();

  // False: the other side is gone.
  bool GiveStdout(absl::string_view data);
  bool GiveStderr(absl::string_view data);
  bool GiveStdoutEof();
  bool GiveStats(v1::NodeStats stats);
  // The last frame, then the end of the stream.
  void FinishWithExit(int exit_code);
  void FinishWithError(const absl::Status& status);
  void Finish();

  // The next frame that came in, if any. After input was taken, reading goes on.
  std::optional<v1::ControllerFrame> Take();
  // Readable (eventfd) while there are frames to take or the other side is gone.
  int news_fd() const { return news_.get(); }
  // Readable once the other side is gone; also after Cancel.
  int gone_fd() const { return gone_.get(); }
  bool Gone() const;
  void Cancel() { context_.TryCancel(); }

 private:
  // Input that may wait to be taken before reading pauses.
  static constexpr size_t kMaxWaitingBytes = 256 << 10;
  void Read();
  bool Give(const v1::NodeFrame& frame);

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::NodeSession::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::NodeFrame, v1::ControllerFrame>> stream_;
  UniqueFd news_;
  UniqueFd gone_;

  mutable Mutex mutex_;
  CondVar taken_;
  std::deque<v1::ControllerFrame> frames_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_gone_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread reader_;
};

}  // namespace cluster::node
