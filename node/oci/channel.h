// Packets between a start and the process that becomes its container: a kind, text, descriptors.
// A SOCK_SEQPACKET pair, close-on-exec at both ends: end of file without a failure means that the
// process has exec'd (or died, which its pidfd tells).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/unique_handle.h"

namespace cluster::oci {

enum class Packet : char {
  kEnd = 0,  // the other side is gone
  // From the parent.
  kMapped = 'M',     // the user namespace has its ids
  kCgroups = 'G',    // fds: the v1 tasks files to enter
  kHooksDone = 'h',  // text: the state, for hooks in the container's namespaces
  kLimited = 'l',    // the resource limits are set
  kStart = 's',
  // From the container's process.
  kPid = 'P',       // text: its pid; fd: its pidfd (when another process cloned it)
  kReady = 'H',     // mounts are made, the root is not entered yet: hooks, please
  kLimits = 'L',    // set my resource limits, please
  kTerminal = 'T',  // fd: the pty's master
  kCreated = 'C',   // nothing is left but to execute
  kNotify = 'N',    // text: number of its descriptor of the seccomp listener
  kFailed = 'F',    // text: why
};

struct Message {
  Packet kind = Packet::kEnd;
  std::string text;
  std::vector<UniqueFd> fds;
};

// Single-threaded. Errors: the errno of sendmsg or recvmsg.
class Channel {
 public:
  Channel() = default;
  explicit Channel(UniqueFd fd) : fd_(std::move(fd)) {}
  static absl::StatusOr<std::pair<Channel, Channel>> MakePair();

  // Unavailable when the other side is gone. At most 60 descriptors.
  absl::Status Send(Packet kind, absl::string_view text = "", const std::vector<int>& fds = {});
  // Waits. kEnd at the end.
  absl::StatusOr<Message> Receive();
  // Waits for this kind; Aborted for the end and for any other.
  absl::StatusOr<Message> Expect(Packet kind);

  int fd() const { return fd_.get(); }
  void Close() { fd_.reset(); }
  // For a descriptor that something else closes.
  int Release() { return fd_.release(); }

 private:
  absl::StatusOr<size_t> Peek();

  UniqueFd fd_;
};

}  // namespace cluster::oci
