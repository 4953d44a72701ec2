// Raw netlink: messages as plain values, and the socket that carries them. See netlink(7); what the
// messages of NETLINK_ROUTE say is in netlink_route.h.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/unique_handle.h"

namespace cluster::netlink {

// One request under construction. A value: building it does no I/O.
class Message {
 public:
  // `what` names the request in errors: "create link vab12".
  Message(std::string what, uint16_t type, uint16_t flags);

  // The family's fixed header (ifinfomsg, ...); also inside an attribute where one belongs.
  template <typename Header>
  Message& Fixed(const Header& header) {
    static_assert(std::is_trivially_copyable_v<Header>);
    Append(&header, sizeof header);
    return *this;
  }
  Message& Put(uint16_t attribute, absl::string_view bytes);
  Message& PutU8(uint16_t attribute, uint8_t value) { return PutNumber(attribute, value); }
  Message& PutU16(uint16_t attribute, uint16_t value) { return PutNumber(attribute, value); }
  Message& PutU32(uint16_t attribute, uint32_t value) { return PutNumber(attribute, value); }
  // With the terminating NUL.
  Message& PutString(uint16_t attribute, const std::string& text);
  // Opens and closes a nested attribute; they pair up.
  Message& Begin(uint16_t attribute);
  Message& End();

  // An answer of `error` (a positive errno) counts as success: EEXIST for "make sure it is there".
  Message& Allow(int error);

  const std::string& what() const { return what_; }
  bool allows(int error) const;
  // The whole message with its length filled in; sequence 0.
  const std::string& bytes() const { return bytes_; }

 private:
  template <typename Number>
  Message& PutNumber(uint16_t attribute, Number value) {
    return Put(attribute, absl::string_view(reinterpret_cast<const char*>(&value), sizeof value));
  }
  void Append(const void* data, size_t size);

  std::string what_;
  std::string bytes_;
  std::vector<size_t> open_;  // offsets of the attributes begun and not ended
  std::vector<int> allowed_;
};

// A message received: type and what follows the netlink header.
struct Reply {
  uint16_t type = 0;
  std::string payload;

  // The family's header at the start of the payload; zeros where the payload is shorter.
  template <typename Header>
  Header As() const {
    Header header{};
    payload.copy(reinterpret_cast<char*>(&header), sizeof header);
    return header;
  }
};

// Calls `each(type, value)` for every attribute in `bytes`; nested and byte-order flags are
// stripped from the type. Stops at the first malformed one.
void ForEachAttribute(absl::string_view bytes,
                      const std::function<void(uint16_t type, absl::string_view value)>& each);

// A number at the start of an attribute's value; 0 where the value is shorter.
template <typename Number>
Number NumberOf(absl::string_view value) {
  Number number{};
  value.copy(reinterpret_cast<char*>(&number), sizeof number);
  return number;
}

// One kernel netlink socket. Belongs to the network namespace it was opened in, whatever thread
// uses it later. Used by one thread at a time.
//
// A refusal becomes "WHAT: ENAME: the kernel's own words" with ErrnoStatus' code.
class Socket {
 public:
  // In the calling thread's network namespace. `groups` is a bit mask of RTMGRP_* to listen to.
  static absl::StatusOr<Socket> Open(int protocol = NETLINK_ROUTE, uint32_t groups = 0);
  // In the network namespace of `netns_fd`: a short-lived thread enters it and opens the socket.
  static absl::StatusOr<Socket> OpenInNetns(int netns_fd, int protocol = NETLINK_ROUTE,
                                            uint32_t groups = 0);

  // Takes over a socket(AF_NETLINK) that a process in another namespace opened and handed to us.
  static absl::StatusOr<Socket> Adopt(UniqueFd fd, uint32_t groups = 0);

  // Sends one request and waits for its acknowledgement.
  absl::Status Execute(const Message& message);
  // Sends all in as few sendmsg(2) as the socket's buffers allow and waits for every
  // acknowledgement. The kernel carries on after a refused one; the first refusal is returned.
  absl::Status Execute(const std::vector<Message>& messages);
  // One request that answers with one message.
  absl::StatusOr<Reply> Get(const Message& message);
  // A request with NLM_F_DUMP; asks again when the table changed meanwhile (NLM_F_DUMP_INTR), and
  // returns Unavailable when it never holds still.
  absl::StatusOr<std::vector<Reply>> Dump(const Message& message);

  // What the joined groups told us, waiting up to `timeout` for the first; empty when nothing came.
  // ResourceExhausted: notifications were lost, look at everything again.
  absl::StatusOr<std::vector<Reply>> Listen(absl::Duration timeout);

  int fd() const { return fd_.get(); }

 private:
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}

  absl::Status Send(const std::vector<const Message*>& messages, uint32_t first_sequence,
                    uint16_t more_flags);
  absl::Status ExecuteChunk(const std::vector<const Message*>& messages);
  absl::StatusOr<std::vector<Reply>> DumpOnce(const Message& message, bool* interrupted);
  absl::StatusOr<std::string> Receive();

  UniqueFd fd_;
  uint32_t sequence_ = 0;
};

// Runs `work` in a short-lived thread that has entered the network namespace of `netns_fd`; the
// calling thread's own namespace stays as it is.
absl::Status RunInNetns(int netns_fd, const std::function<absl::Status()>& work);

// A new, empty network namespace. It lives while the descriptor, a process or a bind mount holds
// it.
absl::StatusOr<UniqueFd> CreateNetns();

}  // namespace cluster::netlink
