// The user's terminal while a program in a container has it.
#pragma once

#include <signal.h>
#include <termios.h>

#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "cluster/v1/api.pb.h"

namespace cluster::cli {

// Puts a terminal into raw mode and back; termios(3).
class RawMode {
 public:
  static absl::StatusOr<RawMode> Enter(int fd);
  RawMode(RawMode&& other) noexcept : fd_(std::exchange(other.fd_, -1)), before_(other.before_) {}
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  RawMode& operator=(RawMode&&) = delete;
  ~RawMode();

 private:
  RawMode(int fd, const termios& before) : fd_(fd), before_(before) {}
  int fd_;
  termios before_;
};

// Rows and columns of the terminal; NotFound when it has no size.
absl::StatusOr<v1::TerminalSize> SizeOfTerminal(int fd);

// Turns signals into bytes that poll(2) can wait for. One at a time in a program; the handlers that
// were there come back at its end.
class SignalPipe {
 public:
  static absl::StatusOr<std::unique_ptr<SignalPipe>> Open(std::initializer_list<int> signals);
  SignalPipe(const SignalPipe&) = delete;
  SignalPipe& operator=(const SignalPipe&) = delete;
  ~SignalPipe();

  int fd() const { return reader_.get(); }
  // The number of the next signal that came; call when fd() is readable. 0: none.
  int Take();

 private:
  SignalPipe(UniqueFd reader, UniqueFd writer)
      : reader_(std::move(reader)), writer_(std::move(writer)) {}
  UniqueFd reader_;
  UniqueFd writer_;
  std::vector<std::pair<int, struct sigaction>> before_;
};

}  // namespace cluster::cli
