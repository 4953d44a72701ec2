#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <initializer_list>

#include "node/init/pod.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

void EndStream(Container* container, LogStream* stream) {
  if (stream->fd < 0) return;
  FinishLog(stream, &container->log);
  CloseFd(&stream->fd);
}

void Release(Container* container) {
  for (LogStream& stream : container->streams) EndStream(container, &stream);
  CloseFd(&container->log.fd);
  CloseFd(&container->pidfd);
  CloseFd(&container->instance_dir);
  EndOomWatch(container);
  CloseFd(&container->oom_file);
  CloseFd(&container->cgroup2);
  CloseFd(&container->channel);
  CloseFd(&container->terminal);
  CloseFd(&container->input);
  for (size_t i = 0; i < container->go_count; ++i) close(container->go_fds[i]);
  free(container->go_fds);
  container->go_fds = nullptr;
  container->go_count = 0;
  FreeEarly(container);
  FreeLaunch(&container->launch);
  free(container->plan);
  container->plan = nullptr;
}

void Forget(Pod* pod, Container* gone) {
  for (Container** at = &pod->containers; *at != nullptr; at = &(*at)->next) {
    if (*at != gone) continue;
    *at = gone->next;
    break;
  }
  DropAttachments(gone);
  Release(gone);
  free(gone);
}

// What it started and left behind. cgroup.kill ends all at once, also what is being forked.
void EndRemains(const Container& container) {
  const int kill = openat(container.cgroup2, "cgroup.kill", O_WRONLY | O_CLOEXEC);
  if (kill < 0 || write(kill, "1", 1) != 1) Complain("end what is left of", container.name, errno);
  if (kill >= 0) close(kill);
}

void StreamReady(void* owner) {
  Container* container = static_cast<Container*>(owner);
  for (int i = 0; i < 2; ++i) {
    LogStream* stream = &container->streams[i];
    if (stream->fd < 0 || HoldStream(container, i)) continue;
    if (PumpLog(stream, &container->log) == PumpResult::kEnded) EndStream(container, stream);
  }
}

void WatchStream(Container* container, int index) {
  container->stream_watches[index] = {StreamReady, container};
  WatchFd(&pod_state, container->streams[index].fd, &container->stream_watches[index]);
}

// The master of the container's pty, with which both output and input go on.
void TakeTerminal(Container* container, int master) {
  container->streams[0].fd = master;
  container->streams[0].name = "stdout";
  // Held, so that the master does not hang up when the container has closed it for a while.
  container->terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if ((container->launch.flags & kKeepStdin) != 0) {
    container->input = fcntl(master, F_DUPFD_CLOEXEC, 0);
  }
  WatchStream(container, 0);
}

void DescribeFailure(Container* container) {
  const ChildReport& report = container->report;
  Text text(container->message, sizeof container->message);
  text.Add(report.operation).Add(report.object[0] == 0 ? "" : " ").Add(report.object);
  const char* name = report.error == 0 ? nullptr : strerrorname_np(report.error);
  if (name != nullptr) text.Add(": ").Add(name);
  for (char* at = container->message; *at != 0; ++at) {
    if (*at == '\n') *at = ' ';
  }
}

void Started(Container* container) {
  container->phase = Phase::kRunning;
  Connection* starter = container->starter;
  container->starter = nullptr;
  RecordStart(*container);
  if (starter != nullptr) ReplyRecord(starter, *container);
  NotifyWatchers(&pod_state);
  WatchOom(container);
}

// The go-ahead with the v1 tasks files.
void SendGo(const Container& container, const int* fds, size_t count) {
  char mark = kGoMark;
  iovec data{&mark, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  const size_t bytes = count * sizeof(int);
  if (bytes > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), fds, bytes);
  }
  // A child that cannot be reached has failed, and is reported when it is reaped.
  (void)!sendmsg(container.channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void SendHeldGo(Container* container) {
  if (container->go_fds == nullptr) return;
  SendGo(*container, container->go_fds, container->go_count);
  for (size_t i = 0; i < container->go_count; ++i) close(container->go_fds[i]);
  free(container->go_fds);
  container->go_fds = nullptr;
  container->go_count = 0;
}

void ForgetUnclaimed(Pod* pod) {
  while (UnclaimedEnd* gone = pod->unclaimed) {
    pod->unclaimed = gone->next;
    free(gone);
  }
}

bool AnyAwaitsBirth(const Pod& pod) {
  const Container* at = pod.containers;
  while (at != nullptr && !at->awaits_birth) at = at->next;
  return at != nullptr;
}

// Takes the end of `pid` from those which nobody has claimed. False: there is none.
bool ClaimEnd(Pod* pod, pid_t pid, int* status) {
  for (UnclaimedEnd** at = &pod->unclaimed; *at != nullptr; at = &(*at)->next) {
    if ((*at)->pid != pid) continue;
    UnclaimedEnd* found = *at;
    *at = found->next;
    *status = found->status;
    free(found);
    return true;
  }
  return false;
}

// From now on the process that was prepared is the container's.
void Born(Container* container, const BirthNotice& notice, int pidfd) {
  container->awaits_birth = false;
  CloseFd(&container->pidfd);
  container->pid = notice.pid;
  container->pidfd = pidfd;
  // Once it is reaped; the number alone may have been another's before.
  const bool reaped = PidfdSendSignal(pidfd, 0) != 0 && errno == ESRCH;
  container->born_ended = reaped;
  if (reaped && !ClaimEnd(&pod_state, notice.pid, &container->born_status)) {
    container->born_status = kExitCannotStart << 8;  // as wait(2) has it; there was no memory
  }
  // Somebody wanted its end while it came to be.
  if (container->taken_back || pod_state.stopping) PidfdSendSignal(pidfd, SIGKILL);
  SendHeldGo(container);
}

// Packets: a birth, with a terminal its master, a failure. End of file without a failure means
// exec.
void ReadStartChannel(Container* container) {
  while (container->channel >= 0) {
    union {
      ChildReport report;
      BirthNotice birth;
    } packet;
    int fd = -1;
    const ssize_t got = ReceiveWithFd(container->channel, &packet, sizeof packet, &fd);
    if (got < 0 && errno == EAGAIN) return;
    if (fd >= 0) {
      if (got == sizeof packet.birth) {
        Born(container, packet.birth, fd);
      } else {
        TakeTerminal(container, fd);
      }
      continue;
    }
    if (got == sizeof packet.report) {
      container->report = packet.report;
      container->report_received = true;  // told when the process is reaped
      continue;
    }
    CloseFd(&container->channel);
    // Ended before it came to what it was to become, or while it waited for the go-ahead: nothing
    // of the image has run, and what is to be told is told when it is reaped.
    const bool ran = !container->awaits_birth && !container->held && !container->taken_back &&
                     !container->born_ended;
    if (!container->report_received && ran) Started(container);
  }
}

// May forget the container.
void StartChannelReady(void* owner) {
  Container* container = static_cast<Container*>(owner);
  ReadStartChannel(container);
  if (!container->born_ended || container->phase == Phase::kExited) return;
  ContainerReaped(container, container->born_status, RealtimeNanoseconds());
}

bool ReadPlan(int fd, uint32_t size, Container* container) {
  if (size > kMaxPlan) return false;
  container->plan = static_cast<char*>(malloc(size + 1));
  if (container->plan == nullptr) return false;
  if (pread(fd, container->plan, size, 0) != static_cast<ssize_t>(size)) return false;
  return ReadLaunch(container->plan, size, &container->launch);
}

// The log lies beside the instance's directory, under the attempt's number.
void PrepareLog(Container* container) {
  LogFile* log = &container->log;
  log->dir = container->instance_dir;
  Text(log->name, sizeof log->name).Add("../").AddNumber(container->attempt).Add(".log");
  log->max_bytes = container->launch.log_max_bytes;
  log->max_files = container->launch.log_max_files < 2 ? 2 : container->launch.log_max_files;
}

bool OpenPipe(Container* container, int index, int* write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);  // our end alone; the container's blocks as it expects
  container->streams[index].fd = ends[0];
  container->streams[index].name = index == 0 ? "stdout" : "stderr";
  *write_end = ends[1];
  return true;
}

// The container's ends of what it is to have for stdin, stdout and stderr; a terminal is made by
// its own process.
bool OpenStdio(Container* container, int stdio[3]) {
  const uint32_t flags = container->launch.flags;
  if ((flags & kTerminal) != 0) return true;
  if ((flags & kKeepStdin) != 0) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    stdio[0] = ends[0];
    container->input = ends[1];
  }
  return OpenPipe(container, 0, &stdio[1]) && OpenPipe(container, 1, &stdio[2]);
}

// clone3 and what must be there before it. False with errno.
bool Spawn(Container* container, int cgroup2, int pid_namespace, const int* volumes,
           size_t volume_count) {
  int stdio[3] = {-1, -1, -1};
  int channel[2] = {-1, -1};
  bool spawned = false;
  if (OpenStdio(container, stdio) &&
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, channel) == 0) {
    container->started_ns = RealtimeNanoseconds();
    const ContainerInputs inputs{&container->launch,
                                 pod_state.shm,
                                 pod_state.host_proc,
                                 pod_state.user_namespace,
                                 pod_state.options.first_id,
                                 pid_namespace,
                                 cgroup2,
                                 volumes,
                                 volume_count,
                                 channel[1],
                                 stdio[0],
                                 stdio[1],
                                 stdio[2]};
    // What only prepares stays outside of the container's group, whose limits are not for it.
    const int birthplace = HasSecondProcess(inputs) ? -1 : cgroup2;
    const pid_t pid = Clone3(CloneFlagsFor(inputs), SIGCHLD, &container->pidfd, birthplace);
    if (pid == 0) {
      close(channel[0]);  // so that its end tells of ours
      RunContainer(inputs);
    }
    container->pid = pid;
    container->awaits_birth = HasSecondProcess(inputs);
    container->channel = channel[0];
    channel[0] = -1;
    spawned = pid > 0;
  }
  const int error = errno;
  for (int fd : {stdio[0], stdio[1], stdio[2], channel[0], channel[1]}) {
    if (fd >= 0) close(fd);
  }
  errno = error;
  return spawned;
}

void WatchContainer(Pod* pod, Container* container) {
  container->channel_watch = {StartChannelReady, container};
  WatchFd(pod, container->channel, &container->channel_watch);
  TapStreams(container);
  for (int i = 0; i < 2; ++i) {
    if (container->streams[i].fd >= 0) WatchStream(container, i);
  }
}

// The pid namespace that the container is to share, as a descriptor of its own; -1 when it has one
// for itself, or there is none to share.
int OpenSharedProcesses(Pod* pod, const Launch& launch) {
  if ((launch.flags & kSharedProcesses) == 0) return -1;
  if (launch.pid_namespace_of[0] == 0) {
    return fcntl(pod->pid_namespace, F_DUPFD_CLOEXEC, 0);
  }
  const Container* target = FindRunning(pod, launch.pid_namespace_of);
  if (target == nullptr) return -1;
  // Nobody else reaps it, so its pid is its own, alive or not.
  TextBuffer<64> path;
  path.AddNumber(target->pid).Add("/ns/pid");
  return openat(pod->host_proc, path.c_str(), O_RDONLY | O_CLOEXEC);
}

// Older instances of the name make room; false when one of them still runs.
bool MakeRoom(Pod* pod, const Container& newcomer) {
  size_t count = 0;
  for (Container* at = pod->containers; at != nullptr;) {
    Container* next = at->next;
    ++count;
    if (strcmp(at->name, newcomer.name) == 0) {
      if (at->phase != Phase::kExited) return false;
      Forget(pod, at);
      --count;
    }
    at = next;
  }
  return count < kMaxContainers;
}

}  // namespace

Container* FindContainer(Pod* pod, const char* name, int32_t attempt) {
  for (Container* at = pod->containers; at != nullptr; at = at->next) {
    if (at->attempt == attempt && strcmp(at->name, name) == 0) return at;
  }
  return nullptr;
}

Container* FindRunning(Pod* pod, const char* name) {
  for (Container* at = pod->containers; at != nullptr; at = at->next) {
    if (at->phase == Phase::kRunning && strcmp(at->name, name) == 0) return at;
  }
  return nullptr;
}

void StartContainer(Pod* pod, Connection* from, WireReader* request, int* fds, size_t fd_count) {
  const uint32_t plan_size = request->U32();
  const uint32_t flags = request->U32();
  const size_t v2 = (flags & kHasCgroup2) != 0 ? 1 : 0;
  const size_t fixed = kStartFixedFds + v2;
  if (!request->ok() || fd_count < fixed) {
    return ReplyRefused(from, EINVAL, "start: malformed request");
  }
  Container* container = static_cast<Container*>(malloc(sizeof(Container)));
  if (container == nullptr) return ReplyRefused(from, ENOMEM, "start: out of memory");
  *container = Container();
  if (!ReadPlan(fds[0], plan_size, container) || !IsSafeName(container->launch.name)) {
    Release(container);
    free(container);
    return ReplyRefused(from, EINVAL, "start: malformed launch plan");
  }
  CopyText(container->name, sizeof container->name, container->launch.name);
  container->attempt = container->launch.attempt;
  const Container* same = FindContainer(pod, container->name, container->attempt);
  const bool room =
      same == nullptr && !pod->stopping && !LeaseIsOver(pod) && MakeRoom(pod, *container);
  if (same != nullptr || !room) {
    Release(container);
    free(container);
    if (same != nullptr && same->phase != Phase::kStarting) return ReplyRecord(from, *same);
    return ReplyRefused(from, EBUSY, "start: an earlier instance still runs, or the pod is ending");
  }
  container->instance_dir = fds[1];
  container->log.fd = fds[2];
  fds[1] = fds[2] = -1;
  const bool shares = (container->launch.flags & kSharedProcesses) != 0;
  const bool outlives = shares || (container->launch.flags & kNodeProcesses) != 0;
  const int processes = OpenSharedProcesses(pod, container->launch);
  if (shares && processes < 0 && container->launch.pid_namespace_of[0] != 0) {
    ReplyRefused(from, ESRCH, "start: the container whose processes it is to see does not run:",
                 container->launch.pid_namespace_of);
    Release(container);
    free(container);
    return;
  }
  if (outlives && (v2 == 0 || (shares && processes < 0))) {
    if (processes >= 0) close(processes);
    Release(container);
    free(container);
    return ReplyRefused(from, EINVAL,
                        "start: a shared pid namespace needs a cgroup v2 tree to end it by");
  }
  PrepareLog(container);
  const bool spawned = Spawn(container, v2 != 0 ? fds[kStartFixedFds] : -1, processes, fds + fixed,
                             fd_count - fixed);
  const int error = errno;
  if (processes >= 0) close(processes);
  if (!spawned) {
    Release(container);
    free(container);
    return ReplyRefused(from, error, "start: cannot clone a process");
  }
  if (outlives) {
    container->cgroup2 = fds[kStartFixedFds];
    fds[kStartFixedFds] = -1;
  }
  container->next = pod->containers;
  pod->containers = container;
  container->starter = from;
  container->held = true;
  WatchContainer(pod, container);
}

void LetGo(Pod* pod, Connection* from, WireReader* request, int* fds, size_t fd_count) {
  const uint32_t flags = request->U32();
  Container* container = pod->containers;
  while (container != nullptr && !(container->starter == from && container->held)) {
    container = container->next;
  }
  // None: it was refused or failed already, and that was the answer.
  if (container == nullptr) return;
  size_t first = 0;
  if ((flags & kHasOomFile) != 0 && fd_count > 0) {
    container->oom_file = fds[0];
    fds[0] = -1;
    first = 1;
  }
  container->held = false;
  const size_t count = fd_count - first;
  if (!container->awaits_birth) return SendGo(*container, fds + first, count);
  // Nothing of the image runs before its birth is told: one that ended until then has failed.
  container->go_fds = static_cast<int*>(malloc((count + 1) * sizeof(int)));
  if (container->go_fds == nullptr) {
    PidfdSendSignal(container->pidfd, SIGKILL);
    return;
  }
  memcpy(container->go_fds, fds + first, count * sizeof(int));
  container->go_count = count;
  for (size_t i = first; i < fd_count; ++i) fds[i] = -1;
}

void TakeBack(Container* container) {
  container->starter = nullptr;
  if (!container->held) return;
  container->taken_back = true;
  PidfdSendSignal(container->pidfd, SIGKILL);
}

Container* FindProcess(Pod* pod, pid_t pid) {
  // What prepares a container may be reaped before its last word is read.
  for (Container *at = pod->containers, *next; at != nullptr; at = next) {
    next = at->next;
    if (at->awaits_birth) StartChannelReady(at);
  }
  for (Container* at = pod->containers; at != nullptr; at = at->next) {
    if (at->pid == pid && at->phase != Phase::kExited) return at;
  }
  return nullptr;
}

void KeepUnclaimed(Pod* pod, pid_t pid, int status) {
  if (!AnyAwaitsBirth(*pod)) return ForgetUnclaimed(pod);
  UnclaimedEnd* end = static_cast<UnclaimedEnd*>(malloc(sizeof(UnclaimedEnd)));
  if (end == nullptr) return Complain("keep", "a child's end", ENOMEM);
  *end = UnclaimedEnd{pod->unclaimed, pid, status};
  pod->unclaimed = end;
}

// The process is gone and with it everything in its pid namespace (or, where it had none of its
// own, everything in its cgroup), so the pipes hold all there will ever be. First the log, then the
// durable record, then the word.
void ContainerReaped(Container* container, int status, int64_t now) {
  container->awaits_birth = false;
  if (!AnyAwaitsBirth(pod_state)) ForgetUnclaimed(&pod_state);
  if (container->cgroup2 >= 0) EndRemains(*container);
  if (container->taken_back) {
    Forget(&pod_state, container);
    if (pod_state.stopping) FinishStopping(&pod_state);
    return;
  }
  ReadStartChannel(container);
  for (LogStream& stream : container->streams) EndStream(container, &stream);
  container->finished_ns = now;
  if (container->report_received) {
    container->exit_code = container->report.exit_code;
    DescribeFailure(container);
  } else if (WIFSIGNALED(status)) {
    container->signal = WTERMSIG(status);
    container->exit_code = 128 + container->signal;
  } else {
    container->exit_code = WEXITSTATUS(status);
  }
  container->oom_killed = container->exit_code != 0 && SawOomKill(container->oom_file);
  container->phase = Phase::kExited;
  RecordExit(*container);
  Connection* starter = container->starter;
  container->starter = nullptr;
  Release(container);
  EndAttachments(container);
  if (starter != nullptr) ReplyRecord(starter, *container);
  NotifyWatchers(&pod_state);
  if (pod_state.stopping) FinishStopping(&pod_state);
}

void StopAll(Pod* pod) {
  pod->stopping = true;
  for (Container* at = pod->containers; at != nullptr; at = at->next) {
    if (at->phase != Phase::kExited) PidfdSendSignal(at->pidfd, SIGKILL);
  }
  FinishStopping(pod);
}

void FinishStopping(Pod* pod) {
  for (Container* at = pod->containers; at != nullptr; at = at->next) {
    if (at->phase != Phase::kExited) return;
  }
  if (pod->stopper != nullptr) ReplyDone(pod->stopper);
  _exit(0);
}

}  // namespace cluster::init
