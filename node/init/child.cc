#include "node/init/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/vfs.h>

#include <initializer_list>

#include "node/init/child_report.h"
#include "node/init/credentials.h"
#include "node/init/rootfs.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

constexpr int kChannel = 3;  // the only descriptor besides 0, 1, 2 from FinishStart on
constexpr long kDevptsMagic = 0x1cd1;
constexpr long kKeyctlJoinSession = 1;

// CLONE_CLEAR_SIGHAND leaves ignored signals ignored, and exec would hand them on.
void ResetSignals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < 65; ++signal) sigaction(signal, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// "0" into a v1 `tasks` file is the one way in that takes no lock and waits for no grace period; it
// needs this process to be single-threaded, which it is.
void EnterCgroups(const CgroupFds& cgroups, int channel) {
  for (size_t i = 0; i < cgroups.task_count; ++i) {
    if (write(cgroups.tasks[i], "0", 1) != 1) Fail(channel, "enter cgroup", "tasks", errno);
  }
}

// After the attach, so that the namespace's roots are the container's own cgroups.
void MakeCgroupNamespace(int channel) {
  if (unshare(CLONE_NEWCGROUP) != 0) Fail(channel, "unshare", "cgroup namespace", errno);
}

void AwaitGo(int channel) {
  pollfd ready{channel, POLLIN, 0};
  while (poll(&ready, 1, -1) < 0 && errno == EINTR) {
  }
  char mark = 0;
  iovec data{&mark, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  // Nobody there any more: cluster-init is gone, and nothing of the image has run.
  if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1 || mark != kGoMark) _exit(kExitCannotStart);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) return;
  int tasks[kMaxFds];
  const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  memcpy(tasks, CMSG_DATA(header), count * sizeof(int));
  EnterCgroups({-1, tasks, count}, channel);
}

// Raising is always allowed; what may not be lowered stays where it is.
void SetOomScore(int proc, int score, int channel) {
  const int fd = openat(proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) Fail(channel, "open", "/proc/self/oom_score_adj", errno);
  TextBuffer<16> text;
  text.AddNumber(score);
  if (write(fd, text.c_str(), text.size()) < 0 && errno != EACCES && errno != EPERM) {
    Fail(channel, "set oom_score_adj", text.c_str(), errno);
  }
  close(fd);
}

// So that /dev/stdout can be opened again by a user who is not root. Pipes and terminals alone:
// what else may stand there (the node's /dev/null) has other users, too.
void GiveToUser(int fd, uint32_t uid, uint32_t gid, int channel) {
  struct stat info {};
  if (fstat(fd, &info) != 0) Fail(channel, "stat", "stdio", errno);
  if (!S_ISFIFO(info.st_mode) && !isatty(fd)) return;
  if (fchown(fd, uid, gid) != 0) Fail(channel, "give to the user", "stdio", errno);
}

struct Identity {
  const Launch* launch;
  const Strings* argv;
  int stdio[3];
};

// The image's environment, with HOME when it has none. (PATH comes with the plan.)
const char** MakeEnvironment(const Strings& env, const UserIds& user, int channel) {
  const char** all = static_cast<const char**>(calloc(env.count + 2, sizeof *all));
  char* home = static_cast<char*>(malloc(sizeof user.home + 8));
  if (all == nullptr || home == nullptr) Fail(channel, "allocate", "environment", ENOMEM);
  bool has_home = false;
  for (size_t i = 0; i < env.count; ++i) {
    all[i] = env.items[i];
    if (strncmp(all[i], "HOME=", 5) == 0) has_home = true;
  }
  if (!has_home) {
    Text(home, sizeof user.home + 8).Add("HOME=").Add(user.home);
    all[env.count] = home;
  }
  return all;
}

const char* Variable(const char** env, const char* name) {
  const size_t length = strlen(name);
  for (; *env != nullptr; ++env) {
    if (strncmp(*env, name, length) == 0 && (*env)[length] == '=') return *env + length + 1;
  }
  return nullptr;
}

[[noreturn]] void FailExec(const char* path, int error) {
  if (error == ENOENT || error == ENOTDIR) {
    if (access(path, F_OK) == 0) {
      Fail(kChannel, "its interpreter (#! line or dynamic loader) is not in the image:", path,
           error, kExitNotFound);
    }
    Fail(kChannel, "exec", path, error, kExitNotFound);
  }
  Fail(kChannel, "exec", path, error, kExitNotExecutable);
}

// execvp(3) with the container's PATH, not ours.
[[noreturn]] void Execute(const Strings& argv, const char** env) {
  const char* command = argv.items[0];
  char* const* arguments = const_cast<char* const*>(argv.items);
  char* const* environment = const_cast<char* const*>(env);
  if (strchr(command, '/') != nullptr) {
    execve(command, arguments, environment);
    FailExec(command, errno);
  }
  const char* path = Variable(env, "PATH");
  int denied = 0;
  char candidate[PATH_MAX];
  for (const char* at = path == nullptr ? "" : path; *at != 0 && *command != 0;) {
    const char* end = strchr(at, ':');
    const size_t length = end == nullptr ? strlen(at) : static_cast<size_t>(end - at);
    if (length > 0 && length + strlen(command) + 2 < sizeof candidate) {
      Text(candidate, sizeof candidate).Add(at, length).Add("/").Add(command);
      execve(candidate, arguments, environment);
      if (errno == EACCES) {
        denied = EACCES;
      } else if (errno != ENOENT && errno != ENOTDIR) {
        FailExec(candidate, errno);
      } else if (access(candidate, F_OK) == 0) {
        FailExec(candidate, errno);
      }
    }
    at += length + (end == nullptr ? 0 : 1);
  }
  if (denied != 0) Fail(kChannel, "exec", command, denied, kExitNotExecutable);
  Fail(kChannel, "command not found in the container's PATH:", command, 0, kExitNotFound);
}

void EnterWorkingDirectory(int root, const char* path) {
  const int dir = MakeDirectoryInRoot(root, path[0] == 0 ? "/" : path, RESOLVE_IN_ROOT);
  if (dir < 0) Fail(kChannel, "working directory", path, errno);
  if (fchdir(dir) != 0) Fail(kChannel, "chdir", path, errno);
  close(dir);
  // The raw call: it says "(unreachable)" where the library would only fail.
  char cwd[PATH_MAX];
  if (syscall(SYS_getcwd, cwd, sizeof cwd) < 0 || cwd[0] != '/') {
    Fail(kChannel, "the working directory is not inside the container:", path, 0);
  }
}

// From here on only the container's own root is reachable. `channel` moves to descriptor 3, which
// execve closes; everything else but 0, 1 and 2 is closed before any path of the image's choice is
// used for the working directory.
[[noreturn]] void FinishStart(const Identity& identity, int channel) {
  const Launch& launch = *identity.launch;
  int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) Fail(channel, "open", "/", errno);
  static UserIds user;
  ResolveUser(root, launch, &user, channel);
  const char** env = MakeEnvironment(launch.env, user, channel);
  for (int i = 0; i < 3; ++i) {
    GiveToUser(identity.stdio[i], user.uid, user.gid, channel);
    if (dup2(identity.stdio[i], i) < 0) Fail(channel, "dup2", "stdio", errno);
  }
  if (channel != kChannel && dup3(channel, kChannel, O_CLOEXEC) < 0)
    Fail(channel, "dup", "channel", errno);
  if (close_range(kChannel + 1, ~0u, 0) != 0) Fail(kChannel, "close_range", "", errno);
  root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) Fail(kChannel, "open", "/", errno);
  EnterWorkingDirectory(root, launch.working_dir);
  close(root);
  // A keyring of its own: else the container would share the agent's session keys.
  if (syscall(SYS_keyctl, kKeyctlJoinSession, nullptr) < 0 && errno != ENOSYS && errno != EPERM &&
      errno != EDQUOT) {
    Fail(kChannel, "join session keyring", "", errno);
  }
  umask(022);
  BecomeUser(user, launch, kChannel);
  Execute(*identity.argv, env);
}

void SendDescriptor(int channel, iovec data, int fd, const char* what) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(channel, &message, MSG_NOSIGNAL) < 0) Fail(channel, "send", what, errno);
}

// A pty of the container's own devpts; the master goes out over `channel`. Returns the terminal.
int MakeTerminal(int channel, uint16_t rows, uint16_t columns) {
  const int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int master = OpenAt2(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK,
                             RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
  if (master < 0) Fail(channel, "open", "/dev/pts/ptmx", errno);
  struct statfs fs {};
  struct stat info {};
  if (fstatfs(master, &fs) != 0 || fs.f_type != kDevptsMagic || fstat(master, &info) != 0 ||
      info.st_rdev != makedev(5, 2)) {
    Fail(channel, "not the pty multiplexer:", "/dev/pts/ptmx", 0);
  }
  int unlock = 0;
  if (ioctl(master, TIOCSPTLCK, &unlock) != 0) Fail(channel, "unlock", "pty", errno);
  // By descriptor, not by name: /dev/pts/N could be anything.
  const int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) Fail(channel, "open", "the pty's terminal", errno);
  winsize size{};
  size.ws_row = rows;
  size.ws_col = columns;
  if (rows != 0) ioctl(master, TIOCSWINSZ, &size);
  if (ioctl(terminal, TIOCSCTTY, 0) != 0) Fail(channel, "take", "controlling terminal", errno);

  char mark = kTerminalMark;
  SendDescriptor(channel, {&mark, 1}, master, "pty");
  close(master);
  close(root);
  return terminal;
}

// Hard limits can be raised by the node's root alone, so this comes before a user namespace.
void SetLimits(const Launch& launch, int channel) {
  for (size_t i = 0; i < launch.limit_count; ++i) {
    const LimitStep& limit = launch.limits[i];
    const rlimit wanted{limit.soft, limit.hard};
    if (setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &wanted) != 0) {
      TextBuffer<16> number;
      number.AddNumber(limit.resource);
      Fail(channel, "set resource limit", number.c_str(), errno);
    }
  }
}

// As the user namespace's root with all that it may do; all that is made from here on is the
// container's.
[[noreturn]] void BecomeContainer(const ContainerInputs& inputs, const RootfsInputs& rootfs,
                                  const NodeMounts& mounts) {
  const int channel = inputs.channel;
  if (inputs.user_namespace >= 0) BecomeNamespaceRoot(channel);
  const bool cgroup2_alone = (inputs.launch->flags & kCgroup2Alone) != 0;
  if (cgroup2_alone) MakeCgroupNamespace(channel);
  EnterRootfs(rootfs, mounts);
  AwaitGo(channel);
  if (!cgroup2_alone) MakeCgroupNamespace(channel);
  if (setsid() < 0) Fail(channel, "setsid", "", errno);
  Identity identity{
      inputs.launch, &inputs.launch->argv, {inputs.stdin_fd, inputs.stdout_fd, inputs.stderr_fd}};
  if ((inputs.launch->flags & kTerminal) != 0) {
    const int terminal = MakeTerminal(channel, 0, 0);
    for (int& fd : identity.stdio) fd = terminal;
  } else if (inputs.stdin_fd < 0) {
    identity.stdio[0] = open("/dev/null", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (identity.stdio[0] < 0) Fail(channel, "open", "/dev/null", errno);
  }
  FinishStart(identity, channel);
}

void AddTimeOffset(int fd, const char* clock, int64_t seconds, int channel) {
  TextBuffer<64> line;
  line.Add(clock).Add(" ").AddNumber(seconds).Add(" 0\n");
  if (write(fd, line.c_str(), line.size()) < 0) Fail(channel, "set time offset", clock, errno);
}

// The offsets are fixed once a process is in there. time_namespaces(7)
void MakeTimeNamespace(const ContainerInputs& inputs) {
  if (unshare(CLONE_NEWTIME) != 0) Fail(inputs.channel, "unshare", "time namespace", errno);
  const int fd = openat(inputs.node_proc, "self/timens_offsets", O_WRONLY | O_CLOEXEC);
  if (fd < 0) Fail(inputs.channel, "open", "timens_offsets", errno);
  AddTimeOffset(fd, "boottime", inputs.launch->boottime_offset, inputs.channel);
  AddTimeOffset(fd, "monotonic", inputs.launch->monotonic_offset, inputs.channel);
  close(fd);
}

void EnterPodNamespaces(const ContainerInputs& inputs) {
  if ((inputs.launch->flags & kSharedProcesses) != 0 &&
      setns(inputs.pid_namespace, CLONE_NEWPID) != 0) {
    Fail(inputs.channel, "enter", "the pod's pid namespace", errno);
  }
  // Last, as it takes what else needs the node's root; what is made from here on belongs to it.
  if (inputs.user_namespace >= 0 && setns(inputs.user_namespace, CLONE_NEWUSER) != 0) {
    Fail(inputs.channel, "enter", "the pod's user namespace", errno);
  }
  if ((inputs.launch->flags & kTimeNamespace) != 0) MakeTimeNamespace(inputs);
}

void TellBirth(int channel, pid_t pid, int pidfd) {
  BirthNotice notice{pid};
  iovec data{&notice, sizeof notice};
  SendDescriptor(channel, data, pidfd, "birth");
}

// The container does not wait for the end of what it needs no more: its copies of those
// descriptors are never the last ones, the process that prepared it has them until the container
// has closed its own (and with them `held`), and takes them along when it ends.
[[noreturn]] void EndAfterContainerLetGo(const ContainerInputs& inputs, const int held[2]) {
  // Nobody is to wait for these to be closed, either.
  for (const int fd : {inputs.channel, inputs.stdin_fd, inputs.stdout_fd, inputs.stderr_fd}) {
    if (fd >= 0) close(fd);
  }
  close(held[1]);
  char byte;
  while (read(held[0], &byte, 1) < 0 && errno == EINTR) {
  }
  _exit(0);
}

// CLONE_PARENT: cluster-init is the parent of this one, too, and reaps it.
[[noreturn]] void CloneContainer(const ContainerInputs& inputs, const RootfsInputs& rootfs,
                                 const NodeMounts& mounts) {
  const uint32_t flags = inputs.launch->flags;
  const bool on_its_own = (flags & (kNodeProcesses | kSharedProcesses)) == 0;
  int held[2];
  if (pipe2(held, O_CLOEXEC) != 0) Fail(inputs.channel, "make", "a pipe", errno);
  int pidfd = -1;
  const pid_t pid = Clone3(CLONE_PARENT | CLONE_NEWNS | (on_its_own ? CLONE_NEWPID : 0), 0, &pidfd,
                           inputs.cgroup2);
  if (pid == 0) {
    CloseLayers(mounts);
    close(held[0]);
    close(held[1]);
    BecomeContainer(inputs, rootfs, mounts);
  }
  if (pid < 0) Fail(inputs.channel, "clone", "into the pod's namespaces", errno);
  TellBirth(inputs.channel, pid, pidfd);
  EndAfterContainerLetGo(inputs, held);
}

}  // namespace

void Fail(int channel, const char* operation, const char* object, int error, int exit_code) {
  ChildReport report;
  memset(&report, 0, sizeof report);
  report.error = error;
  report.exit_code = exit_code;
  CopyText(report.operation, sizeof report.operation, operation);
  CopyText(report.object, sizeof report.object, object);
  // Nobody there to hear it: then cluster-init is gone, and so are we.
  (void)!send(channel, &report, sizeof report, MSG_NOSIGNAL);
  _exit(exit_code);
}

uint64_t CloneFlagsFor(const ContainerInputs& inputs) {
  if (HasSecondProcess(inputs)) return 0;
  const bool on_its_own = (inputs.launch->flags & kNodeProcesses) == 0;
  return CLONE_NEWNS | (on_its_own ? CLONE_NEWPID : 0);
}

bool HasSecondProcess(const ContainerInputs& inputs) {
  return inputs.user_namespace >= 0 ||
         (inputs.launch->flags & (kSharedProcesses | kTimeNamespace)) != 0;
}

void RunContainer(const ContainerInputs& inputs) {
  ResetSignals();
  umask(0);
  const Launch& launch = *inputs.launch;
  SetOomScore(inputs.node_proc, launch.oom_score_adj, inputs.channel);
  SetLimits(launch, inputs.channel);
  const bool second = HasSecondProcess(inputs);
  const RootfsInputs rootfs{&launch,        inputs.pod_shm,      inputs.user_namespace, second,
                            inputs.volumes, inputs.volume_count, inputs.channel};
  NodeMounts mounts;
  MakeNodeMounts(rootfs, &mounts);
  if (!second) BecomeContainer(inputs, rootfs, mounts);
  for (const int fd : {inputs.stdin_fd, inputs.stdout_fd, inputs.stderr_fd}) {
    if (fd >= 0) GiveToUser(fd, inputs.first_id, inputs.first_id, inputs.channel);
  }
  EnterPodNamespaces(inputs);
  CloneContainer(inputs, rootfs, mounts);
}

void RunExec(const ExecInputs& inputs) {
  ResetSignals();
  umask(0);
  SetOomScore(inputs.node_proc, inputs.launch->oom_score_adj, inputs.channel);
  SetLimits(*inputs.launch, inputs.channel);
  EnterCgroups(*inputs.cgroups, inputs.channel);
  for (const int fd : inputs.stdio) {
    if (fd >= 0) GiveToUser(fd, inputs.first_id, inputs.first_id, inputs.channel);
  }
  int namespaces = CLONE_NEWNS | CLONE_NEWCGROUP;
  if (inputs.user_namespace >= 0) namespaces |= CLONE_NEWUSER;
  if ((inputs.launch->flags & kTimeNamespace) != 0) namespaces |= CLONE_NEWTIME;
  if (setns(inputs.container_pidfd, namespaces) != 0) {
    Fail(inputs.channel, "enter the container's namespaces", "", errno);
  }
  if (inputs.user_namespace >= 0) BecomeNamespaceRoot(inputs.channel);
  if (setsid() < 0) Fail(inputs.channel, "setsid", "", errno);
  Identity identity{
      inputs.launch, inputs.argv, {inputs.stdio[0], inputs.stdio[1], inputs.stdio[2]}};
  if (inputs.tty) {
    const int terminal = MakeTerminal(inputs.channel, inputs.rows, inputs.columns);
    for (int& fd : identity.stdio) fd = terminal;
  }
  FinishStart(identity, inputs.channel);
}

}  // namespace cluster::init
