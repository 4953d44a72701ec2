#include "cli/commands/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>

#include "base/status.h"

namespace cluster::cli {
namespace {

std::atomic<int> signal_writer{-1};

// Async-signal-safe. A full pipe drops the byte: whoever reads it has enough to do already.
void OnSignal(int signal) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(signal);
  const ssize_t written = write(signal_writer.load(), &byte, 1);
  static_cast<void>(written);
  errno = saved;
}

}  // namespace

absl::StatusOr<RawMode> RawMode::Enter(int fd) {
  termios before{};
  if (tcgetattr(fd, &before) != 0) return ErrnoStatus("tcgetattr", "the terminal");
  termios raw = before;
  cfmakeraw(&raw);
  if (tcsetattr(fd, TCSADRAIN, &raw) != 0) return ErrnoStatus("tcsetattr", "the terminal");
  return RawMode(fd, before);
}

RawMode::~RawMode() {
  if (fd_ >= 0) tcsetattr(fd_, TCSADRAIN, &before_);
}

absl::StatusOr<v1::TerminalSize> SizeOfTerminal(int fd) {
  winsize window{};
  if (ioctl(fd, TIOCGWINSZ, &window) != 0) return ErrnoStatus("TIOCGWINSZ", "the terminal");
  if (window.ws_row == 0 || window.ws_col == 0) {
    return absl::NotFoundError("the terminal has no size");
  }
  v1::TerminalSize size;
  size.set_rows(window.ws_row);
  size.set_columns(window.ws_col);
  return size;
}

absl::StatusOr<std::unique_ptr<SignalPipe>> SignalPipe::Open(std::initializer_list<int> signals) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return ErrnoStatus("pipe2");
  auto pipe = std::unique_ptr<SignalPipe>(new SignalPipe(UniqueFd(ends[0]), UniqueFd(ends[1])));
  signal_writer.store(ends[1]);
  for (const int signal : signals) {
    struct sigaction action {};
    action.sa_handler = OnSignal;
    action.sa_flags = SA_RESTART;
    struct sigaction before {};
    if (sigaction(signal, &action, &before) != 0) return ErrnoStatus("sigaction");
    pipe->before_.emplace_back(signal, before);
  }
  return pipe;
}

SignalPipe::~SignalPipe() {
  for (const auto& [signal, before] : before_) sigaction(signal, &before, nullptr);
  signal_writer.store(-1);
}

int SignalPipe::Take() {
  unsigned char byte = 0;
  return read(reader_.get(), &byte, 1) == 1 ? byte : 0;
}

}  // namespace cluster::cli
