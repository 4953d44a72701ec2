#include "node/dns/listeners.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "node/dns/packet.h"

namespace cluster::node {
namespace {

// In one go, before others have their turn.
constexpr int kMostAtOnce = 64;
constexpr int kBacklog = 128;
// What comes while the agent does something else, or starts.
constexpr int kReceiveBytes = 1 << 20;
constexpr absl::Duration kIdle = absl::Seconds(10);
constexpr size_t kMostConnections = 512;
constexpr int kMostConnectionsOfOne = 32;
// Queries of one connection that are not answered yet, and answers that were not taken.
constexpr int kMostUnanswered = 32;
constexpr size_t kMostOutgoing = 256 * 1024;
constexpr size_t kMostIncoming = 16 * 1024;
constexpr size_t kLongestQuery = 4096;
constexpr int kMostInOneTurn = 8;
constexpr absl::Duration kPause = absl::Milliseconds(50);
// Until there may be descriptors again.
constexpr absl::Duration kRest = absl::Seconds(1);

sockaddr_in SocketAddress(Ipv4 address, uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(address.value);
  to.sin_port = htons(port);
  return to;
}

Ipv4 AddressOf(const sockaddr_in& from) { return Ipv4{ntohl(from.sin_addr.s_addr)}; }

absl::StatusOr<UniqueFd> Bind(int type, Ipv4 address, uint16_t port) {
  UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return ErrnoStatus("socket");
  const int on = 1;
  if (type == SOCK_STREAM) {
    // Connections of an earlier life may still be on their way out.
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  const sockaddr_in own = SocketAddress(address, port);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
    return ErrnoStatus(type == SOCK_STREAM ? "bind to TCP" : "bind to UDP",
                       absl::StrCat(ToString(address), ":", port));
  }
  return socket;
}

// The time of one message, to its caller's account.
class Turn {
 public:
  Turn(FairShare* share, Ipv4 caller)
      : share_(share), caller_(caller), began_(share->clock()->Monotonic()) {}
  ~Turn() { share_->Took(caller_, share_->clock()->Monotonic() - began_); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  FairShare* const share_;
  const Ipv4 caller_;
  const absl::Duration began_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<DatagramListener>> DatagramListener::Listen(
    Ipv4 address, uint16_t port, const Cidr& callers, NameHandler handler, FairShare* share,
    Reactor* reactor) {
  std::shared_ptr<DatagramListener> listener(
      new DatagramListener(callers, std::move(handler), share, reactor));
  listener->self_ = listener;
  ASSIGN_OR_RETURN(listener->socket_, Bind(SOCK_DGRAM, address, port));
  setsockopt(listener->socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes,
             sizeof kReceiveBytes);
  RETURN_IF_ERROR(reactor->Watch(listener->socket_.get(), EPOLLIN,
                                 [raw = listener.get()](uint32_t) { raw->Ready(); }));
  return listener;
}

DatagramListener::~DatagramListener() {
  if (socket_) reactor_->Unwatch(socket_.get());
}

void DatagramListener::Ready() {
  // What is longer is none; it is read as long as this, and refused.
  std::array<char, 4096> buffer;
  for (int i = 0; i < kMostAtOnce; ++i) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const ssize_t got = recvfrom(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) return;
    const NameCaller caller{AddressOf(from), false};
    if (!callers_.Contains(caller.address) || !share_->MayTake(caller.address)) continue;
    const Turn turn(share_, caller.address);
    handler_(std::string(buffer.data(), static_cast<size_t>(got)), caller,
             [weak = self_, from](const std::string& answer) {
               const std::shared_ptr<DatagramListener> self = weak.lock();
               if (self == nullptr || answer.empty()) return;
               // Whoever has no room for it asks again.
               (void)!sendto(self->socket_.get(), answer.data(), answer.size(), MSG_DONTWAIT,
                             reinterpret_cast<const sockaddr*>(&from), sizeof from);
             });
  }
}

struct StreamListener::Connection {
  uint64_t number = 0;
  Ipv4 caller;
  UniqueFd socket;
  std::string incoming;
  std::string outgoing;
  int unanswered = 0;
  bool ended = false;  // the caller says no more
  bool waits = false;  // for its turn
  uint32_t events = 0;
  Reactor::TimerId timer;
};

StreamListener::StreamListener(const Cidr& callers, NameHandler handler, FairShare* share,
                               Reactor* reactor)
    : callers_(callers), handler_(std::move(handler)), share_(share), reactor_(reactor) {}

absl::StatusOr<std::shared_ptr<StreamListener>> StreamListener::Listen(Ipv4 address, uint16_t port,
                                                                       const Cidr& callers,
                                                                       NameHandler handler,
                                                                       FairShare* share,
                                                                       Reactor* reactor) {
  std::shared_ptr<StreamListener> listener(
      new StreamListener(callers, std::move(handler), share, reactor));
  listener->self_ = listener;
  ASSIGN_OR_RETURN(listener->socket_, Bind(SOCK_STREAM, address, port));
  if (listen(listener->socket_.get(), kBacklog) != 0) return ErrnoStatus("listen");
  RETURN_IF_ERROR(listener->WatchSocket());
  return listener;
}

absl::Status StreamListener::WatchSocket() {
  return reactor_->Watch(socket_.get(), EPOLLIN, [this](uint32_t) { Accept(); });
}

StreamListener::~StreamListener() {
  while (!connections_.empty()) Close(connections_.begin()->first);
  if (socket_) reactor_->Unwatch(socket_.get());
}

void StreamListener::Accept() {
  sockaddr_in from{};
  socklen_t size = sizeof from;
  UniqueFd socket(accept4(socket_.get(), reinterpret_cast<sockaddr*>(&from), &size,
                          SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) {
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return;
    reactor_->Unwatch(socket_.get());
    reactor_->After(kRest, [weak = self_] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      const absl::Status watched = self->WatchSocket();
      if (!watched.ok()) LOG_ERROR("no names by TCP any more: {}", std::string(watched.message()));
    });
    return;
  }
  const Ipv4 caller = AddressOf(from);
  if (!callers_.Contains(caller) || connections_.size() >= kMostConnections ||
      by_caller_[caller] >= kMostConnectionsOfOne) {
    return;
  }
  auto connection = std::make_unique<Connection>();
  connection->number = next_++;
  connection->caller = caller;
  connection->socket = std::move(socket);
  ++by_caller_[caller];
  Connection* const raw = connection.get();
  connections_[raw->number] = std::move(connection);
  SetTimer(raw);
  WatchAgain(raw);
}

// Anew with every whole message, so that nobody holds a connection by a byte now and then.
void StreamListener::SetTimer(Connection* connection) {
  reactor_->Forget(connection->timer);
  connection->timer =
      reactor_->After(kIdle, [this, number = connection->number] { Close(number); });
}

// For what it waits for now. May close it.
void StreamListener::WatchAgain(Connection* connection) {
  const bool reads = !connection->ended && connection->unanswered < kMostUnanswered &&
                     connection->outgoing.size() < kMostOutgoing &&
                     connection->incoming.size() < kMostIncoming;
  const uint32_t events = (reads ? static_cast<uint32_t>(EPOLLIN) : 0U) |
                          (connection->outgoing.empty() ? 0U : static_cast<uint32_t>(EPOLLOUT));
  if (events == connection->events) return;
  connection->events = events;
  const uint64_t number = connection->number;
  const absl::Status watched = reactor_->Watch(
      connection->socket.get(), events, [this, number](uint32_t now) { Ready(number, now); });
  if (!watched.ok()) Close(number);
}

void StreamListener::Ready(uint64_t number, uint32_t events) {
  Connection* const connection = connections_.at(number).get();
  if ((events & EPOLLOUT) != 0 && !Write(connection)) return;
  // Without EPOLLIN it is over at once, whether or not it was asked for.
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0) return Close(number);
  if ((events & EPOLLIN) != 0 && !Read(connection)) return;
  TakeMessages(number);
}

bool StreamListener::Read(Connection* connection) {
  std::array<char, 16384> part;
  const ssize_t got = recv(connection->socket.get(), part.data(), part.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got < 0) {
    Close(connection->number);
    return false;
  }
  if (got == 0) connection->ended = true;
  connection->incoming.append(part.data(), static_cast<size_t>(got));
  return true;
}

bool StreamListener::Write(Connection* connection) {
  const ssize_t put = send(connection->socket.get(), connection->outgoing.data(),
                           connection->outgoing.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (put < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (put < 0) {
    Close(connection->number);
    return false;
  }
  connection->outgoing.erase(0, static_cast<size_t>(put));
  return true;
}

void StreamListener::TakeMessages(uint64_t number) {
  for (int taken = 0;; ++taken) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) return;
    Connection* const connection = found->second.get();
    if (connection->waits) return;
    const std::string& incoming = connection->incoming;
    const bool has_length = incoming.size() >= kLengthBytes;
    const size_t length = has_length ? IdOf(incoming) : 0;
    if (length > kLongestQuery) return Close(number);
    const bool is_whole = has_length && incoming.size() >= kLengthBytes + length;
    const bool has_room =
        connection->unanswered < kMostUnanswered && connection->outgoing.size() < kMostOutgoing;
    if (!is_whole || !has_room) {
      const bool is_over = connection->ended && !is_whole && connection->unanswered == 0 &&
                           connection->outgoing.empty();
      return is_over ? Close(number) : WatchAgain(connection);
    }
    if (taken == kMostInOneTurn) return TakeMore(number, absl::ZeroDuration());
    if (!share_->MayTake(connection->caller)) return TakeMore(number, kPause);
    const std::string message = incoming.substr(kLengthBytes, length);
    connection->incoming.erase(0, kLengthBytes + length);
    ++connection->unanswered;
    SetTimer(connection);
    const Turn turn(share_, connection->caller);
    handler_(message, NameCaller{connection->caller, true},
             [weak = self_, number](const std::string& answer) {
               if (const auto self = weak.lock()) self->Reply(number, answer);
             });
  }
}

// Meanwhile nothing more is read.
void StreamListener::TakeMore(uint64_t number, absl::Duration later) {
  Connection* const connection = connections_.at(number).get();
  reactor_->Unwatch(connection->socket.get());
  connection->events = 0;
  connection->waits = true;
  reactor_->After(later, [weak = self_, number] {
    const auto self = weak.lock();
    if (self == nullptr || !self->connections_.contains(number)) return;
    self->connections_.at(number)->waits = false;
    self->TakeMessages(number);
  });
}

void StreamListener::Reply(uint64_t number, const std::string& answer) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  Connection* const connection = found->second.get();
  --connection->unanswered;
  // What is no query, or has no answer, ends the connection: the caller would wait for it.
  if (answer.empty() || answer.size() > 0xffff) return Close(number);
  const size_t at = connection->outgoing.size();
  connection->outgoing.resize(at + kLengthBytes);
  connection->outgoing[at] = static_cast<char>(answer.size() >> 8);
  connection->outgoing[at + 1] = static_cast<char>(answer.size() & 0xff);
  connection->outgoing += answer;
  if (!Write(connection)) return;
  // It may have waited for this.
  reactor_->Post([weak = self_, number] {
    if (const auto self = weak.lock()) self->TakeMessages(number);
  });
}

void StreamListener::Close(uint64_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  const std::unique_ptr<Connection> connection = std::move(found->second);
  connections_.erase(found);
  reactor_->Forget(connection->timer);
  reactor_->Unwatch(connection->socket.get());
  if (--by_caller_[connection->caller] == 0) by_caller_.erase(connection->caller);
}

}  // namespace cluster::node
