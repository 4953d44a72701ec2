#include "node/oci/hooks.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "base/file.h"
#include "base/status.h"
#include "node/init/sys.h"
#include "node/oci/signals.h"

namespace cluster::oci {
namespace {

constexpr size_t kKeptOutput = 4096;

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void Execute(const Hook& hook, int input, int output) {
  ResetSignals();
  if (::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0 ||
      ::close_range(3, ~0u, 0) != 0) {
    _exit(126);
  }
  std::vector<std::string> arguments = hook.args;
  if (arguments.empty()) arguments.push_back(hook.path);
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> env = hook.env ? Pointers(*hook.env) : std::vector<char*>();
  ::execve(hook.path.c_str(), argv.data(), hook.env.has_value() ? env.data() : environ);
  const std::string complaint = absl::StrCat(ErrnoStatus("exec", hook.path).message(), "\n");
  (void)!::write(2, complaint.data(), complaint.size());
  _exit(127);
}

// A file, not a pipe: who does not read its state blocks nobody.
absl::StatusOr<UniqueFd> StateFile(const std::string& state) {
  UniqueFd fd(::memfd_create("state", MFD_CLOEXEC));
  if (!fd) return ErrnoStatus("memfd_create", "state");
  RETURN_IF_ERROR(WriteAll(fd.get(), state));
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return ErrnoStatus("seek", "state");
  return fd;
}

// Follows one hook to its end.
class Running {
 public:
  Running(const Hook& hook, UniqueFd process, UniqueFd output)
      : hook_(hook), process_(std::move(process)), output_(std::move(output)) {}

  absl::Status Await() {
    const absl::Time deadline = hook_.timeout_seconds == 0
                                    ? absl::InfiniteFuture()
                                    : absl::Now() + absl::Seconds(hook_.timeout_seconds);
    bool in_time = true;
    pollfd watched[2] = {{process_.get(), POLLIN, 0}, {output_.get(), POLLIN, 0}};
    while ((watched[0].revents & POLLIN) == 0) {
      const absl::Duration left = deadline - absl::Now();
      in_time = left > absl::ZeroDuration();
      if (!in_time) break;
      const int wait = left == absl::InfiniteDuration()
                           ? -1
                           : static_cast<int>(absl::ToInt64Milliseconds(left)) + 1;
      if (::poll(watched, 2, wait) < 0 && errno != EINTR)
        return ErrnoStatus("wait for", hook_.path);
      if (watched[1].revents != 0 && !Drain()) watched[1].fd = -1;
    }
    if (!in_time) init::PidfdSendSignal(process_.get(), SIGKILL);
    siginfo_t ended{};
    while (::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &ended, WEXITED) != 0 &&
           errno == EINTR) {
    }
    Drain();
    return Judge(in_time, ended);
  }

 private:
  // False at the end. What it left running may hold the other end for ever: only what is there.
  bool Drain() {
    char buffer[4096];
    for (;;) {
      const ssize_t got = ::read(output_.get(), buffer, sizeof buffer);
      if (got < 0) return errno == EAGAIN || errno == EINTR;
      if (got == 0) return false;
      printed_.append(buffer, static_cast<size_t>(got));
      if (printed_.size() > kKeptOutput) printed_.erase(0, printed_.size() - kKeptOutput);
    }
  }

  absl::Status Judge(bool in_time, const siginfo_t& ended) const {
    const std::string printed(absl::StripAsciiWhitespace(printed_));
    const std::string tail = printed.empty() ? "" : absl::StrCat(": ", printed);
    if (!in_time) {
      return absl::DeadlineExceededError(absl::StrCat(
          hook_.path, " did not end within ", hook_.timeout_seconds, " s and was killed", tail));
    }
    if (ended.si_code == CLD_EXITED && ended.si_status == 0) return absl::OkStatus();
    const char* how = ended.si_code == CLD_EXITED ? "exit status " : "signal ";
    return absl::FailedPreconditionError(
        absl::StrCat(hook_.path, " failed with ", how, ended.si_status, tail));
  }

  const Hook& hook_;
  UniqueFd process_;
  UniqueFd output_;
  std::string printed_;
};

absl::Status RunHook(const Hook& hook, const std::string& state) {
  ASSIGN_OR_RETURN(const UniqueFd input, StateFile(state));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus("pipe");
  UniqueFd output(ends[0]);
  UniqueFd others(ends[1]);
  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
  int pidfd = -1;
  const pid_t pid = init::Clone3(0, SIGCHLD, &pidfd, -1);
  if (pid == 0) Execute(hook, input.get(), others.get());
  if (pid < 0) return ErrnoStatus("clone3", hook.path);
  others.reset();
  return Running(hook, UniqueFd(pidfd), std::move(output)).Await();
}

}  // namespace

absl::Status RunHooks(const char* kind, const std::vector<Hook>& hooks, const std::string& state,
                      bool all) {
  absl::Status first;
  for (const Hook& hook : hooks) {
    const absl::Status ran = RunHook(hook, state);
    first.Update(Annotate(ran, absl::StrCat(kind, " hook")));
    if (!first.ok() && !all) return first;
  }
  return first;
}

}  // namespace cluster::oci
