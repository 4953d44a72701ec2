// A connection that never blocks, in the clear or through TLS.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/unique_handle.h"

namespace cluster::node {

// An IPv4 or IPv6 address and a port, as connect(2) takes it.
struct SocketAddress {
  alignas(8) char bytes[128] = {};  // a sockaddr_storage
  unsigned size = 0;
};

// InvalidArgument: `host` is no address but perhaps a name.
absl::StatusOr<SocketAddress> ParseAddress(const std::string& host, uint16_t port);
// "192.0.2.1:80", "[2001:db8::1]:80", "name:80".
std::string HostPortText(const std::string& host, uint16_t port);

// Used by one thread. Edge-triggered: each method goes as far as it can.
class Stream {
 public:
  virtual ~Stream() = default;

  // Begins to connect. With `tls`, nobody's certificate is checked, and `server_name` is sent where
  // it is not empty.
  static absl::StatusOr<std::unique_ptr<Stream>> Open(const SocketAddress& address, bool tls,
                                                      const std::string& server_name);

  virtual int fd() const = 0;
  // True once connected (and, with TLS, agreed). Unavailable when that failed.
  virtual absl::StatusOr<bool> Connected() = 0;
  // Sends what it can and takes it off the front. Only when connected.
  virtual absl::Status Write(std::string* data) = 0;
  // Appends what is there. True at the end of the stream.
  virtual absl::StatusOr<bool> Read(std::string* data) = 0;
};

}  // namespace cluster::node
