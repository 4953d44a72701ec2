#include "controller/server/acceptor.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"

namespace cluster::controller {
namespace {

constexpr int kBacklog = 4096;

absl::StatusOr<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("the socket path \"", path, "\" must have 1 to ",
                                                   sizeof(address.sun_path) - 1, " bytes"));
  }
  memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Removes a socket that nobody listens on any more.
absl::Status ClearStale(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return absl::OkStatus();
  if (!S_ISSOCK(found.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat(path, " exists and is no socket: move it away or choose another --socket"));
  }
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe) return ErrnoStatus("socket", path);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("another controller is listening on ", path, ": stop it first"));
  }
  if (unlink(path.c_str()) != 0) return ErrnoStatus("unlink", path);
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> Listen(const addrinfo& address, const std::string& text) {
  UniqueFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoStatus("socket", text);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0) return ErrnoStatus("bind", text);
  if (listen(fd.get(), kBacklog) != 0) return ErrnoStatus("listen", text);
  return fd;
}

}  // namespace

absl::StatusOr<UniqueFd> ListenUnix(const std::string& path) {
  ASSIGN_OR_RETURN(const sockaddr_un address, UnixAddress(path));
  RETURN_IF_ERROR(ClearStale(path, address));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoStatus("socket", path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoStatus("bind", path);
  }
  // Nobody can connect before listen, so the mode is never open.
  if (chmod(path.c_str(), 0600) != 0) return ErrnoStatus("chmod", path);
  if (listen(fd.get(), kBacklog) != 0) return ErrnoStatus("listen", path);
  return fd;
}

absl::StatusOr<UniqueFd> ListenTcp(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen ", address, " has no port: write HOST:PORT"));
  }
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                address.substr(colon + 1).c_str(), &hints, &list);
  if (error != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen ", address, ": ", gai_strerror(error)));
  }
  auto fd = Listen(*list, address);
  freeaddrinfo(list);
  return fd;
}

std::string LocalAddress(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host, sizeof(host), port,
                  sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "";
  }
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Start(UniqueFd listener, bool only_own_user,
                                                          Accepted accepted) {
  auto acceptor = std::unique_ptr<Acceptor>(
      new Acceptor(std::move(listener), only_own_user, std::move(accepted)));
  if (!acceptor->spare_) return ErrnoStatus("open", "/dev/null");
  if (!acceptor->stop_) return ErrnoStatus("eventfd");
  Acceptor* self = acceptor.get();
  acceptor->thread_ = std::thread([self] { self->Run(); });
  return acceptor;
}

Acceptor::Acceptor(UniqueFd listener, bool only_own_user, Accepted accepted)
    : listener_(std::move(listener)),
      only_own_user_(only_own_user),
      accepted_(std::move(accepted)),
      spare_(open("/dev/null", O_RDONLY | O_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC)) {}

Acceptor::~Acceptor() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void Acceptor::Run() {
  pthread_setname_np(pthread_self(), "acceptor");
  pollfd fds[2] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
  while (true) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR) {
      LOG_ERROR("poll of the listening socket: {}", std::string(ErrnoName(errno)));
      return;
    }
    if (fds[1].revents != 0) return;
    if (fds[0].revents != 0) AcceptAll();
  }
}

void Acceptor::AcceptAll() {
  while (true) {
    UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection) {
      if (errno == EMFILE || errno == ENFILE) Shed();
      if (errno != ECONNABORTED && errno != EINTR) return;
      continue;
    }
    if (only_own_user_ && !MayConnect(connection.get())) continue;
    const int on = 1;
    setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    accepted_(std::move(connection));
  }
}

void Acceptor::Shed() {
  const int cause = errno;
  spare_.reset();
  { const UniqueFd refused(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  spare_.reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
  LOG_WARN("a connection was refused: {}; raise the limit of open files",
           std::string(ErrnoName(cause)));
  errno = cause;
}

bool Acceptor::MayConnect(int connection) const {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid == 0 || peer.uid == geteuid()) return true;
  LOG_WARN("a connection of uid {} (pid {}) was refused: only root and uid {} may connect",
           peer.uid, peer.pid, geteuid());
  return false;
}

}  // namespace cluster::controller
