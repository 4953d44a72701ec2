#include "node/oci/identity.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"
#include "node/init/sys.h"
#include "node/oci/paths.h"
#include "node/process/user_lookup.h"

namespace cluster::oci {
namespace {

constexpr long kKeyctlJoinSession = 1;
constexpr int kIoprioWhoProcess = 1;

// sched_setattr(2); glibc 2.36 has neither the call nor the structure.
struct SchedulerAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};

std::string Variable(const std::vector<std::string>& env, absl::string_view name) {
  for (const std::string& variable : env) {
    if (absl::StartsWith(variable, name) && variable.size() > name.size() &&
        variable[name.size()] == '=') {
      return variable.substr(name.size() + 1);
    }
  }
  return "";
}

absl::Status ExecError(const std::string& program, int error) {
  absl::Status status = ErrnoStatus(error, "exec", program);
  std::string why = error == ENOENT    ? "no such file or directory"
                    : error == EACCES  ? "permission denied"
                    : error == ENOEXEC ? "exec format error"
                                       : std::string(ErrnoName(error));
  if (error == ENOENT && ::access(program.c_str(), F_OK) == 0) {
    why = "its interpreter (#! line or dynamic loader) is not there: no such file or directory";
  }
  return absl::Status(status.code(), absl::StrCat("exec: \"", program, "\": ", why));
}

absl::Status SetScheduling(const Process& process) {
  if (process.scheduler) {
    const Scheduler& wanted = *process.scheduler;
    SchedulerAttributes attributes{sizeof attributes,
                                   wanted.policy,
                                   wanted.flags,
                                   wanted.nice,
                                   static_cast<uint32_t>(wanted.priority),
                                   wanted.runtime,
                                   wanted.deadline,
                                   wanted.period};
    if (::syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) {
      return ErrnoStatus("set", "process.scheduler");
    }
  }
  if (process.io_priority &&
      ::syscall(SYS_ioprio_set, kIoprioWhoProcess, 0, *process.io_priority) != 0) {
    return ErrnoStatus("set", "process.ioPriority");
  }
  return absl::OkStatus();
}

// Takes effect at exec.
absl::Status SetSecurityLabel(int proc, const Process& process) {
  if (!process.apparmor_profile.empty()) {
    const std::string text = absl::StrCat("exec ", process.apparmor_profile);
    absl::Status set = WriteControlAt(proc, "self/attr/apparmor/exec", text);
    if (absl::IsNotFound(set)) set = WriteControlAt(proc, "self/attr/exec", text);
    RETURN_IF_ERROR(Annotate(set, "process.apparmorProfile"));
  }
  if (process.selinux_label.empty()) return absl::OkStatus();
  return Annotate(WriteControlAt(proc, "self/attr/exec", process.selinux_label),
                  "process.selinuxLabel");
}

absl::Status DropBoundingSet(uint64_t kept) {
  for (int capability = 0; capability < 64; ++capability) {
    if ((kept >> capability & 1) != 0) continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) break;  // this kernel's last capability is behind us
    return ErrnoStatus("drop", CapabilityName(capability));
  }
  return absl::OkStatus();
}

class CapabilitySets {
 public:
  absl::Status Read() {
    if (::syscall(SYS_capget, &header_, data_) != 0) return ErrnoStatus("capget");
    return absl::OkStatus();
  }
  uint64_t permitted() const {
    return data_[0].permitted | static_cast<uint64_t>(data_[1].permitted) << 32;
  }
  absl::Status Write(uint64_t permitted, uint64_t effective, uint64_t inheritable) {
    for (int half = 0; half < 2; ++half) {
      data_[half].permitted = static_cast<uint32_t>(permitted >> (32 * half));
      data_[half].effective = static_cast<uint32_t>(effective >> (32 * half));
      data_[half].inheritable = static_cast<uint32_t>(inheritable >> (32 * half));
    }
    if (::syscall(SYS_capset, &header_, data_) != 0) return ErrnoStatus("capset");
    return absl::OkStatus();
  }

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data_[2] = {};
};

absl::Status BecomeUser(const User& user) {
  const std::vector<gid_t> groups(user.additional_gids.begin(), user.additional_gids.end());
  if (!user.keeps_groups && ::setgroups(groups.size(), groups.data()) != 0) {
    return ErrnoStatus("setgroups");
  }
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return ErrnoStatus("keep", "capabilities");
  if (::syscall(SYS_setresgid, user.gid, user.gid, user.gid) != 0) {
    return ErrnoStatus("setresgid", absl::StrCat(user.gid));
  }
  if (::syscall(SYS_setresuid, user.uid, user.uid, user.uid) != 0) {
    return ErrnoStatus("setresuid", absl::StrCat(user.uid));
  }
  // The change of ids set it to what fs.suid_dumpable says.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoStatus("clear", "dumpable");
  return absl::OkStatus();
}

// The number of its listener goes to whoever watches over the start, which takes it out of this
// process; it is close-on-exec.
absl::Status LoadFilter(const SeccompFilter& filter, Channel* channel) {
  if (filter.program.empty()) return absl::OkStatus();
  const sock_fprog wanted{static_cast<unsigned short>(filter.program.size()),
                          const_cast<sock_filter*>(filter.program.data())};
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter.flags, &wanted);
  if (result < 0) return ErrnoStatus("load", "linux.seccomp");
  if ((filter.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0) return absl::OkStatus();
  return channel->Send(Packet::kNotify, absl::StrCat(result));
}

absl::Status BecomeLimited(const IdentityInputs& inputs, Channel* channel) {
  const Process& process = *inputs.process;
  const Capabilities wanted = process.capabilities.value_or(Capabilities());
  CapabilitySets sets;
  RETURN_IF_ERROR(DropBoundingSet(wanted.bounding));
  RETURN_IF_ERROR(BecomeUser(process.user));
  RETURN_IF_ERROR(sets.Read());
  const uint64_t all = sets.permitted();
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return ErrnoStatus("clear", "ambient capabilities");
  }
  if (process.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return ErrnoStatus("set", "no_new_privs");
  }
  // Without no_new_privs only CAP_SYS_ADMIN may load a filter, which the process may be about to
  // lose.
  if (!process.no_new_privileges) {
    RETURN_IF_ERROR(sets.Write(all, all, 0));
    RETURN_IF_ERROR(LoadFilter(*inputs.seccomp, channel));
  }
  const uint64_t permitted = wanted.permitted & all;
  const uint64_t inheritable = wanted.inheritable & all;
  RETURN_IF_ERROR(sets.Write(permitted, wanted.effective & permitted, inheritable));
  for (int capability = 0; capability < 64; ++capability) {
    if ((wanted.ambient & permitted & inheritable) >> capability & 1) {
      if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) {
        return ErrnoStatus("make ambient", CapabilityName(capability));
      }
    }
  }
  if (!process.no_new_privileges) return absl::OkStatus();
  return LoadFilter(*inputs.seccomp, channel);
}

// So that /dev/stdout can be opened again by a user who is not root. Pipes and terminals alone:
// what else may stand there (the machine's /dev/null) has other users, too.
void GiveToUser(int fd, const User& user) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || info.st_uid == user.uid) return;
  // A pipe from an outer user namespace is not ours to give; then it stays as it is.
  if (S_ISFIFO(info.st_mode) || ::isatty(fd)) (void)!::fchown(fd, user.uid, user.gid);
}

// From here on only the container's root is reachable: everything but 0, 1, 2, what is preserved
// and the channel is closed before the working directory, a path of the image's choice, is used.
absl::Status CloseTheRest(const IdentityInputs& inputs, Channel* channel) {
  for (int fd = 0; fd < 3; ++fd) GiveToUser(fd, inputs.process->user);
  const int place = 3 + inputs.preserved_fds;
  if (channel->fd() != place) {
    if (::dup3(channel->fd(), place, O_CLOEXEC) < 0) return ErrnoStatus("dup3", "channel");
    // The old descriptor is closed with the rest.
    channel->Release();
    *channel = Channel(UniqueFd(place));
  }
  if (::close_range(static_cast<unsigned>(place) + 1, ~0u, 0) != 0)
    return ErrnoStatus("close_range");
  return absl::OkStatus();
}

absl::Status EnterWorkingDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(const UniqueFd root, OpenAt(AT_FDCWD, "/", O_PATH | O_DIRECTORY));
  ASSIGN_OR_RETURN(const UniqueFd directory, MakeDirectoryIn(root.get(), path, Links::kFollow));
  if (::fchdir(directory.get()) != 0) return ErrnoStatus("chdir", path);
  // One that lies outside of the root reads "(unreachable)".
  char text[4096];
  if (::syscall(SYS_getcwd, text, sizeof text) < 0 || text[0] != '/') {
    return absl::FailedPreconditionError(absl::StrCat("process.cwd: ", path, " is not below /"));
  }
  return absl::OkStatus();
}

// A session keyring of its own: else the container would share its caller's keys.
absl::Status JoinKeyring(const std::string& name) {
  if (::syscall(SYS_keyctl, kKeyctlJoinSession, name.c_str()) >= 0 || errno == ENOSYS ||
      errno == EPERM || errno == EDQUOT) {
    return absl::OkStatus();
  }
  return ErrnoStatus("join", "session keyring");
}

}  // namespace

absl::StatusOr<std::string> FindProgram(int cwd, const std::string& name,
                                        const std::vector<std::string>& env) {
  const auto executable = [cwd](const std::string& path) {
    struct stat info {};
    if (::fstatat(cwd, path.c_str(), &info, 0) != 0) return errno;
    if (!S_ISREG(info.st_mode)) return S_ISDIR(info.st_mode) ? EISDIR : EACCES;
    return (info.st_mode & 0111) != 0 ? 0 : EACCES;
  };
  if (absl::StrContains(name, "/")) {
    const int error = executable(name);
    if (error == 0) return name;
    if (error != EISDIR) return ExecError(name, error == ENOTDIR ? ENOENT : error);
    return absl::PermissionDeniedError(
        absl::StrCat("exec: \"", name, "\": is a directory: permission denied"));
  }
  bool denied = false;
  for (const absl::string_view directory : absl::StrSplit(Variable(env, "PATH"), ':')) {
    if (directory.empty()) continue;
    std::string candidate = absl::StrCat(directory, "/", name);
    const int error = executable(candidate);
    if (error == 0) return candidate;
    denied = denied || error == EACCES;
  }
  if (denied) return ExecError(name, EACCES);
  return absl::NotFoundError(absl::StrCat(
      "exec: \"", name, "\": executable file not found in $PATH: no such file or directory"));
}

absl::Status SetRlimits(const std::vector<Rlimit>& limits, pid_t pid) {
  for (const Rlimit& limit : limits) {
    const rlimit64 wanted{limit.soft, limit.hard};
    if (::prlimit64(pid, static_cast<__rlimit_resource>(limit.resource), &wanted, nullptr) != 0) {
      return ErrnoStatus(absl::StrCat("set ", limit.name, " to ", limit.soft, "/"),
                         absl::StrCat(limit.hard));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> CompleteEnvironment(int root, const Process& process) {
  std::vector<std::string> env = process.env;
  for (const std::string& variable : env) {
    if (absl::StartsWith(variable, "HOME=")) return env;
  }
  static init::UserIds user;
  const UniqueFd accounts(
      init::OpenAt2(root, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_IN_ROOT));
  struct stat info {};
  const bool regular = accounts && ::fstat(accounts.get(), &info) == 0 && S_ISREG(info.st_mode);
  const std::string uid = absl::StrCat(process.user.uid);
  const char* problem = init::LookUpUser(uid.c_str(), regular ? accounts.get() : -1, -1, &user);
  env.push_back(absl::StrCat("HOME=", problem == nullptr ? user.home : "/"));
  return env;
}

absl::Status BecomeProcess(const IdentityInputs& inputs, Channel* channel) {
  const Process& process = *inputs.process;
  RETURN_IF_ERROR(SetSecurityLabel(inputs.proc, process));
  RETURN_IF_ERROR(CloseTheRest(inputs, channel));
  RETURN_IF_ERROR(EnterWorkingDirectory(process.cwd));
  if (inputs.new_keyring) RETURN_IF_ERROR(JoinKeyring(inputs.keyring));
  RETURN_IF_ERROR(SetScheduling(process));
  if (inputs.personality && ::personality(*inputs.personality) < 0) {
    return ErrnoStatus("set", "linux.personality");
  }
  std::vector<char*> argv;
  for (const std::string& argument : process.args) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  std::vector<char*> env;
  for (const std::string& variable : inputs.env) {
    env.push_back(const_cast<char*>(variable.c_str()));
  }
  env.push_back(nullptr);
  ::umask(process.user.umask.value_or(022));
  if (inputs.set_rlimits) RETURN_IF_ERROR(SetRlimits(process.rlimits, 0));
  RETURN_IF_ERROR(BecomeLimited(inputs, channel));
  ::execve(inputs.program.c_str(), argv.data(), env.data());
  return ExecError(inputs.program, errno);
}

}  // namespace cluster::oci
