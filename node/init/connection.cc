#include <errno.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/init/pod.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

struct Message {
  char data[kMaxMessage];
  size_t size = 0;
  bool overflow = false;

  void Append(const void* bytes, size_t count) {
    if (count > sizeof data - size) {
      overflow = true;
      return;
    }
    memcpy(data + size, bytes, count);
    size += count;
  }
};

Message outgoing;
char incoming[kMaxMessage];

WireWriter<Message> Begin(MessageType type) {
  outgoing.size = 0;
  outgoing.overflow = false;
  WireWriter<Message> writer(&outgoing);
  writer.Header(type);
  return writer;
}

// A client that does not read is dropped; it connects again and asks how things are.
bool Send(Connection* to, const int* fds = nullptr, size_t fd_count = 0) {
  iovec data{outgoing.data, outgoing.size};
  alignas(cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd_count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
  }
  if (!outgoing.overflow && sendmsg(to->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
    return true;
  // The socket becomes readable with end of file, and the loop takes the connection down from
  // there.
  shutdown(to->fd, SHUT_RDWR);
  return false;
}

void WriteRecord(WireWriter<Message>* writer, const Container& container) {
  writer->String(container.name);
  writer->I32(container.attempt);
  writer->U32(static_cast<uint32_t>(container.phase));
  writer->I32(container.pid);
  writer->I64(container.started_ns);
  writer->I64(container.finished_ns);
  writer->I32(container.exit_code);
  writer->I32(container.signal);
  writer->U32(container.oom_killed ? 1 : 0);
  writer->String(container.message);
}

void ReplyRecords(Connection* to) {
  uint32_t count = 0;
  for (const Container* at = pod_state.containers; at != nullptr; at = at->next) ++count;
  WireWriter<Message> writer = Begin(MessageType::kRecords);
  writer.U32(count);
  for (const Container* at = pod_state.containers; at != nullptr; at = at->next) {
    WriteRecord(&writer, *at);
  }
  Send(to);
}

void Welcome(Connection* to, WireReader* request, const int* tasks, size_t task_count) {
  // Agents from before there were flags send none.
  const uint32_t flags = request->left() > 0 ? request->U32() : 0;
  for (size_t i = 0; i < task_count; ++i) {
    if (write(tasks[i], "0", 1) != 1) return ReplyRefused(to, errno, "enter the cgroup of the pod");
  }
  // Opened here, so that the agent need not enter the namespace to configure it.
  const int route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (route < 0) return ReplyRefused(to, errno, "open a netlink socket");
  const int fds[3] = {pod_state.net_namespace, pod_state.own_pidfd, route};
  if ((flags & kHelloWatches) != 0) to->watching = true;
  Begin(MessageType::kWelcome).I32(getpid());
  Send(to, fds, 3);
  close(route);
}

void SignalContainer(Connection* from, WireReader* request) {
  const char* name = request->String();
  const int32_t attempt = request->I32();
  const int32_t signal = request->I32();
  const Container* container = FindContainer(&pod_state, name, attempt);
  if (!request->ok() || container == nullptr) {
    return ReplyRefused(from, ESRCH, "signal: no such container", name);
  }
  if (container->phase != Phase::kExited && PidfdSendSignal(container->pidfd, signal) != 0 &&
      errno != ESRCH) {
    return ReplyRefused(from, errno, "signal", name);
  }
  ReplyDone(from);
}

void WriteSysctls(Connection* from, WireReader* request) {
  const uint32_t count = request->Count(10);
  for (uint32_t i = 0; i < count && request->ok(); ++i) {
    const char* name = request->String();
    const char* value = request->String();
    if (request->ok() && !WriteSysctl(name, value)) {
      return ReplyRefused(from, errno, "set sysctl", name);
    }
  }
  if (!request->ok()) return ReplyRefused(from, EINVAL, "sysctls: malformed request");
  ReplyDone(from);
}

void Dispatch(Connection* from, size_t size, int* fds, size_t fd_count) {
  WireReader request(incoming, size);
  request.U32();  // any version: requests only ever grow at their end
  const uint32_t type = request.U32();
  switch (static_cast<MessageType>(type)) {
    case MessageType::kHello:
      return Welcome(from, &request, fds, fd_count);
    case MessageType::kStart:
      return StartContainer(&pod_state, from, &request, fds, fd_count);
    case MessageType::kGo:
      return LetGo(&pod_state, from, &request, fds, fd_count);
    case MessageType::kSignal:
      return SignalContainer(from, &request);
    case MessageType::kExec:
      return StartExec(&pod_state, from, &request, fds, fd_count);
    case MessageType::kExecKill:
      return KillExec(&pod_state, from);
    case MessageType::kSysctls:
      return WriteSysctls(from, &request);
    case MessageType::kAttach:
      return StartAttach(&pod_state, from, &request, fds, fd_count);
    case MessageType::kResize:
      return ResizeTerminal(&pod_state, from, &request);
    case MessageType::kQuery:
      return ReplyRecords(from);
    case MessageType::kWatch:
      from->watching = true;
      return ReplyDone(from);
    case MessageType::kShutdown:
      pod_state.stopper = from;
      return StopAll(&pod_state);
    case MessageType::kKeep:
      return Keep(&pod_state, from, &request, fds, fd_count);
    case MessageType::kFetch:
      return Fetch(&pod_state, from, &request);
    case MessageType::kMould:
    case MessageType::kBecome:
    case MessageType::kWelcome:
    case MessageType::kDone:
    case MessageType::kRefused:
    case MessageType::kRecord:
    case MessageType::kRecords:
    case MessageType::kExecStarted:
    case MessageType::kExecEnded:
    case MessageType::kChanged:
    case MessageType::kKept:
    case MessageType::kAttached:
    case MessageType::kMoulded:
      break;
  }
  ReplyRefused(from, EPROTO, "unknown request");
}

void ConnectionReady(void* owner) {
  Connection* connection = static_cast<Connection*>(owner);
  iovec data{incoming, sizeof incoming};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(connection->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return DropConnection(connection);
  int fds[kMaxFds];
  size_t fd_count = 0;
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds + fd_count, CMSG_DATA(at), count * sizeof(int));
    fd_count += count;
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    ReplyRefused(connection, EMSGSIZE, "request too large");
  } else {
    Dispatch(connection, static_cast<size_t>(got), fds, fd_count);
  }
  // Handlers set to -1 what they keep.
  for (size_t i = 0; i < fd_count; ++i) CloseFd(&fds[i]);
}

}  // namespace

void HearResizes(Connection* from) {
  uint32_t head[2];  // version, type
  while (recv(from->fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT) == sizeof head &&
         head[1] == static_cast<uint32_t>(MessageType::kResize)) {
    ConnectionReady(from);
  }
}

void AddConnection(Pod* pod, int fd) {
  Connection* connection = static_cast<Connection*>(malloc(sizeof(Connection)));
  if (connection == nullptr) {
    close(fd);
    return;
  }
  *connection = Connection();
  connection->fd = fd;
  connection->watch = {ConnectionReady, connection};
  connection->next = pod->connections;
  pod->connections = connection;
  WatchFd(pod, fd, &connection->watch);
}

void AcceptConnection(Pod* pod, int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  size_t count = 0;
  for (Connection* at = pod->connections; at != nullptr; at = at->next) ++count;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (count >= kMaxConnections || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      peer.uid != geteuid()) {
    close(fd);
    return;
  }
  AddConnection(pod, fd);
}

void DropConnection(Connection* connection) {
  KillExec(&pod_state, connection);
  Detach(&pod_state, connection);
  for (ExecSession* at = pod_state.execs; at != nullptr; at = at->next) {
    if (at->owner == connection) at->owner = nullptr;
  }
  for (Container* at = pod_state.containers; at != nullptr; at = at->next) {
    if (at->starter == connection) TakeBack(at);
  }
  if (pod_state.stopper == connection) pod_state.stopper = nullptr;
  for (Connection** at = &pod_state.connections; *at != nullptr; at = &(*at)->next) {
    if (*at != connection) continue;
    *at = connection->next;
    break;
  }
  CloseFd(&connection->fd);
  free(connection);
}

void ReplyRecord(Connection* to, const Container& container) {
  WireWriter<Message> writer = Begin(MessageType::kRecord);
  WriteRecord(&writer, container);
  Send(to);
}

void ReplyRefused(Connection* to, int error, const char* sentence, const char* object) {
  WireWriter<Message> writer = Begin(MessageType::kRefused);
  TextBuffer<kMaxText> text;
  text.Add(sentence).Add(object[0] == 0 ? "" : " ").Add(object);
  writer.I32(error);
  writer.String(text.c_str());
  Send(to);
}

void ReplyExecStarted(Connection* to, pid_t pid, int terminal) {
  Begin(MessageType::kExecStarted).I32(pid);
  Send(to, &terminal, terminal >= 0 ? 1 : 0);
}

void ReplyExecEnded(Connection* to, int exit_code, int signal) {
  WireWriter<Message> writer = Begin(MessageType::kExecEnded);
  writer.I32(exit_code);
  writer.I32(signal);
  Send(to);
}

void ReplyAttached(Connection* to) {
  Begin(MessageType::kAttached);
  Send(to);
}

void ReplyDone(Connection* to) {
  Begin(MessageType::kDone);
  Send(to);
}

void ReplyKept(Connection* to, int fd) {
  Begin(MessageType::kKept);
  Send(to, &fd, 1);
}

void NotifyWatchers(Pod* pod) {
  for (Connection* at = pod->connections; at != nullptr; at = at->next) {
    if (!at->watching) continue;
    Begin(MessageType::kChanged);
    Send(at);
  }
}

}  // namespace cluster::init
