#include "node/oci/child.h"

#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "base/file.h"
#include "base/status.h"
#include "node/oci/hooks.h"
#include "node/oci/namespaces.h"
#include "node/oci/paths.h"
#include "node/oci/root_builder.h"
#include "node/oci/signals.h"
#include "node/oci/terminal.h"

namespace cluster::oci {
namespace {

absl::Status RaiseLoopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return ErrnoStatus("socket");
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return ErrnoStatus("raise", "lo");
  return absl::OkStatus();
}

class Child {
 public:
  explicit Child(ChildInputs* inputs)
      : inputs_(*inputs),
        config_(inputs->bundle->config),
        linux_(config_.linux_),
        process_(*config_.process) {}

  absl::Status Run() {
    ResetSignals();
    ::umask(0);
    RETURN_IF_ERROR(SetOomScore());
    if (::setsid() < 0) return ErrnoStatus("setsid");
    if (linux_.Has(CLONE_NEWUSER)) RETURN_IF_ERROR(BecomeNamespaceRoot());
    RETURN_IF_ERROR(NameMachine());
    if (linux_.HasNew(CLONE_NEWNET)) RETURN_IF_ERROR(RaiseLoopback());
    RETURN_IF_ERROR(BuildRoot());
    RETURN_IF_ERROR(Prepare());
    RETURN_IF_ERROR(AwaitStart());
    RETURN_IF_ERROR(RunHooks("startContainer", config_.hooks.start_container, state_));
    return Become();
  }

  Channel* channel() { return &inputs_.channel; }

 private:
  absl::Status SetOomScore() {
    if (!process_.oom_score_adj) return absl::OkStatus();
    const std::string score = absl::StrCat(*process_.oom_score_adj);
    const absl::Status set =
        WriteControlAt(inputs_.sources->proc.get(), "self/oom_score_adj", score);
    // Raising is always allowed; what may not be lowered stays where it is.
    if (absl::IsPermissionDenied(set) && ::geteuid() == 0) return absl::OkStatus();
    return Annotate(set, "process.oomScoreAdj");
  }

  absl::Status BecomeNamespaceRoot() {
    if (linux_.HasNew(CLONE_NEWUSER)) {
      RETURN_IF_ERROR(inputs_.channel.Expect(Packet::kMapped).status());
    }
    if (!process_.user.keeps_groups && ::setgroups(0, nullptr) != 0 && errno != EPERM) {
      return ErrnoStatus("setgroups");
    }
    if (::syscall(SYS_setresgid, 0, 0, 0) != 0) return ErrnoStatus("setresgid", "0");
    if (::syscall(SYS_setresuid, 0, 0, 0) != 0) return ErrnoStatus("setresuid", "0");
    // The change of ids set it to what fs.suid_dumpable says.
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoStatus("clear", "dumpable");
    return absl::OkStatus();
  }

  absl::Status NameMachine() {
    const std::string& host = config_.hostname;
    if (!host.empty() && ::sethostname(host.data(), host.size()) != 0) {
      return ErrnoStatus("set hostname", host);
    }
    const std::string& domain = config_.domainname;
    if (!domain.empty() && ::setdomainname(domain.data(), domain.size()) != 0) {
      return ErrnoStatus("set domainname", domain);
    }
    return absl::OkStatus();
  }

  // "0" into a v1 tasks file is the one way in that takes no lock and waits for no grace period; it
  // needs this process to be single-threaded, which it is. The namespace after it, so that its
  // roots are the container's own groups.
  absl::Status EnterCgroups() {
    if (in_cgroups_) return absl::OkStatus();
    in_cgroups_ = true;
    ASSIGN_OR_RETURN(const Message message, inputs_.channel.Expect(Packet::kCgroups));
    for (const UniqueFd& tasks : message.fds) {
      if (::write(tasks.get(), "0", 1) != 1) return ErrnoStatus("enter", "cgroup");
    }
    if (inputs_.late_cgroup && ::unshare(CLONE_NEWCGROUP) != 0) {
      return ErrnoStatus("unshare", "cgroup namespace");
    }
    return absl::OkStatus();
  }

  absl::Status BuildRoot() {
    const RootInputs inputs{&config_,
                            inputs_.sources,
                            inputs_.layout,
                            inputs_.cgroup,
                            [this] { return EnterCgroups(); },
                            inputs_.no_pivot};
    RootBuilder builder(inputs);
    const bool own_mounts = linux_.Has(CLONE_NEWNS);
    if (own_mounts) RETURN_IF_ERROR(builder.Build());
    RETURN_IF_ERROR(EnterCgroups());
    RETURN_IF_ERROR(RunOuterHooks());
    if (!own_mounts) return EnterBareRoot();
    RETURN_IF_ERROR(builder.Enter());
    RETURN_IF_ERROR(SetSysctls());
    if (process_.terminal) RETURN_IF_ERROR(OpenTerminal(true));
    return builder.Protect();
  }

  // Without mounts of its own a container is a process with another root.
  absl::Status EnterBareRoot() {
    if (::fchdir(inputs_.sources->root_path.get()) != 0 || ::chroot(".") != 0 ||
        ::chdir("/") != 0) {
      return ErrnoStatus("chroot", inputs_.bundle->rootfs);
    }
    RETURN_IF_ERROR(SetSysctls());
    return process_.terminal ? OpenTerminal(false) : absl::OkStatus();
  }

  absl::Status RunOuterHooks() {
    const Hooks& hooks = config_.hooks;
    if (hooks.prestart.empty() && hooks.create_runtime.empty() && hooks.create_container.empty()) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(inputs_.channel.Send(Packet::kReady));
    ASSIGN_OR_RETURN(const Message done, inputs_.channel.Expect(Packet::kHooksDone));
    return RunHooks("createContainer", hooks.create_container, done.text);
  }

  // Through the procfs that was verified; what is below sys/net and the like belongs to our own
  // namespaces.
  absl::Status SetSysctls() {
    for (const auto& [name, value] : linux_.sysctl) {
      std::string path = name;
      for (char& c : path) c = c == '.' ? '/' : c == '/' ? '.' : c;
      const absl::Status set =
          WriteControlAt(inputs_.sources->proc.get(), absl::StrCat("sys/", path), value);
      RETURN_IF_ERROR(Annotate(set, absl::StrCat("linux.sysctl.", name)));
    }
    return absl::OkStatus();
  }

  absl::Status OpenTerminal(bool mount) {
    ASSIGN_OR_RETURN(const Terminal terminal, MakeTerminal(process_));
    if (mount) RETURN_IF_ERROR(MountConsole(terminal));
    const absl::Status sent =
        inputs_.console ? SendMaster(inputs_.console.get(), terminal.master.get())
                        : inputs_.channel.Send(Packet::kTerminal, "", {terminal.master.get()});
    RETURN_IF_ERROR(sent);
    RETURN_IF_ERROR(UseTerminal(terminal));
    inputs_.console.reset();
    return absl::OkStatus();
  }

  // All that can fail at creation rather than at start.
  absl::Status Prepare() {
    ASSIGN_OR_RETURN(const UniqueFd root, OpenAt(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
    env_ = CompleteEnvironment(root.get(), process_);
    if (std::getenv("LISTEN_FDS") != nullptr) {
      env_.push_back(absl::StrCat("LISTEN_FDS=", std::getenv("LISTEN_FDS")));
      env_.push_back(absl::StrCat("LISTEN_PID=", ::getpid()));
    }
    ASSIGN_OR_RETURN(const UniqueFd directory,
                     MakeDirectoryIn(root.get(), process_.cwd, Links::kFollow));
    ASSIGN_OR_RETURN(program_, FindProgram(directory.get(), process_.args[0], env_));
    // Hard limits can be raised by the machine's root alone.
    if (!linux_.Has(CLONE_NEWUSER) || process_.rlimits.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(inputs_.channel.Send(Packet::kLimits));
    return inputs_.channel.Expect(Packet::kLimited).status();
  }

  absl::Status AwaitStart() {
    RETURN_IF_ERROR(inputs_.channel.Send(Packet::kCreated));
    if (inputs_.start_socket) {
      int connection;
      do {
        connection = ::accept4(inputs_.start_socket.get(), nullptr, nullptr, SOCK_CLOEXEC);
      } while (connection < 0 && (errno == EINTR || errno == ECONNABORTED));
      if (connection < 0) return ErrnoStatus("wait for", "start");
      inputs_.start_socket.reset();
      inputs_.channel = Channel(UniqueFd(connection));
    }
    ASSIGN_OR_RETURN(const Message start, inputs_.channel.Expect(Packet::kStart));
    state_ = start.text;
    return absl::OkStatus();
  }

  absl::Status Become() {
    IdentityInputs inputs;
    inputs.process = &process_;
    inputs.seccomp = inputs_.seccomp;
    inputs.env = std::move(env_);
    inputs.program = std::move(program_);
    inputs.proc = inputs_.sources->proc.get();
    inputs.preserved_fds = inputs_.preserved_fds;
    inputs.set_rlimits = !linux_.Has(CLONE_NEWUSER);
    inputs.new_keyring = inputs_.new_keyring;
    inputs.keyring = absl::StrCat("_ses.", inputs_.id);
    inputs.personality = linux_.personality;
    return BecomeProcess(inputs, &inputs_.channel);
  }

  ChildInputs& inputs_;
  const Config& config_;
  const Linux& linux_;
  const Process& process_;
  bool in_cgroups_ = false;
  std::vector<std::string> env_;
  std::string program_;
  std::string state_;  // for the hooks of the start
};

}  // namespace

void RunChild(ChildInputs* inputs) {
  Child child(inputs);
  const absl::Status failed = child.Run();
  // Nobody there to hear it: then the start is gone, and so are we.
  (void)child.channel()->Send(Packet::kFailed, failed.message());
  _exit(1);
}

}  // namespace cluster::oci
