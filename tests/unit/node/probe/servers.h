// Little servers on 127.0.0.1 for checks to talk to.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/mutex.h"
#include "base/unique_handle.h"

namespace cluster::node {

// Bound to a port of its own; what to do with those who connect is the test's choice.
class Listener {
 public:
  explicit Listener(int backlog = 16) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    if (backlog >= 0) {
      EXPECT_EQ(listen(fd_.get(), backlog), 0);
    }
    EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  int fd() const { return fd_.get(); }
  uint16_t port() const { return port_; }

 private:
  UniqueFd fd_;
  uint16_t port_ = 0;
};

// Answers each request (read up to its blank line) with the text that `answer` makes of it, then
// closes. An empty answer: says nothing, and keeps the connection until the end.
class TextServer {
 public:
  using Answer = std::function<std::string(const std::string& request)>;
  explicit TextServer(Answer answer, bool tls = false)
      : answer_(std::move(answer)), stop_(eventfd(0, EFD_CLOEXEC)) {
    if (tls) context_ = MakeContext();
    thread_ = std::thread([this] { Serve(); });
  }
  ~TextServer() {
    eventfd_write(stop_.get(), 1);
    thread_.join();
    SSL_CTX_free(context_);
  }
  uint16_t port() const { return listener_.port(); }
  std::vector<std::string> requests() const {
    MutexLock lock(&mutex_);
    return requests_;
  }

 private:
  static SSL_CTX* MakeContext() {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY* key = EVP_RSA_gen(2048);
    X509* certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
  }

  void Serve() {
    for (;;) {
      pollfd ready[2] = {{listener_.fd(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      poll(ready, 2, -1);
      if (ready[1].revents != 0) return;
      UniqueFd client(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) continue;
      if (context_ == nullptr) {
        Talk([&](char* data, size_t size) { return recv(client.get(), data, size, 0); },
             [&](const std::string& text) {
               (void)!send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
             });
      } else {
        SSL* ssl = SSL_new(context_);
        SSL_set_fd(ssl, client.get());
        if (SSL_accept(ssl) == 1) {
          Talk([&](char* data, size_t size) { return SSL_read(ssl, data, static_cast<int>(size)); },
               [&](const std::string& text) {
                 SSL_write(ssl, text.data(), static_cast<int>(text.size()));
               });
        }
        SSL_free(ssl);
      }
      if (keep_) kept_.push_back(std::move(client));
    }
  }

  template <typename Read, typename Write>
  void Talk(Read read, Write write) {
    std::string request;
    char piece[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const auto got = read(piece, sizeof piece);
      if (got <= 0) return;
      request.append(piece, static_cast<size_t>(got));
    }
    const std::string text = answer_(request);
    {
      MutexLock lock(&mutex_);
      requests_.push_back(request);
    }
    keep_ = text.empty();
    if (!text.empty()) write(text);
  }

  const Answer answer_;
  Listener listener_;
  UniqueFd stop_;
  SSL_CTX* context_ = nullptr;
  std::vector<UniqueFd> kept_;
  bool keep_ = false;
  mutable Mutex mutex_;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace cluster::node
