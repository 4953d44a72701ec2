#include "node/oci/supervise.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <memory>

#include "base/status.h"
#include "node/init/sys.h"
#include "node/oci/terminal.h"

namespace cluster::oci {
namespace {

void PassOn(int signals, int pidfd, Foreground* foreground) {
  signalfd_siginfo caught{};
  while (::read(signals, &caught, sizeof caught) == sizeof caught) {
    const int signal = static_cast<int>(caught.ssi_signo);
    if (signal == SIGCHLD || signal == SIGPIPE) continue;
    if (signal == SIGWINCH) {
      if (foreground != nullptr) foreground->Resize();
      continue;
    }
    init::PidfdSendSignal(pidfd, signal);
  }
}

}  // namespace

absl::StatusOr<UniqueFd> CatchSignals() {
  sigset_t caught;
  sigfillset(&caught);
  // Faults of our own stay ours, and job control acts on all of the terminal's processes anyway.
  for (const int own :
       {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGTSTP, SIGTTIN, SIGTTOU}) {
    sigdelset(&caught, own);
  }
  if (::sigprocmask(SIG_BLOCK, &caught, nullptr) != 0) return ErrnoStatus("block", "signals");
  UniqueFd fd(::signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return ErrnoStatus("signalfd");
  return fd;
}

absl::StatusOr<int> Supervise(int pidfd, int signals, UniqueFd terminal) {
  std::unique_ptr<Foreground> foreground;
  if (terminal) foreground = std::make_unique<Foreground>(std::move(terminal), 0, 1);
  pollfd watched[4] = {{pidfd, POLLIN, 0}, {signals, POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}};
  bool output_open = foreground != nullptr;
  while ((watched[0].revents & POLLIN) == 0) {
    watched[2].fd = foreground == nullptr ? -1 : foreground->input();
    watched[3].fd = output_open ? foreground->master() : -1;
    if (::poll(watched, 4, -1) < 0 && errno != EINTR) return ErrnoStatus("poll");
    if (watched[1].revents != 0) PassOn(signals, pidfd, foreground.get());
    if (watched[2].revents != 0) foreground->PumpInput();
    if (watched[3].revents != 0) output_open = foreground->PumpOutput();
  }
  // What it wrote last.
  if (output_open) foreground->PumpOutput();
  siginfo_t ended{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &ended, WEXITED | __WALL) != 0) {
    if (errno != EINTR) return ErrnoStatus("wait for", "the container's process");
  }
  return ended.si_code == CLD_EXITED ? ended.si_status : 128 + ended.si_status;
}

}  // namespace cluster::oci
