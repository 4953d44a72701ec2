// cluster-init: the one process of a pod that is always there. It makes and holds the pod's
// network, ipc and uts namespaces, starts the containers, pumps their logs, reaps them and keeps
// their exit codes, while agents come and go.
//
//   cluster-init TITLE
//
// Executed once per agent, as the template that the cluster-inits of its pods are forked from
// (mould.h). TITLE is spaces, as many as a pod's uid and host name need.
//
// Descriptors on entry: 0, 1 /dev/null; 2 a log; 3 a SOCK_SEQPACKET socket to the agent. Everything
// else is closed. A cluster-init has its pod's own log and a listening socket in a directory that
// only root enters, and was cloned into the v2 cgroup that it lives in; those of v1 come with
// kHello.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

#include "node/init/mould.h"
#include "node/init/pod.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {

Pod pod_state;

namespace {

constexpr int kAgentSocket = 3;
constexpr long kProcMagic = 0x9fa0;

int listener_fd = -1;
int signal_fd = -1;

// Nothing but its own socket and SIGKILL ends a cluster-init.
void IgnoreSignals() {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM,
                           SIGTSTP, SIGTTIN, SIGTTOU}) {
    sigaction(signal, &ignore, nullptr);
  }
}

void WatchChildren() {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_SETMASK, &children, nullptr);
  signal_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_fd < 0) Die("signalfd", "");
}

void LeaveTheAgent() {
  prctl(PR_SET_NAME, "cluster-mould", 0, 0, 0);
  if (close_range(kAgentSocket + 1, ~0u, 0) != 0) Die("close_range", "");
  if (fcntl(kAgentSocket, F_SETFD, FD_CLOEXEC) != 0) Die("no socket at", "descriptor 3");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) Die("clear", "dumpable");
  setsid();  // fails only where there is a session of its own already
  umask(077);
  if (chdir("/") != 0) Die("chdir", "/");
}

// What every pod's has in common.
void OpenHandles() {
  pod_state.host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct statfs fs {};
  if (pod_state.host_proc < 0 || fstatfs(pod_state.host_proc, &fs) != 0) Die("open", "/proc");
  if (fs.f_type != kProcMagic) {
    errno = EINVAL;
    Die("not a procfs:", "/proc");
  }
  const int proc = pod_state.host_proc;
  pod_state.own_pid_namespace = openat(proc, "self/ns/pid", O_RDONLY | O_CLOEXEC);
  if (pod_state.own_pid_namespace < 0) Die("open", "pid namespace");
  const int score = openat(proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score < 0) Die("open", "oom_score_adj");
  (void)!write(score, "-998", 4);  // needs CAP_SYS_RESOURCE; without it the score stays as it is
  close(score);
}

void OpenOwnHandles() {
  pod_state.own_pidfd = PidfdOpen(getpid());
  pod_state.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (pod_state.own_pidfd < 0 || pod_state.epoll < 0) Die("open", "pidfd or epoll");
}

void Reap(pid_t pid, int status) {
  if (Container* container = FindProcess(&pod_state, pid); container != nullptr) {
    return ContainerReaped(container, status, RealtimeNanoseconds());
  }
  for (ExecSession* at = pod_state.execs; at != nullptr; at = at->next) {
    if (at->pid == pid) return ExecReaped(at, status);
  }
  KeepUnclaimed(&pod_state, pid, status);
}

void ChildrenReady(void*) {
  signalfd_siginfo ignored{};
  while (read(signal_fd, &ignored, sizeof ignored) > 0) {
  }
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0;) Reap(pid, status);
}

void ListenerReady(void*) { AcceptConnection(&pod_state, listener_fd); }

[[noreturn]] void RunInit(const Birth& birth) {
  prctl(PR_SET_NAME, "cluster-init", 0, 0, 0);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) Die("become", "subreaper");
  setsid();
  OpenOwnHandles();
  WatchChildren();
  if (birth.lease >= 0) SetUpFence(&pod_state, birth.lease);
  static Watch listener{ListenerReady, nullptr};
  static Watch children{ChildrenReady, nullptr};
  listener_fd = birth.listener;
  fcntl(listener_fd, F_SETFL, O_NONBLOCK);
  WatchFd(&pod_state, listener_fd, &listener);
  WatchFd(&pod_state, signal_fd, &children);
  fcntl(birth.conversation, F_SETFL, O_NONBLOCK);
  AddConnection(&pod_state, birth.conversation);
  RunLoop(&pod_state);
}

int Main(int argc, char** argv) {
  if (argc != 2) {
    errno = EINVAL;
    Die("usage:", "cluster-init TITLE (started by cluster-node)");
  }
  LeaveTheAgent();
  IgnoreSignals();
  OpenHandles();
  RunInit(AwaitBirth(kAgentSocket, {argv[1], strlen(argv[1])}));
}

}  // namespace
}  // namespace cluster::init

int main(int argc, char** argv) { return cluster::init::Main(argc, argv); }
