#include "cli/local/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::cli {
namespace {

struct OpenedLaunch {
  UniqueFd log;
  UniqueFd null;
  UniqueFd mount_ns;
  UniqueFd net_ns;
  UniqueFd cgroup_procs;
  std::vector<char*> argv;
};

std::vector<char*> CArguments(const std::vector<std::string>& argv) {
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  return arguments;
}

absl::StatusOr<OpenedLaunch> OpenAll(const LaunchSpec& spec) {
  OpenedLaunch opened;
  ASSIGN_OR_RETURN(opened.log,
                   OpenAt(AT_FDCWD, spec.log_file, O_WRONLY | O_CREAT | O_APPEND, 0644));
  ASSIGN_OR_RETURN(opened.null, OpenAt(AT_FDCWD, "/dev/null", O_RDWR));
  if (!spec.mount_ns.empty()) {
    ASSIGN_OR_RETURN(opened.mount_ns, OpenAt(AT_FDCWD, spec.mount_ns, O_RDONLY));
  }
  if (!spec.net_ns.empty()) {
    ASSIGN_OR_RETURN(opened.net_ns, OpenAt(AT_FDCWD, spec.net_ns, O_RDONLY));
  }
  if (!spec.cgroup.empty()) {
    ASSIGN_OR_RETURN(opened.cgroup_procs,
                     OpenAt(AT_FDCWD, spec.cgroup + "/cgroup.procs", O_WRONLY));
  }
  opened.argv = CArguments(spec.argv);
  return opened;
}

// In the child: only system calls. Returns the errno of what failed.
int EnterAndExec(const OpenedLaunch& opened) {
  if (setsid() < 0) return errno;
  if (opened.cgroup_procs && write(opened.cgroup_procs.get(), "0", 1) != 1) return errno;
  if (opened.net_ns && setns(opened.net_ns.get(), CLONE_NEWNET) != 0) return errno;
  if (opened.mount_ns && setns(opened.mount_ns.get(), CLONE_NEWNS) != 0) return errno;
  if (dup2(opened.null.get(), 0) < 0 || dup2(opened.log.get(), 1) < 0 ||
      dup2(opened.log.get(), 2) < 0) {
    return errno;
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execv(opened.argv[0], opened.argv.data());
  return errno;
}

absl::StatusOr<uint64_t> StartTicks(int pid) {
  ASSIGN_OR_RETURN(const std::string stat, ReadFile(absl::StrCat("/proc/", pid, "/stat")));
  const size_t close = stat.rfind(')');
  if (close == std::string::npos) return absl::InternalError("malformed /proc/PID/stat");
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(stat).substr(close + 2), ' ');
  uint64_t ticks = 0;
  if (fields.size() < 20 || fields[0] == "Z" || !absl::SimpleAtoi(fields[19], &ticks)) {
    return absl::NotFoundError(absl::StrCat("process ", pid, " has ended"));
  }
  return ticks;
}

}  // namespace

absl::Status Launch(const LaunchSpec& spec) {
  ASSIGN_OR_RETURN(const OpenedLaunch opened, OpenAll(spec));
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return ErrnoStatus("pipe");
  UniqueFd read_end(pipe_fds[0]);
  UniqueFd write_end(pipe_fds[1]);
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus("fork");
  if (child == 0) {
    const int error = EnterAndExec(opened);
    if (write(write_end.get(), &error, sizeof error) < 0) _exit(126);
    _exit(127);
  }
  write_end.reset();
  int error = 0;
  if (read(read_end.get(), &error, sizeof error) == sizeof error) {
    waitpid(child, nullptr, 0);
    return ErrnoStatus(error, "start", spec.argv[0]);
  }
  ASSIGN_OR_RETURN(const uint64_t ticks, StartTicks(child));
  return WriteFileDurably(spec.pid_file, absl::StrCat(child, " ", ticks, "\n"));
}

absl::StatusOr<ProcessRecord> FindRunning(const std::string& pid_file) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(pid_file));
  const std::vector<absl::string_view> fields =
      absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  ProcessRecord record;
  if (fields.size() != 2 || !absl::SimpleAtoi(fields[0], &record.pid) ||
      !absl::SimpleAtoi(fields[1], &record.start_ticks)) {
    return absl::DataLossError(absl::StrCat(pid_file, " is not a process record"));
  }
  ASSIGN_OR_RETURN(const uint64_t ticks, StartTicks(record.pid));
  if (ticks != record.start_ticks) return absl::NotFoundError("its pid belongs to another process");
  return record;
}

absl::Status End(const std::string& pid_file, int signal, absl::Duration patience) {
  const absl::StatusOr<ProcessRecord> record = FindRunning(pid_file);
  if (!record.ok()) return absl::OkStatus();
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, record->pid, 0)));
  if (!pidfd) return absl::OkStatus();
  // Opened by number: make sure that it is still the one that was recorded.
  if (!FindRunning(pid_file).ok()) return absl::OkStatus();
  if (syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) != 0 && errno != ESRCH) {
    return ErrnoStatus("signal", absl::StrCat("process ", record->pid));
  }
  pollfd poller{pidfd.get(), POLLIN, 0};
  if (poll(&poller, 1, static_cast<int>(absl::ToInt64Milliseconds(patience))) != 1) {
    return absl::DeadlineExceededError(absl::StrCat(
        "process ", record->pid, " does not end within ", absl::FormatDuration(patience)));
  }
  waitpid(record->pid, nullptr, WNOHANG);  // Ours when this very command started it.
  return absl::OkStatus();
}

absl::StatusOr<int> RunInNetns(const std::string& net_ns, const std::vector<std::string>& argv) {
  ASSIGN_OR_RETURN(const UniqueFd ns, OpenAt(AT_FDCWD, net_ns, O_RDONLY));
  const std::vector<char*> arguments = CArguments(argv);
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus("fork");
  if (child == 0) {
    if (setns(ns.get(), CLONE_NEWNET) != 0) _exit(126);
    execvp(arguments[0], arguments.data());
    _exit(errno == ENOENT ? 127 : 126);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return ErrnoStatus("wait for", argv[0]);
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace cluster::cli
