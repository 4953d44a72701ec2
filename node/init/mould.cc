#include "node/init/mould.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/init/pod.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

constexpr size_t kMaxOrder = 1024;  // bytes: a uid, a host name and numbers
constexpr size_t kMaxOrderFds = 4;

struct Order {
  char data[kMaxOrder];
  size_t size = 0;
  int fds[kMaxOrderFds];
  size_t fd_count = 0;
};

// False at the end of the conversation.
bool Receive(int socket, Order* order) {
  iovec bytes{order->data, sizeof order->data};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxOrderFds * sizeof(int))];
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  order->size = static_cast<size_t>(got);
  order->fd_count = 0;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    order->fd_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(order->fds, CMSG_DATA(header), order->fd_count * sizeof(int));
  }
  return true;
}

void SetOptions(uint32_t flags, uint32_t first_id) {
  PodOptions* options = &pod_state.options;
  options->has_users = (flags & kPodHasUsers) != 0;
  options->first_id = first_id;
  options->shares_processes = (flags & kPodSharesProcesses) != 0;
  options->node_network = (flags & kPodInNodeNetwork) != 0;
  options->node_ipc = (flags & kPodInNodeIpc) != 0;
}

[[noreturn]] void Refuse(int socket, int error, const char* sentence) {
  struct Reply {
    char bytes[256];
    size_t size = 0;
    void Append(const void* data, size_t count) {
      memcpy(bytes + size, data, count);
      size += count;
    }
  } reply;
  WireWriter<Reply> writer(&reply);
  writer.Header(MessageType::kRefused);
  writer.I32(error);
  writer.String(sentence);
  // Nobody there to hear it: then nobody waits.
  (void)!send(socket, reply.bytes, reply.size, MSG_NOSIGNAL);
  _exit(1);
}

void TellOfNamespaces(int socket) {
  const int route = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (route < 0) Refuse(socket, errno, "open a netlink socket");
  MessageHeader told{kWireVersion, MessageType::kMoulded};
  iovec bytes{&told, sizeof told};
  const int fds[2] = {pod_state.net_namespace, route};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fds);
  memcpy(CMSG_DATA(header), fds, sizeof fds);
  if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0) _exit(0);
  close(route);
}

// What others see as the arguments of this process.
void Show(Title title, const char* uid, const char* hostname) {
  Text text(title.text, title.size);
  memset(title.text, 0, title.size);
  text.Add(uid).Add(" ").Add(hostname);
}

// Comes back in the pod's cluster-init.
Birth BecomeInit(int socket, const Order& order, bool ready, Title title) {
  WireReader reader(order.data, order.size);
  reader.U32();
  const bool known = reader.U32() == static_cast<uint32_t>(MessageType::kBecome);
  const char* uid = reader.String();
  const char* hostname = reader.String();
  const uint32_t flags = reader.U32();
  const uint32_t first_id = reader.U32();
  const size_t leased = (flags & kPodLeased) != 0 ? 1 : 0;
  if (!known || !reader.ok() || order.fd_count < 2 + leased) {
    Refuse(socket, EINVAL, "malformed order");
  }
  const bool has_group = order.fd_count > 2 + leased;
  int pidfd = -1;
  const pid_t pid = Clone3(CLONE_PARENT, 0, &pidfd, has_group ? order.fds[2 + leased] : -1);
  if (pid < 0) Refuse(socket, errno, "clone cluster-init");
  if (pid > 0) _exit(0);
  if (dup2(order.fds[0], STDERR_FILENO) < 0) _exit(1);
  close(order.fds[0]);
  if (has_group) close(order.fds[2 + leased]);
  Show(title, uid, hostname);
  if (!ready) {
    SetOptions(flags, first_id);
    MakePodNamespaces(&pod_state);
  }
  if (sethostname(hostname, strlen(hostname)) != 0) Die("set hostname", hostname);
  return {order.fds[1], socket, leased != 0 ? order.fds[2] : -1};
}

Birth RunMould(int socket, uint32_t flags, uint32_t first_id, Title title) {
  // It waits for helpers of its own; to the template nobody's end means anything.
  signal(SIGCHLD, SIG_DFL);
  const bool ready = (flags & kMouldReady) != 0;
  if (ready) {
    SetOptions(flags, first_id);
    MakePodNamespaces(&pod_state);
    if ((flags & kMouldTells) != 0) TellOfNamespaces(socket);
  }
  static Order order;
  if (!Receive(socket, &order)) _exit(0);
  return BecomeInit(socket, order, ready, title);
}

}  // namespace

Birth AwaitBirth(int channel, Title title) {
  signal(SIGCHLD, SIG_IGN);
  static Order order;
  while (Receive(channel, &order)) {
    WireReader reader(order.data, order.size);
    reader.U32();
    const bool known = reader.U32() == static_cast<uint32_t>(MessageType::kMould);
    const uint32_t flags = reader.U32();
    const uint32_t first_id = reader.U32();
    if (known && reader.ok() && order.fd_count == 1) {
      const pid_t pid = fork();
      if (pid == 0) {
        close(channel);
        return RunMould(order.fds[0], flags, first_id, title);
      }
      // The agent sees the socket end.
      if (pid < 0) Complain("fork", "a mould", errno);
    }
    for (size_t i = 0; i < order.fd_count; ++i) close(order.fds[i]);
  }
  _exit(0);
}

}  // namespace cluster::init
