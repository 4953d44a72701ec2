// Takes connections for a gRPC server, in place of gRPC's own listener: that one does not check who
// is at the other end of a unix socket, and dies for good when the process runs out of descriptors.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"

namespace cluster::controller {

// A listening socket at `path`, mode 0600. A socket that a dead process left is replaced;
// AlreadyExists when one answers there. See unix(7).
absl::StatusOr<UniqueFd> ListenUnix(const std::string& path);
// "HOST:PORT", numeric or a name; port 0 = any. See tcp(7).
absl::StatusOr<UniqueFd> ListenTcp(const std::string& address);
// "127.0.0.1:1234" of a listening socket.
std::string LocalAddress(int fd);

class Acceptor {
 public:
  // Gets each accepted connection (non-blocking, close-on-exec) on the acceptor's thread.
  using Accepted = std::function<void(UniqueFd connection)>;

  // `only_own_user`: connections of users other than root and the own one are closed (SO_PEERCRED).
  static absl::StatusOr<std::unique_ptr<Acceptor>> Start(UniqueFd listener, bool only_own_user,
                                                         Accepted accepted);
  // Stops accepting and joins the thread.
  ~Acceptor();

 private:
  Acceptor(UniqueFd listener, bool only_own_user, Accepted accepted);
  void Run();
  void AcceptAll();
  // Out of descriptors: gives up the spare one to take and close what waits, so that the queue does
  // not stand still.
  void Shed();
  bool MayConnect(int connection) const;

  const UniqueFd listener_;
  const bool only_own_user_;
  const Accepted accepted_;
  UniqueFd spare_;
  UniqueFd stop_;  // eventfd
  std::thread thread_;
};

}  // namespace cluster::controller
