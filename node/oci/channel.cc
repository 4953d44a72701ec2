#include "node/oci/channel.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::oci {
namespace {

constexpr size_t kMaxText = 128 * 1024;
constexpr size_t kMaxFds = 60;

}  // namespace

absl::StatusOr<std::pair<Channel, Channel>> Channel::MakePair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return ErrnoStatus("socketpair");
  }
  return std::make_pair(Channel(UniqueFd(ends[0])), Channel(UniqueFd(ends[1])));
}

absl::Status Channel::Send(Packet kind, absl::string_view text, const std::vector<int>& fds) {
  if (text.size() > kMaxText || fds.size() > kMaxFds) {
    return absl::InternalError("a packet to the container's process is too large");
  }
  char type = static_cast<char>(kind);
  iovec parts[2] = {{&type, 1}, {const_cast<char*>(text.data()), text.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return absl::OkStatus();
  if (errno == EPIPE || errno == ECONNRESET) {
    return absl::UnavailableError("the other side of the container's channel is gone");
  }
  return ErrnoStatus("send to", "the container's channel");
}

// The size of the next packet; 0 at the end. Reset, said once, means that the other side went away
// without reading all that was sent to it: what it had to say itself comes after that.
absl::StatusOr<size_t> Channel::Peek() {
  char first;
  ssize_t size;
  do {
    size = ::recv(fd_.get(), &first, 1, MSG_PEEK | MSG_TRUNC);
  } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
  if (size < 0) return ErrnoStatus("receive from", "the container's channel");
  return static_cast<size_t>(size);
}

absl::StatusOr<Message> Channel::Receive() {
  ASSIGN_OR_RETURN(const size_t size, Peek());
  if (size == 0) return Message();
  char type = 0;
  std::string text(size - 1, '\0');
  iovec parts[2] = {{&type, 1}, {text.data(), text.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
    // It may have gone away only now.
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got < 0) return ErrnoStatus("receive from", "the container's channel");
  Message received;
  received.kind = static_cast<Packet>(type);
  text.resize(static_cast<size_t>(got) - 1);
  received.text = std::move(text);
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      received.fds.emplace_back(fd);
    }
  }
  return received;
}

absl::StatusOr<Message> Channel::Expect(Packet kind) {
  ASSIGN_OR_RETURN(Message message, Receive());
  if (message.kind == kind) return message;
  if (message.kind == Packet::kEnd) return absl::AbortedError("the runtime has gone away");
  return absl::AbortedError(
      absl::StrCat("unexpected packet '", std::string(1, static_cast<char>(message.kind)), "'"));
}

}  // namespace cluster::oci
