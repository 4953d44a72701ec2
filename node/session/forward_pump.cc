#include "node/session/forward_pump.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/status.h"

namespace cluster::node {
namespace {

constexpr size_t kForwardPiece = 32 << 10;

UniqueFd NewEvent() { return UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

void RaiseEvent(const UniqueFd& event) {
  const uint64_t one = 1;
  // An eventfd only refuses when it is raised already.
  (void)!::write(event.get(), &one, sizeof one);
}

class ForwardPump {
 public:
  ForwardPump(PodConnection connection, DialBackStream* stream)
      : connection_(std::move(connection)),
        stream_(stream),
        stop_(NewEvent()),
        input_over_(NewEvent()),
        input_([this] { PassInput(); }) {}

  void Run() {
    absl::Status end = PassOutput();
    if (end.ok() && stream_->GiveStdoutEof()) end = AwaitInput();
    RaiseEvent(stop_);
    input_.join();
    // Before the other side hears of the end: whoever looks then finds nothing in the pod.
    connection_.socket.reset();
    if (end.ok()) {
      stream_->Finish();
    } else {
      stream_->FinishWithError(end);
    }
  }

 private:
  static absl::Status PodIsOver() { return absl::UnavailableError("the pod has ended"); }

  // Until the pod sends no more; Cancelled when the other side is gone.
  absl::Status PassOutput() {
    std::string piece(kForwardPiece, '\0');
    for (;;) {
      pollfd fds[] = {{connection_.socket.get(), POLLIN, 0},
                      {stream_->gone_fd(), POLLIN, 0},
                      {connection_.pod_end.get(), POLLIN, 0}};
      if (::poll(fds, 3, -1) < 0 && errno != EINTR) return ErrnoStatus("poll");
      if (fds[1].revents != 0) return absl::CancelledError("nobody listens any more");
      if (fds[0].revents == 0) {
        if (fds[2].revents != 0) return PodIsOver();
        continue;
      }
      const ssize_t got = ::read(connection_.socket.get(), piece.data(), piece.size());
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got < 0) return absl::UnavailableError("the pod broke the connection off");
      if (got == 0) return absl::OkStatus();
      if (!stream_->GiveStdout(absl::string_view(piece).substr(0, static_cast<size_t>(got)))) {
        return absl::CancelledError("nobody listens any more");
      }
    }
  }

  absl::Status AwaitInput() {
    for (;;) {
      pollfd fds[] = {{input_over_.get(), POLLIN, 0},
                      {stream_->gone_fd(), POLLIN, 0},
                      {connection_.pod_end.get(), POLLIN, 0}};
      if (::poll(fds, 3, -1) < 0 && errno != EINTR) return ErrnoStatus("poll");
      if (fds[0].revents != 0) return absl::OkStatus();
      if (fds[1].revents != 0) return absl::CancelledError("nobody listens any more");
      if (fds[2].revents != 0) return PodIsOver();
    }
  }

  // The input thread's: until the other side sends no more, or the pod takes no more.
  void PassInput() {
    while (Await(stream_->news_fd(), POLLIN) && !stream_->Gone()) {
      while (std::optional<v1::ControllerFrame> frame = stream_->Take()) {
        const bool last = frame->stdin_eof();
        if (last) ::shutdown(connection_.socket.get(), SHUT_WR);
        if (last || !WriteAll(frame->stdin())) return RaiseEvent(input_over_);
      }
    }
  }

  bool WriteAll(absl::string_view data) {
    while (!data.empty()) {
      const ssize_t put = ::send(connection_.socket.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (put >= 0) {
        data.remove_prefix(static_cast<size_t>(put));
      } else if (errno == EAGAIN) {
        if (!Await(connection_.socket.get(), POLLOUT)) return false;
      } else if (errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  // False: all is over.
  bool Await(int fd, short events) const {
    for (;;) {
      pollfd fds[] = {{fd, events, 0}, {stop_.get(), POLLIN, 0}};
      if (::poll(fds, 2, -1) < 0 && errno != EINTR) return false;
      if (fds[1].revents != 0) return false;
      if (fds[0].revents != 0) return true;
    }
  }

  PodConnection connection_;
  DialBackStream* const stream_;
  const UniqueFd stop_;
  const UniqueFd input_over_;
  std::thread input_;  // last: it uses all of the above
};

}  // namespace

void PumpConnection(PodConnection connection, DialBackStream* stream) {
  ForwardPump(std::move(connection), stream).Run();
}

}  // namespace cluster::node
