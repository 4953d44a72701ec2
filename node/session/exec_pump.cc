#include "node/session/exec_pump.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/status/statusor.h"

#include "base/log.h"

namespace cluster::node {
namespace {

constexpr size_t kOutputPiece = 32 << 10;
// What a terminal takes as the end of input.
constexpr char kEndOfTransmission[] = "\x04";

class Pump {
 public:
  Pump(ExecProcess* process, bool tty, DialBackStream* stream)
      : process_(process),
        tty_(tty),
        stream_(stream),
        ended_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        waiter_([this] { AwaitEnd(); }) {}

  void Run() {
    while (!finished_) Turn();
    if (stream_->Gone()) process_->Kill();
    waiter_.join();
    if (!exit_code_.ok()) {
      stream_->FinishWithError(exit_code_.status());
    } else {
      stream_->FinishWithExit(*exit_code_);
    }
  }

 private:
  enum { kOut, kErr, kIn, kNews, kGone, kEnded, kCount };

  void AwaitEnd() {
    exit_code_ = process_->Wait();
    const uint64_t one = 1;
    (void)!::write(ended_.get(), &one, sizeof one);
  }

  // Of a command with a terminal there is one descriptor for both.
  int InputFd() const {
    const bool both = tty_ && !process_->stdin_fd.valid() && !process_->stderr_fd.valid();
    return both ? process_->stdout_fd.get() : process_->stdin_fd.get();
  }

  void Turn() {
    pollfd fds[kCount];
    fds[kOut] = {process_->stdout_fd.get(), POLLIN, 0};
    fds[kErr] = {tty_ ? -1 : process_->stderr_fd.get(), POLLIN, 0};
    fds[kIn] = {input_.empty() ? -1 : InputFd(), POLLOUT, 0};
    // While input waits for the command no more of it is taken.
    fds[kNews] = {input_.empty() ? stream_->news_fd() : -1, POLLIN, 0};
    fds[kGone] = {stream_->gone_fd(), POLLIN, 0};
    fds[kEnded] = {ended_.get(), POLLIN, 0};
    if (::poll(fds, kCount, -1) < 0) return;
    const bool ended = fds[kEnded].revents != 0;
    bool moved = false;
    if (fds[kOut].revents != 0) moved |= MoveOutput(&process_->stdout_fd, false);
    if (fds[kErr].revents != 0) moved |= MoveOutput(&process_->stderr_fd, true);
    if (fds[kIn].revents != 0) MoveInput();
    if (fds[kNews].revents != 0) TakeFrames();
    // What it wrote before it ended is in the pipes by now; what its children may still write is
    // not waited for.
    finished_ |= fds[kGone].revents != 0 || (ended && !moved);
  }

  // True when something came out.
  bool MoveOutput(UniqueFd* fd, bool is_stderr) {
    char piece[kOutputPiece];
    const ssize_t got = ::read(fd->get(), piece, sizeof piece);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) {  // EIO: the last one has closed the terminal
      fd->reset();
      return false;
    }
    const absl::string_view data(piece, static_cast<size_t>(got));
    const bool given = is_stderr ? stream_->GiveStderr(data) : stream_->GiveStdout(data);
    finished_ |= !given;
    return given;
  }

  void MoveInput() {
    const ssize_t put = ::write(InputFd(), input_.data(), input_.size());
    if (put > 0) {
      input_.erase(0, static_cast<size_t>(put));
    } else if (put < 0 && errno != EAGAIN && errno != EINTR) {
      input_.clear();  // it no longer reads; what comes is for nobody
      if (!tty_) process_->stdin_fd.reset();
    }
    if (input_.empty() && input_ended_ && !tty_) process_->stdin_fd.reset();
  }

  void TakeFrames() {
    while (input_.empty()) {
      std::optional<v1::ControllerFrame> frame = stream_->Take();
      if (!frame) return;
      if (frame->has_resize()) {
        const absl::Status resized =
            process_->Resize({static_cast<uint16_t>(frame->resize().rows()),
                              static_cast<uint16_t>(frame->resize().columns())});
        if (!resized.ok()) LOG_DEBUG("resize: {}", resized.ToString());
      }
      if (frame->frame_case() == v1::ControllerFrame::kStdinEof) {
        input_ended_ = true;
        if (tty_) {
          input_ = kEndOfTransmission;
        } else {
          process_->stdin_fd.reset();
        }
      }
      if (frame->frame_case() == v1::ControllerFrame::kStdin && InputFd() >= 0) {
        input_ = std::move(*frame->mutable_stdin());
      }
    }
  }

  ExecProcess* const process_;
  const bool tty_;
  DialBackStream* const stream_;
  std::string input_;
  bool input_ended_ = false;
  bool finished_ = false;
  absl::StatusOr<int> exit_code_ = absl::UnknownError("still running");  // the waiter's
  UniqueFd ended_;
  std::thread waiter_;
};

}  // namespace

void PumpExec(ExecProcess* process, bool tty, DialBackStream* stream) {
  Pump(process, tty, stream).Run();
}

}  // namespace cluster::node
