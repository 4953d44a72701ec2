#include "node/probe/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/status.h"

namespace cluster::node {
namespace {

// Read at one go at most, and more than anybody looks at: a peer that never stops must not keep
// the loop.
constexpr size_t kMostAtOnce = 128 << 10;

class PlainStream : public Stream {
 public:
  explicit PlainStream(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const override { return fd_.get(); }

  absl::StatusOr<bool> Connected() override {
    if (connected_) return true;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
      return ErrnoStatus("getsockopt", "SO_ERROR");
    }
    if (error != 0) return ErrnoStatus(error, "connect");
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    connected_ = getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0;
    return connected_;
  }

  absl::Status Write(std::string* data) override {
    while (!data->empty()) {
      const ssize_t sent = send(fd_.get(), data->data(), data->size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) return absl::OkStatus();
      if (sent < 0) return ErrnoStatus("send");
      data->erase(0, static_cast<size_t>(sent));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Read(std::string* data) override {
    char piece[16 << 10];
    for (size_t total = 0; total < kMostAtOnce;) {
      const ssize_t got = recv(fd_.get(), piece, sizeof piece, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return false;
      if (got < 0) return ErrnoStatus("receive");
      if (got == 0) return true;
      data->append(piece, static_cast<size_t>(got));
      total += static_cast<size_t>(got);
    }
    return false;
  }

 private:
  UniqueFd fd_;
  bool connected_ = false;
};

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

// One for all: it holds nothing of any connection.
SSL_CTX* ClientContext() {
  static const std::unique_ptr<SSL_CTX, FreeContext> context = [] {
    std::unique_ptr<SSL_CTX, FreeContext> made(SSL_CTX_new(TLS_client_method()));
    if (made != nullptr) {
      SSL_CTX_set_verify(made.get(), SSL_VERIFY_NONE, nullptr);
      SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_OFF);
    }
    return made;
  }();
  return context.get();
}

absl::Status TlsStatus(absl::string_view what) {
  char text[256] = "";
  const unsigned long error = ERR_get_error();
  if (error != 0) ERR_error_string_n(error, text, sizeof text);
  ERR_clear_error();
  return absl::UnavailableError(absl::StrCat(what, error != 0 ? ": " : "", text));
}

// TLS between two memory buffers; the bytes go through a plain stream.
class TlsStream : public Stream {
 public:
  static absl::StatusOr<std::unique_ptr<Stream>> Make(std::unique_ptr<Stream> below,
                                                      const std::string& server_name) {
    auto stream = std::unique_ptr<TlsStream>(new TlsStream(std::move(below)));
    SSL_CTX* const context = ClientContext();
    if (context != nullptr) stream->ssl_.reset(SSL_new(context));
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    if (stream->ssl_ == nullptr || in == nullptr || out == nullptr) {
      BIO_free(in);
      BIO_free(out);
      return absl::ResourceExhaustedError("TLS: out of memory");
    }
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(stream->ssl_.get(), in, out);  // owns them from here on
    SSL_set_connect_state(stream->ssl_.get());
    if (!server_name.empty()) SSL_set_tlsext_host_name(stream->ssl_.get(), server_name.c_str());
    return std::unique_ptr<Stream>(std::move(stream));
  }

  int fd() const override { return below_->fd(); }

  absl::StatusOr<bool> Connected() override {
    ASSIGN_OR_RETURN(const bool connected, below_->Connected());
    if (!connected || agreed_) return connected;
    RETURN_IF_ERROR(Fill());
    const int result = SSL_do_handshake(ssl_.get());
    const int error = SSL_get_error(ssl_.get(), result);
    RETURN_IF_ERROR(Flush());
    agreed_ = result == 1;
    if (agreed_) return true;
    if (error != SSL_ERROR_WANT_READ) return TlsStatus("TLS handshake failed");
    if (ended_) return absl::UnavailableError("the connection was closed within the TLS handshake");
    return false;
  }

  absl::Status Write(std::string* data) override {
    if (!data->empty()) {
      const int written = SSL_write(ssl_.get(), data->data(),
                                    static_cast<int>(std::min<size_t>(data->size(), 1 << 20)));
      if (written <= 0) return TlsStatus("TLS write failed");
      data->erase(0, static_cast<size_t>(written));
    }
    return Flush();
  }

  absl::StatusOr<bool> Read(std::string* data) override {
    RETURN_IF_ERROR(Fill());
    char piece[16 << 10];
    for (;;) {
      const int got = SSL_read(ssl_.get(), piece, sizeof piece);
      if (got > 0) {
        data->append(piece, static_cast<size_t>(got));
        continue;
      }
      const int error = SSL_get_error(ssl_.get(), got);
      RETURN_IF_ERROR(Flush());
      if (error == SSL_ERROR_ZERO_RETURN) return true;
      // Many servers close without saying so; what was read is judged by its own length.
      if (error == SSL_ERROR_WANT_READ) return ended_;
      return TlsStatus("TLS read failed");
    }
  }

 private:
  explicit TlsStream(std::unique_ptr<Stream> below) : below_(std::move(below)) {}

  // From the wire into TLS.
  absl::Status Fill() {
    std::string bytes;
    if (!ended_) {
      ASSIGN_OR_RETURN(ended_, below_->Read(&bytes));
    }
    if (!bytes.empty()) {
      BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    }
    return absl::OkStatus();
  }
  // From TLS onto the wire, as much as it takes.
  absl::Status Flush() {
    char piece[16 << 10];
    for (;;) {
      const int got = BIO_read(SSL_get_wbio(ssl_.get()), piece, sizeof piece);
      if (got <= 0) break;
      outgoing_.append(piece, static_cast<size_t>(got));
    }
    return below_->Write(&outgoing_);
  }

  std::unique_ptr<Stream> below_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  std::string outgoing_;
  bool agreed_ = false;
  bool ended_ = false;
};

}  // namespace

absl::StatusOr<SocketAddress> ParseAddress(const std::string& host, uint16_t port) {
  SocketAddress address;
  sockaddr_in v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(address.bytes, &v4, sizeof v4);
    address.size = sizeof v4;
    return address;
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(address.bytes, &v6, sizeof v6);
    address.size = sizeof v6;
    return address;
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", host, "\" is no address"));
}

std::string HostPortText(const std::string& host, uint16_t port) {
  return absl::StrContains(host, ":") ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

absl::StatusOr<std::unique_ptr<Stream>> Stream::Open(const SocketAddress& address, bool tls,
                                                     const std::string& server_name) {
  static_assert(sizeof address.bytes >= sizeof(sockaddr_storage));
  const auto* target = reinterpret_cast<const sockaddr*>(address.bytes);
  UniqueFd fd(socket(target->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoStatus("socket");
  if (connect(fd.get(), target, address.size) != 0 && errno != EINPROGRESS) {
    return ErrnoStatus("connect");
  }
  auto plain = std::make_unique<PlainStream>(std::move(fd));
  if (!tls) return std::unique_ptr<Stream>(std::move(plain));
  return TlsStream::Make(std::move(plain), server_name);
}

}  // namespace cluster::node
