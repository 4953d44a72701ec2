// Pseudo terminals: made in the container's own devpts, their masters handed to whoever asked, or
// served in the foreground. pty(7)
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/oci/config.h"

namespace cluster::oci {

struct Terminal {
  UniqueFd master;
  UniqueFd slave;
};

// In the container's process, its root being "/": a new one, the controlling terminal of the
// process, which leads a session. FailedPrecondition: /dev/pts/ptmx is not what it should be.
absl::StatusOr<Terminal> MakeTerminal(const Process& process);
// Puts it at /dev/console.
absl::Status MountConsole(const Terminal& terminal);
// Makes it 0, 1 and 2: the caller's own are let go of, and who reads them sees their end.
absl::Status UseTerminal(const Terminal& terminal);

// Connects to the unix socket at `path`, of a caller who wants the master.
absl::StatusOr<UniqueFd> ConnectConsole(const std::string& path);
absl::Status SendMaster(int socket, int master);

// Carries bytes between our own standard input and output and a pty's master, ours in raw mode for
// as long as this object lives when it is a terminal.
class Foreground {
 public:
  // `input` and `output` stay the caller's.
  Foreground(UniqueFd master, int input, int output);
  ~Foreground();
  Foreground(const Foreground&) = delete;
  Foreground& operator=(const Foreground&) = delete;

  // Descriptors to poll for POLLIN; -1 = that side has ended.
  int input() const { return input_; }
  int master() const { return master_.get(); }
  void PumpInput();
  // False at the end: the last process of the terminal is gone.
  bool PumpOutput();
  // Our terminal changed its size.
  void Resize();

 private:
  UniqueFd master_;
  int input_;
  const int output_;
  bool raw_ = false;
  struct Saved;
  Saved* saved_ = nullptr;
};

}  // namespace cluster::oci
