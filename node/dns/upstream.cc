#include "node/dns/upstream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/status.h"
#include "base/unique_handle.h"
#include "node/dns/packet.h"

namespace cluster::node {
namespace {

// A resolver asks again after five seconds: by then two of ours have had their chance.
constexpr absl::Duration kPatience = absl::Seconds(2);
constexpr absl::Duration kSilence = absl::Seconds(30);
constexpr size_t kMostServers = 3;
constexpr size_t kMostExchanges = 1024;
constexpr int kMostQuestionsOfOne = 128;

socklen_t AddressOf(const std::string& server, uint16_t port, sockaddr_storage* address) {
  *address = {};
  auto* four = reinterpret_cast<sockaddr_in*>(address);
  if (inet_pton(AF_INET, server.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    return sizeof *four;
  }
  auto* six = reinterpret_cast<sockaddr_in6*>(address);
  if (inet_pton(AF_INET6, server.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    return sizeof *six;
  }
  return 0;
}

uint16_t RandomId() {
  uint16_t id = 0;
  // Always as many as these few, once the machine has any (getrandom(2)).
  (void)!getrandom(&id, sizeof id, 0);
  return id;
}

// The server cannot do it; another may.
bool IsRefusal(absl::string_view message) {
  const int code = message[3] & 0x0f;
  return code == static_cast<int>(ResponseCode::kServerFailure) ||
         code == static_cast<int>(ResponseCode::kNotImplemented) ||
         code == static_cast<int>(ResponseCode::kRefused);
}

}  // namespace

struct Upstream::Exchange {
  uint64_t number = 0;
  std::string query;
  uint16_t id = 0;  // of the asker's
  Ipv4 asker;
  bool by_stream = false;
  Done done;
  std::vector<std::string> servers;  // those that are left
  UniqueFd socket;
  std::string outgoing;  // what is left of it, by TCP
  std::string incoming;
  std::string refusal;  // the last one
  Reactor::TimerId timer;
};

Upstream::Upstream(Reactor* reactor, const Clock* clock, ListServers servers, uint16_t port)
    : reactor_(reactor), clock_(clock), list_servers_(std::move(servers)), port_(port) {}

Upstream::~Upstream() {
  for (const auto& [number, exchange] : exchanges_) CloseSocket(exchange.get());
}

Upstream::Exchange* Upstream::Find(uint64_t number) {
  const auto found = exchanges_.find(number);
  return found == exchanges_.end() ? nullptr : found->second.get();
}

void Upstream::Ask(std::string query, Ipv4 asker, bool by_stream, Done done) {
  if (exchanges_.size() >= kMostExchanges || by_asker_[asker] >= kMostQuestionsOfOne)
    return done("");
  auto exchange = std::make_unique<Exchange>();
  exchange->number = next_++;
  exchange->id = IdOf(query);
  exchange->query = std::move(query);
  SetId(RandomId(), &exchange->query);
  exchange->asker = asker;
  exchange->by_stream = by_stream;
  exchange->done = std::move(done);
  exchange->servers = Servers();
  ++by_asker_[asker];
  const uint64_t number = exchange->number;
  exchanges_[number] = std::move(exchange);
  TryNext(number);
}

// Those that did not answer of late come last.
std::vector<std::string> Upstream::Servers() {
  std::vector<std::string> servers;
  for (std::string& server : list_servers_()) {
    if (server != left_out_ && servers.size() < kMostServers) servers.push_back(std::move(server));
  }
  const absl::Duration now = clock_->Monotonic();
  absl::erase_if(silent_until_, [now](const auto& each) { return each.second <= now; });
  std::stable_partition(servers.begin(), servers.end(), [this](const std::string& server) {
    return !silent_until_.contains(server);
  });
  return servers;
}

void Upstream::CloseSocket(Exchange* exchange) {
  reactor_->Forget(exchange->timer);
  if (!exchange->socket) return;
  reactor_->Unwatch(exchange->socket.get());
  exchange->socket.reset();
}

void Upstream::TryNext(uint64_t number) {
  Exchange* const exchange = Find(number);
  CloseSocket(exchange);
  while (!exchange->servers.empty()) {
    const std::string server = exchange->servers.front();
    exchange->servers.erase(exchange->servers.begin());
    if (!Begin(exchange, server)) continue;
    exchange->timer = reactor_->After(kPatience, [this, number, server] {
      silent_until_[server] = clock_->Monotonic() + kSilence;
      TryNext(number);
    });
    return;
  }
  Finish(number, std::move(exchange->refusal));
}

bool Upstream::Begin(Exchange* exchange, const std::string& server) {
  sockaddr_storage address;
  const socklen_t size = AddressOf(server, port_, &address);
  if (size == 0) return false;
  const int type = exchange->by_stream ? SOCK_STREAM : SOCK_DGRAM;
  UniqueFd socket(::socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return false;
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 &&
      errno != EINPROGRESS) {
    return false;
  }
  uint32_t events = EPOLLIN;
  exchange->incoming.clear();
  if (exchange->by_stream) {
    exchange->outgoing.assign(kLengthBytes, '\0');
    SetId(static_cast<uint16_t>(exchange->query.size()), &exchange->outgoing);
    exchange->outgoing += exchange->query;
    events = EPOLLOUT;
  } else if (send(socket.get(), exchange->query.data(), exchange->query.size(), MSG_NOSIGNAL) < 0) {
    return false;
  }
  const uint64_t number = exchange->number;
  if (!reactor_->Watch(socket.get(), events, [this, number](uint32_t now) { Ready(number, now); })
           .ok()) {
    return false;
  }
  exchange->socket = std::move(socket);
  return true;
}

void Upstream::Ready(uint64_t number, uint32_t events) {
  Exchange* const exchange = Find(number);
  if (exchange->by_stream) return Stream(exchange, events);
  ReadDatagram(exchange);
}

void Upstream::ReadDatagram(Exchange* exchange) {
  std::array<char, 65535> message;
  const ssize_t got = recv(exchange->socket.get(), message.data(), message.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return TryNext(exchange->number);  // nobody listens there, or no way leads there
  Take(exchange, {message.data(), static_cast<size_t>(got)});
}

void Upstream::Stream(Exchange* exchange, uint32_t events) {
  const int fd = exchange->socket.get();
  const uint64_t number = exchange->number;
  if (!exchange->outgoing.empty()) {
    const ssize_t put =
        send(fd, exchange->outgoing.data(), exchange->outgoing.size(), MSG_NOSIGNAL);
    if (put < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (put < 0) return TryNext(number);
    exchange->outgoing.erase(0, static_cast<size_t>(put));
    if (!exchange->outgoing.empty()) return;
    const absl::Status reads =
        reactor_->Watch(fd, EPOLLIN, [this, number](uint32_t now) { Ready(number, now); });
    if (!reads.ok()) TryNext(number);
    return;
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  std::array<char, 16384> part;
  const ssize_t got = recv(fd, part.data(), part.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return TryNext(number);
  exchange->incoming.append(part.data(), static_cast<size_t>(got));
  if (exchange->incoming.size() < kLengthBytes) return;
  const size_t length = IdOf(exchange->incoming);
  if (exchange->incoming.size() < kLengthBytes + length) return;
  const std::string message = exchange->incoming.substr(kLengthBytes, length);
  // Nothing else may come this way.
  if (!Answers(message, exchange->query)) return TryNext(number);
  Take(exchange, message);
}

void Upstream::Take(Exchange* exchange, absl::string_view message) {
  if (!Answers(message, exchange->query)) return;  // somebody's guess
  if (IsRefusal(message) && !exchange->servers.empty()) {
    exchange->refusal = std::string(message);
    return TryNext(exchange->number);
  }
  Finish(exchange->number, std::string(message));
}

void Upstream::Finish(uint64_t number, std::string answer) {
  const auto found = exchanges_.find(number);
  const std::unique_ptr<Exchange> exchange = std::move(found->second);
  exchanges_.erase(found);
  CloseSocket(exchange.get());
  if (--by_asker_[exchange->asker] == 0) by_asker_.erase(exchange->asker);
  if (!answer.empty()) SetId(exchange->id, &answer);
  exchange->done(std::move(answer));
}

}  // namespace cluster::node
