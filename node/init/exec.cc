#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "node/init/pod.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {

ssize_t ReceiveWithFd(int socket, void* data, size_t size, int* fd) {
  iovec bytes{data, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    // Reset: the child died without reading all it was sent. Its last word is still behind that.
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  const cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    memcpy(fd, CMSG_DATA(header), sizeof *fd);
  }
  return got;
}

namespace {

void Remove(ExecSession* gone) {
  for (ExecSession** at = &pod_state.execs; *at != nullptr; at = &(*at)->next) {
    if (*at != gone) continue;
    *at = gone->next;
    break;
  }
  CloseFd(&gone->channel);
  CloseFd(&gone->pidfd);
  CloseFd(&gone->terminal);
  free(gone);
}

void RefuseFailed(const ExecSession& session) {
  TextBuffer<kMaxText> text;
  text.Add("exec: ").Add(session.report.operation);
  ReplyRefused(session.owner, session.report.error, text.c_str(), session.report.object);
}

// In order: with a terminal its master, then a report when it failed, then end of file.
void ExecChannelReady(void* owner) {
  ExecSession* session = static_cast<ExecSession*>(owner);
  while (session->channel >= 0) {
    int terminal = -1;
    const ssize_t got =
        ReceiveWithFd(session->channel, &session->report, sizeof session->report, &terminal);
    if (got < 0 && errno == EAGAIN) return;
    if (terminal >= 0) {
      session->terminal = terminal;
      continue;
    }
    CloseFd(&session->channel);
    session->report_received = got == sizeof session->report;
    if (session->owner == nullptr) return;
    if (session->report_received) {
      RefuseFailed(*session);
      session->owner = nullptr;
    } else {
      ReplyExecStarted(session->owner, session->pid, session->terminal);
    }
    CloseFd(&session->terminal);
  }
}

// clone3 into the container's pid namespace: the namespace for children is switched for the one
// call, so that the command is our own child and its exit code comes to us.
pid_t CloneInto(Container* container, int* pidfd, int v2_dir) {
  if (setns(container->pidfd, CLONE_NEWPID) != 0) return -1;
  const pid_t pid = Clone3(0, SIGCHLD, pidfd, v2_dir);
  if (pid == 0) return 0;
  const int error = errno;
  if (setns(pod_state.own_pid_namespace, CLONE_NEWPID) != 0) {
    // Every later child would land in the wrong namespace.
    Complain("return to", "the node's pid namespace", errno);
    abort();
  }
  errno = error;
  return pid;
}

}  // namespace

void StartExec(Pod* pod, Connection* from, WireReader* request, int* fds, size_t fd_count) {
  const char* name = request->String();
  const uint32_t flags = request->U32();
  const uint32_t tasks = request->U32();
  const uint32_t rows = request->U32();
  const uint32_t columns = request->U32();
  Strings argv;
  const bool listed = ReadStrings(request, &argv) && argv.count > 0;
  const bool tty = (flags & kExecTty) != 0;
  const size_t stdio = tty ? 0 : 3;
  const size_t v2 = (flags & kExecCgroup2) != 0 ? 1 : 0;
  Container* container = FindRunning(pod, name);
  if (!listed || tasks > kMaxFds || fd_count != stdio + v2 + tasks || container == nullptr) {
    free(argv.items);
    return container == nullptr ? ReplyRefused(from, ESRCH, "exec: no running container", name)
                                : ReplyRefused(from, EINVAL, "exec: malformed request");
  }
  const CgroupFds cgroups{v2 != 0 ? fds[stdio] : -1, fds + stdio + v2, tasks};
  int channel[2];
  ExecSession* session = static_cast<ExecSession*>(malloc(sizeof(ExecSession)));
  if (session == nullptr ||
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, channel) != 0) {
    free(session);
    free(argv.items);
    return ReplyRefused(from, ENOMEM, "exec: out of memory or descriptors");
  }
  *session = ExecSession();
  const pid_t pid = CloneInto(container, &session->pidfd, cgroups.v2_dir);
  if (pid == 0) {
    close(channel[0]);
    RunExec({&container->launch,
             &argv,
             &cgroups,
             container->pidfd,
             pod->host_proc,
             pod->user_namespace,
             pod->options.first_id,
             channel[1],
             {tty ? -1 : fds[0], tty ? -1 : fds[1], tty ? -1 : fds[2]},
             tty,
             static_cast<uint16_t>(rows),
             static_cast<uint16_t>(columns)});
  }
  const int error = errno;
  free(argv.items);
  close(channel[1]);
  if (pid < 0) {
    close(channel[0]);
    free(session);
    return ReplyRefused(from, error, "exec: cannot clone into the container", name);
  }
  session->pid = pid;
  session->channel = channel[0];
  session->owner = from;
  session->next = pod->execs;
  pod->execs = session;
  session->channel_watch = {ExecChannelReady, session};
  WatchFd(pod, session->channel, &session->channel_watch);
}

void ExecReaped(ExecSession* session, int status) {
  ExecChannelReady(session);
  if (session->owner != nullptr) {
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ReplyExecEnded(session->owner, signal != 0 ? 128 + signal : WEXITSTATUS(status), signal);
  }
  Remove(session);
}

// The command leads a session of its own and is not reaped yet, so its pid still names its group.
void KillExec(Pod* pod, Connection* owner) {
  for (ExecSession* at = pod->execs; at != nullptr; at = at->next) {
    if (at->owner != owner) continue;
    kill(-at->pid, SIGKILL);
    PidfdSendSignal(at->pidfd, SIGKILL);
  }
}

}  // namespace cluster::init
