#include "node/runtime/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"

#include "base/clock.h"
#include "base/status.h"

namespace cluster::node {
namespace {

// 0, or why there is no connection.
int AwaitConnected(int socket, absl::Duration patience) {
  const absl::Duration deadline = RealClock()->Monotonic() + patience;
  for (;;) {
    const absl::Duration left = deadline - RealClock()->Monotonic();
    if (left <= absl::ZeroDuration()) return ETIMEDOUT;
    pollfd ready{socket, POLLOUT, 0};
    const int milliseconds = static_cast<int>(absl::ToInt64Milliseconds(left)) + 1;
    const int got = ::poll(&ready, 1, milliseconds);
    if (got < 0 && errno != EINTR) return errno;
    if (got <= 0) continue;
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
  }
}

template <typename Address>
int ConnectTo(int family, const Address& address, absl::Duration patience, UniqueFd* socket) {
  socket->reset(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket->valid()) return errno;
  // What is typed shall arrive, not wait for more.
  const int on = 1;
  ::setsockopt(socket->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return 0;
  }
  return errno == EINPROGRESS ? AwaitConnected(socket->get(), patience) : errno;
}

}  // namespace

absl::StatusOr<UniqueFd> DialLoopback(uint16_t port, absl::Duration patience) {
  UniqueFd socket;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int error = ConnectTo(AF_INET, v4, patience, &socket);
  if (error == 0) return socket;
  if (error == ETIMEDOUT) {
    return absl::UnavailableError(
        absl::StrCat("whoever listens on port ", port, " takes no connection"));
  }
  if (error != ECONNREFUSED) {
    errno = error;
    return ErrnoStatus("connect", absl::StrCat("127.0.0.1:", port));
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_addr = in6addr_loopback;
  if (ConnectTo(AF_INET6, v6, patience, &socket) == 0) return socket;
  return absl::UnavailableError(absl::StrCat("connection refused: nobody listens on port ", port));
}

}  // namespace cluster::node
