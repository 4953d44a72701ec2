// cluster-init: the one process of a pod that is always there. It makes and holds the pod's
// network, ipc and uts namespaces, starts the containers, pumps their logs, reaps them and keeps
// their exit codes, while agents come and go.
//
//   cluster-init UID HOSTNAME [OPTION...]
//
//   first-id=N        a user namespace for the pod: its ids 0 to 65535 are N and following
//   share-processes   one pid namespace for all containers
//   node-network, node-ipc   what the pod does without
//
// Descriptors on entry: 0, 1 /dev/null; 2 its own log; 3 a listening SOCK_SEQPACKET unix socket in
// a directory that only root enters. Everything else is closed. It was cloned into the v2 cgroup
// that it lives in; those of v1 come with kHello.
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

#include "node/init/pod.h"
#include "node/init/sys.h"
#include "node/init/text.h"
#include "node/process/user_lookup.h"

namespace cluster::init {

Pod pod_state;

namespace {

constexpr int kListener = 3;
constexpr long kProcMagic = 0x9fa0;

int signal_fd = -1;

// Nothing but its own socket and SIGKILL ends a cluster-init.
void SetUpSignals() {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM,
                           SIGTSTP, SIGTTIN, SIGTTOU}) {
    sigaction(signal, &ignore, nullptr);
  }
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_SETMASK, &children, nullptr);
  signal_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_fd < 0) Die("signalfd", "");
}

void LeaveTheAgent() {
  prctl(PR_SET_NAME, "cluster-init", 0, 0, 0);
  if (close_range(kListener + 1, ~0u, 0) != 0) Die("close_range", "");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) Die("clear", "dumpable");
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) Die("become", "subreaper");
  setsid();  // fails only where there is a session of its own already
  umask(077);
  if (chdir("/") != 0) Die("chdir", "/");
}

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
  pod_state.own_pidfd = PidfdOpen(getpid());
  pod_state.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (pod_state.own_pid_namespace < 0 || pod_state.own_pidfd < 0 || pod_state.epoll < 0) {
    Die("open", "namespaces, pidfd or epoll");
  }
  const int score = openat(proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score < 0) Die("open", "oom_score_adj");
  (void)!write(score, "-998", 4);  // needs CAP_SYS_RESOURCE; without it the score stays as it is
  close(score);
}

void Reap(pid_t pid, int status) {
  if (Container* container = FindProcess(&pod_state, pid); container != nullptr) {
    return ContainerReaped(container, status, RealtimeNanoseconds());
  }
  for (ExecSession* at = pod_state.execs; at != nullptr; at = at->next) {
    if (at->pid == pid) return ExecReaped(at, status);
  }
}

void ChildrenReady(void*) {
  signalfd_siginfo ignored{};
  while (read(signal_fd, &ignored, sizeof ignored) > 0) {
  }
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0;) Reap(pid, status);
}

void ListenerReady(void*) { AcceptConnection(&pod_state, kListener); }

bool ReadOptions(int count, char** words, PodOptions* options) {
  for (int i = 0; i < count; ++i) {
    const char* word = words[i];
    if (strncmp(word, "first-id=", 9) == 0) {
      options->has_users = ParseUserId(word + 9, strlen(word + 9), &options->first_id);
      if (!options->has_users) return false;
    } else if (strcmp(word, "share-processes") == 0) {
      options->shares_processes = true;
    } else if (strcmp(word, "node-network") == 0) {
      options->node_network = true;
    } else if (strcmp(word, "node-ipc") == 0) {
      options->node_ipc = true;
    } else {
      return false;
    }
  }
  return true;
}

int Main(int argc, char** argv) {
  if (argc < 3 || !ReadOptions(argc - 3, argv + 3, &pod_state.options)) {
    errno = EINVAL;
    Die("usage:", "cluster-init UID HOSTNAME [OPTION...] (started by cluster-node)");
  }
  pod_state.options.hostname = argv[2];
  LeaveTheAgent();
  SetUpSignals();
  OpenHandles();
  MakePodNamespaces(&pod_state);
  static Watch listener{ListenerReady, nullptr};
  static Watch children{ChildrenReady, nullptr};
  if (fcntl(kListener, F_SETFD, FD_CLOEXEC) != 0) Die("no listening socket at", "descriptor 3");
  fcntl(kListener, F_SETFL, O_NONBLOCK);
  WatchFd(&pod_state, kListener, &listener);
  WatchFd(&pod_state, signal_fd, &children);
  RunLoop(&pod_state);
}

}  // namespace
}  // namespace cluster::init

int main(int argc, char** argv) { return cluster::init::Main(argc, argv); }
