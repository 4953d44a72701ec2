#include "node/oci/exec.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/oci/channel.h"
#include "node/oci/identity.h"
#include "node/oci/names.h"
#include "node/oci/namespaces.h"
#include "node/oci/seccomp.h"
#include "node/oci/signals.h"
#include "node/oci/supervise.h"
#include "node/oci/terminal.h"

namespace cluster::oci {
namespace {

constexpr int kMaxPreserved = 10'000;

// What the process inside needs.
struct Inside {
  const Config* config = nullptr;
  const Process* process = nullptr;
  const SeccompFilter* seccomp = nullptr;
  bool other_users = false;  // than ours
  UniqueFd proc;
  UniqueFd bare_root;  // of a container without mounts of its own
  UniqueFd console;
  Channel channel;
  int preserved_fds = 0;
};

absl::Status BecomeNamespaceRoot() {
  if (::setgroups(0, nullptr) != 0 && errno != EPERM) return ErrnoStatus("setgroups");
  if (::syscall(SYS_setresgid, 0, 0, 0) != 0) return ErrnoStatus("setresgid", "0");
  if (::syscall(SYS_setresuid, 0, 0, 0) != 0) return ErrnoStatus("setresuid", "0");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoStatus("clear", "dumpable");
  return absl::OkStatus();
}

absl::Status OpenTerminal(Inside* inside) {
  ASSIGN_OR_RETURN(const Terminal terminal, MakeTerminal(*inside->process));
  RETURN_IF_ERROR(inside->console
                      ? SendMaster(inside->console.get(), terminal.master.get())
                      : inside->channel.Send(Packet::kTerminal, "", {terminal.master.get()}));
  return UseTerminal(terminal);
}

absl::Status Become(Inside* inside) {
  ResetSignals();
  ::umask(0);
  if (::setsid() < 0) return ErrnoStatus("setsid");
  const Process& process = *inside->process;
  if (inside->other_users) RETURN_IF_ERROR(BecomeNamespaceRoot());
  if (inside->bare_root && (::fchdir(inside->bare_root.get()) != 0 || ::chroot(".") != 0)) {
    return ErrnoStatus("chroot", "the container's root");
  }
  if (process.terminal) RETURN_IF_ERROR(OpenTerminal(inside));
  ASSIGN_OR_RETURN(const UniqueFd root, OpenAt(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  IdentityInputs inputs;
  inputs.env = CompleteEnvironment(root.get(), process);
  ASSIGN_OR_RETURN(const UniqueFd directory,
                   MakeDirectoryIn(root.get(), process.cwd, Links::kFollow));
  ASSIGN_OR_RETURN(inputs.program, FindProgram(directory.get(), process.args[0], inputs.env));
  if (inside->other_users && !process.rlimits.empty()) {
    // Hard limits can be raised by the machine's root alone.
    RETURN_IF_ERROR(inside->channel.Send(Packet::kLimits));
    RETURN_IF_ERROR(inside->channel.Expect(Packet::kLimited).status());
  }
  inputs.process = &process;
  inputs.seccomp = inside->seccomp;
  inputs.proc = inside->proc.get();
  inputs.preserved_fds = inside->preserved_fds;
  inputs.set_rlimits = !inside->other_users;
  // It shares the session keyring of nobody, as the container's first process does.
  inputs.keyring = "_ses";
  inputs.personality = inside->config->linux_.personality;
  return BecomeProcess(inputs, &inside->channel);
}

absl::StatusOr<bool> IsOurs(int pid, int flag) {
  struct stat own {};
  struct stat its {};
  const std::string file = absl::StrCat("/ns/", NamespaceFile(flag));
  if (::stat(absl::StrCat("/proc/self", file).c_str(), &own) != 0 ||
      ::stat(absl::StrCat("/proc/", pid, file).c_str(), &its) != 0) {
    return ErrnoStatus("look at", file);
  }
  return own.st_dev == its.st_dev && own.st_ino == its.st_ino;
}

class ExecSession {
 public:
  ExecSession(Container* container, const Config& config, const Process& process,
              const ExecOptions& options)
      : container_(*container),
        config_(config),
        process_(process),
        options_(options),
        preserved_fds_(options.preserved_fds) {}

  absl::StatusOr<int> Run() {
    if (config_.linux_.seccomp) {
      ASSIGN_OR_RETURN(seccomp_,
                       CompileSeccomp(*config_.linux_.seccomp,
                                      process_.capabilities.value_or(Capabilities()).bounding));
    }
    RETURN_IF_ERROR(CheckTerminal());
    if (!options_.detach) {
      ASSIGN_OR_RETURN(signals_, CatchSignals());
    }
    RETURN_IF_ERROR(Clone());
    RETURN_IF_ERROR(WritePidFile(options_.pid_file, clone_.pid));
    RETURN_IF_ERROR(Attend());
    if (options_.detach) return 0;
    return Supervise(clone_.pidfd.get(), signals_.get(), std::move(terminal_));
  }

 private:
  absl::Status CheckTerminal() const {
    if (process_.terminal && options_.console_socket.empty() && options_.detach) {
      return absl::InvalidArgumentError("a detached terminal needs --console-socket");
    }
    if (!process_.terminal && !options_.console_socket.empty()) {
      return absl::InvalidArgumentError("--console-socket is for a process with a terminal");
    }
    return absl::OkStatus();
  }

  absl::Status Clone() {
    Inside inside;
    inside.preserved_fds = preserved_fds_;
    inside.config = &config_;
    inside.process = &process_;
    inside.seccomp = &seccomp_;
    ASSIGN_OR_RETURN(inside.proc, OpenAt(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
    const int pid = container_.state().pid;
    NamespacePlan plan;
    int flags = 0;
    for (const Namespace& name_space : config_.linux_.namespaces) {
      ASSIGN_OR_RETURN(const bool ours, IsOurs(pid, name_space.flag));
      if (!ours) flags |= name_space.flag;
    }
    inside.other_users = (flags & CLONE_NEWUSER) != 0;
    if ((flags & CLONE_NEWNS) == 0) {
      ASSIGN_OR_RETURN(inside.bare_root, OpenAt(AT_FDCWD, absl::StrCat("/proc/", pid, "/root"),
                                                O_PATH | O_DIRECTORY));
    }
    if (!options_.console_socket.empty()) {
      ASSIGN_OR_RETURN(inside.console, ConnectConsole(options_.console_socket));
    }
    ASSIGN_OR_RETURN(
        const ProcessGroups groups,
        ProcessGroups::Open(&container_.layout(), container_.state().cgroup, options_.sub_groups));
    ASSIGN_OR_RETURN(const std::vector<UniqueFd> tasks, groups.OpenTasks());
    plan.enter = [&] { return Enter(inside, tasks, flags); };
    ASSIGN_OR_RETURN(auto channel, Channel::MakePair());
    inside.channel = std::move(channel.second);
    ASSIGN_OR_RETURN(clone_, CloneInto(plan, groups.unified_fd(), [&] {
                       channel.first.Close();
                       const absl::Status failed = Become(&inside);
                       (void)inside.channel.Send(Packet::kFailed, failed.message());
                       _exit(1);
                     }));
    channel_ = std::move(channel.first);
    return absl::OkStatus();
  }

  // In the process that joins, with all our rights. Single-threaded: see child.cc.
  absl::Status Enter(const Inside& inside, const std::vector<UniqueFd>& tasks, int flags) {
    const auto& score =
        process_.oom_score_adj ? process_.oom_score_adj : config_.process->oom_score_adj;
    if (score) {
      const absl::Status set =
          WriteControlAt(inside.proc.get(), "self/oom_score_adj", absl::StrCat(*score));
      if (!set.ok() && !absl::IsPermissionDenied(set)) return set;
    }
    for (const UniqueFd& fd : tasks) {
      if (::write(fd.get(), "0", 1) != 1) return ErrnoStatus("enter", "cgroup");
    }
    if (flags != 0 && ::setns(container_.process(), flags) != 0) {
      return ErrnoStatus("enter the namespaces of", container_.state().id);
    }
    return absl::OkStatus();
  }

  // Until it has executed.
  absl::Status Attend() {
    for (;;) {
      ASSIGN_OR_RETURN(Message message, channel_.Receive());
      if (message.kind == Packet::kEnd) return absl::OkStatus();
      if (message.kind == Packet::kLimits) {
        RETURN_IF_ERROR(SetRlimits(process_.rlimits, clone_.pid));
        RETURN_IF_ERROR(channel_.Send(Packet::kLimited));
      } else if (message.kind == Packet::kTerminal && !message.fds.empty()) {
        terminal_ = std::move(message.fds[0]);
      } else if (message.kind == Packet::kNotify) {
        RETURN_IF_ERROR(HandOverListener(seccomp_, clone_.pidfd.get(), message.text,
                                         container_.Describe(), clone_.pid));
      } else {
        return absl::AbortedError(message.text);
      }
    }
  }

  Container& container_;
  const Config& config_;
  const Process& process_;
  const ExecOptions& options_;
  const int preserved_fds_;
  SeccompFilter seccomp_;
  UniqueFd signals_;
  cluster::oci::Clone clone_;
  Channel channel_;
  UniqueFd terminal_;
};

}  // namespace

absl::StatusOr<int> ClaimFds(int64_t asked) {
  int listening = 0;
  const char* text = std::getenv("LISTEN_FDS");
  if (text != nullptr && (!absl::SimpleAtoi(text, &listening) || listening < 0)) {
    return absl::InvalidArgumentError(absl::StrCat("LISTEN_FDS '", text, "' is no number"));
  }
  if (asked < 0 || asked > kMaxPreserved || listening > kMaxPreserved) {
    return absl::InvalidArgumentError(
        absl::StrCat("--preserve-fds must be from 0 to ", kMaxPreserved));
  }
  int count = static_cast<int>(asked) + listening;
  while (count > 0 && ::fcntl(2 + count, F_GETFD) < 0) --count;
  // What we open ourselves must not take the place of one that is not there.
  for (int fd = 3; fd < 3 + count; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_PATH | O_CLOEXEC) != fd) {
      return ErrnoStatus("open", "/dev/null");
    }
  }
  // Nothing else of the caller's may reach the container, nor be held open by one that waits for
  // its start.
  if (::close_range(static_cast<unsigned>(3 + count), ~0u, 0) != 0) {
    return ErrnoStatus("close_range");
  }
  return count;
}

absl::Status WritePidFile(const std::string& path, int pid) {
  if (path.empty()) return absl::OkStatus();
  // Whole or not at all, for those who wait for it.
  const std::string temporary = absl::StrCat(path, ".tmp");
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  RETURN_IF_ERROR(Annotate(WriteAll(fd.get(), absl::StrCat(pid)), path));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return ErrnoStatus("rename", temporary);
  return absl::OkStatus();
}

absl::StatusOr<int> Exec(Container* container, const Config& config, const Process& process,
                         const ExecOptions& options, Log* log) {
  const Status status = container->status();
  if (status == Status::kPaused && options.ignore_paused) {
    log->Debug("the container is paused: the process runs once it is resumed");
  } else if (status == Status::kPaused) {
    return absl::FailedPreconditionError(absl::StrCat("cannot exec in a paused container (",
                                                      container->state().id,
                                                      "): resume it, or --ignore-paused"));
  } else if (status != Status::kRunning && status != Status::kCreated) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot exec in container ", container->state().id, ": it is ", StatusName(status)));
  }
  return ExecSession(container, config, process, options).Run();
}

}  // namespace cluster::oci
