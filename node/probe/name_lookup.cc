#include "node/probe/name_lookup.h"

#include <ares.h>
#include <netinet/in.h>
#include <poll.h>

#include <cstring>

#include "absl/strings/str_cat.h"

namespace cluster::node {
namespace {

// A lost packet costs a second, as most probes have no more time than that.
constexpr int kResendMilliseconds = 1000;

absl::Status AresStatus(const std::string& host, int code) {
  return absl::UnavailableError(absl::StrCat("look up ", host, ": ", ares_strerror(code)));
}

absl::StatusOr<SocketAddress> FirstOf(const ares_addrinfo& found, uint16_t port) {
  for (const ares_addrinfo_node* at = found.nodes; at != nullptr; at = at->ai_next) {
    SocketAddress address;
    address.size = static_cast<unsigned>(at->ai_addrlen);
    std::memcpy(address.bytes, at->ai_addr, address.size);
    // The port stands at the same place in both; ares_getaddrinfo leaves it 0.
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    const uint16_t wire = htons(port);
    std::memcpy(address.bytes + offsetof(sockaddr_in, sin_port), &wire, sizeof wire);
    return address;
  }
  return absl::UnavailableError("it has no address");
}

}  // namespace

class NameLookup::Question {
 public:
  Question(std::string host, uint16_t port) : host_(std::move(host)), port_(port) {}
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;
  ~Question() {
    if (channel_ != nullptr) ares_destroy(channel_);
  }

  std::optional<absl::StatusOr<SocketAddress>> Ask(CheckContext& context) {
    if (turn_ == nullptr) turn_ = context.TakeLookupTurn();
    if (turn_ == nullptr) return std::nullopt;
    context_ = &context;
    if (channel_ == nullptr) Begin();
    if (channel_ != nullptr) GoOn();
    context_ = nullptr;
    return answer_;
  }

 private:
  void Begin() {
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    ares_options options{};
    options.timeout = kResendMilliseconds;
    options.sock_state_cb = &Question::SocketChanged;
    options.sock_state_cb_data = this;
    int code = library;
    if (code == ARES_SUCCESS) {
      code = ares_init_options(&channel_, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_SOCK_STATE_CB);
    }
    if (code == ARES_SUCCESS && !context_->NameServers().empty()) {
      code = ares_set_servers_ports_csv(channel_, context_->NameServers().c_str());
    }
    if (code != ARES_SUCCESS) {
      answer_ = AresStatus(host_, code);
      return;
    }
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel_, host_.c_str(), nullptr, &hints, &Question::Answered, this);
  }

  // Until nothing is ready, as the loop tells of changes alone.
  void GoOn() {
    while (!answer_.has_value()) {
      ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
      const int wanted = ares_getsock(channel_, sockets, ARES_GETSOCK_MAXNUM);
      pollfd ready[ARES_GETSOCK_MAXNUM];
      nfds_t count = 0;
      for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
        const int events = (ARES_GETSOCK_READABLE(wanted, i) ? POLLIN : 0) |
                           (ARES_GETSOCK_WRITABLE(wanted, i) ? POLLOUT : 0);
        if (events != 0) ready[count++] = {sockets[i], static_cast<short>(events), 0};
      }
      if (count == 0 || poll(ready, count, 0) <= 0) break;
      for (nfds_t i = 0; i < count; ++i) {
        const bool reads = (ready[i].revents & ~POLLOUT) != 0;
        const bool writes = (ready[i].revents & POLLOUT) != 0;
        ares_process_fd(channel_, reads ? ready[i].fd : ARES_SOCKET_BAD,
                        writes ? ready[i].fd : ARES_SOCKET_BAD);
      }
    }
    if (answer_.has_value()) return;
    // What nobody answered is sent again when it is time.
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    timeval left{};
    if (!answer_.has_value() && ares_timeout(channel_, nullptr, &left) != nullptr) {
      context_->StepAfter(absl::DurationFromTimeval(left));
    }
  }

  // A socket that is closed leaves the loop by itself.
  static void SocketChanged(void* self, ares_socket_t socket, int readable, int writable) {
    auto* question = static_cast<Question*>(self);
    if ((readable == 0 && writable == 0) || question->context_ == nullptr) return;
    const absl::Status watched = question->context_->Watch(socket);
    // It is asked for again when what it waits for changes.
    if (!watched.ok() && !absl::IsAlreadyExists(watched)) question->answer_ = watched;
  }

  static void Answered(void* self, int code, int /*timeouts*/, ares_addrinfo* found) {
    auto* question = static_cast<Question*>(self);
    if (code == ARES_SUCCESS) {
      question->answer_ = FirstOf(*found, question->port_);
    } else {
      question->answer_ = AresStatus(question->host_, code);
    }
    if (found != nullptr) ares_freeaddrinfo(found);
  }

  const std::string host_;
  const uint16_t port_;
  std::unique_ptr<LookupTurn> turn_;
  ares_channel channel_ = nullptr;
  CheckContext* context_ = nullptr;  // of the step that goes on
  std::optional<absl::StatusOr<SocketAddress>> answer_;
};

NameLookup::NameLookup() = default;
NameLookup::~NameLookup() = default;
NameLookup::NameLookup(NameLookup&&) noexcept = default;
NameLookup& NameLookup::operator=(NameLookup&&) noexcept = default;

std::optional<absl::StatusOr<SocketAddress>> NameLookup::Find(const std::string& host,
                                                              uint16_t port,
                                                              CheckContext& context) {
  absl::StatusOr<SocketAddress> literal = ParseAddress(host, port);
  if (literal.ok()) return literal;
  if (question_ == nullptr) question_ = std::make_unique<Question>(host, port);
  auto answer = question_->Ask(context);
  // Sockets, and its turn, are for those who still ask.
  if (answer.has_value()) question_.reset();
  return answer;
}

}  // namespace cluster::node
