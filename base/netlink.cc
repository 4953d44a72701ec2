#include "base/netlink.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::netlink {
namespace {

// Acknowledgements of one chunk must fit in the socket's receive buffer: the kernel answers the
// whole chunk before sendmsg returns.
constexpr size_t kChunkMessages = 64;
constexpr size_t kChunkBytes = 64 << 10;
constexpr int kDumpAttempts = 20;

size_t Align(size_t size) { return NLMSG_ALIGN(size); }

// The messages in one datagram.
void ForEachMessage(absl::string_view datagram,
                    const std::function<void(const nlmsghdr&, absl::string_view payload)>& each) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, datagram.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) return;
    each(header, datagram.substr(sizeof header, header.nlmsg_len - sizeof header));
    datagram.remove_prefix(std::min(datagram.size(), Align(header.nlmsg_len)));
  }
}

// The kernel's own words in an NLMSG_ERROR (NETLINK_EXT_ACK), if it gave any.
std::string KernelWords(const nlmsghdr& header, absl::string_view payload) {
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) == 0 || payload.size() < sizeof(nlmsgerr)) return "";
  size_t skip = sizeof(nlmsgerr);
  if ((header.nlmsg_flags & NLM_F_CAPPED) == 0) {
    nlmsgerr error;
    std::memcpy(&error, payload.data(), sizeof error);
    skip += Align(error.msg.nlmsg_len) - sizeof(nlmsghdr);
  }
  std::string words;
  if (skip > payload.size()) return words;
  ForEachAttribute(payload.substr(skip), [&words](uint16_t type, absl::string_view value) {
    if (type == NLMSGERR_ATTR_MSG) words = std::string(value.substr(0, value.find('\0')));
  });
  return words;
}

absl::Status Refusal(const Message& message, const nlmsghdr& header, absl::string_view payload) {
  const int error = -NumberOf<int32_t>(payload);
  if (error == 0 || message.allows(error)) return absl::OkStatus();
  const absl::Status status = ErrnoStatus(error, message.what());
  const std::string words = KernelWords(header, payload);
  if (words.empty()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), ": ", words));
}

}  // namespace

Message::Message(std::string what, uint16_t type, uint16_t flags) : what_(std::move(what)) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
  Append(&header, sizeof header);
}

void Message::Append(const void* data, size_t size) {
  bytes_.append(static_cast<const char*>(data), size);
  bytes_.resize(Align(bytes_.size()), '\0');
  const auto length = static_cast<uint32_t>(bytes_.size());
  std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

Message& Message::Put(uint16_t attribute, absl::string_view bytes) {
  const nlattr header{static_cast<uint16_t>(NLA_HDRLEN + bytes.size()), attribute};
  Append(&header, sizeof header);
  Append(bytes.data(), bytes.size());
  return *this;
}

Message& Message::PutString(uint16_t attribute, const std::string& text) {
  return Put(attribute, absl::string_view(text.c_str(), text.size() + 1));
}

Message& Message::Begin(uint16_t attribute) {
  open_.push_back(bytes_.size());
  const nlattr header{NLA_HDRLEN, static_cast<uint16_t>(attribute | NLA_F_NESTED)};
  Append(&header, sizeof header);
  return *this;
}

Message& Message::End() {
  const size_t at = open_.back();
  open_.pop_back();
  const auto length = static_cast<uint16_t>(bytes_.size() - at);
  std::memcpy(bytes_.data() + at + offsetof(nlattr, nla_len), &length, sizeof length);
  return *this;
}

Message& Message::Allow(int error) {
  allowed_.push_back(error);
  return *this;
}

bool Message::allows(int error) const {
  return std::find(allowed_.begin(), allowed_.end(), error) != allowed_.end();
}

void ForEachAttribute(absl::string_view bytes,
                      const std::function<void(uint16_t type, absl::string_view value)>& each) {
  while (bytes.size() >= NLA_HDRLEN) {
    nlattr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nla_len < NLA_HDRLEN || header.nla_len > bytes.size()) return;
    each(header.nla_type & NLA_TYPE_MASK, bytes.substr(NLA_HDRLEN, header.nla_len - NLA_HDRLEN));
    bytes.remove_prefix(std::min(bytes.size(), Align(header.nla_len)));
  }
}

absl::StatusOr<Socket> Socket::Open(int protocol, uint32_t groups) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return ErrnoStatus("open netlink socket");
  return Adopt(std::move(fd), groups);
}

absl::StatusOr<Socket> Socket::Adopt(UniqueFd fd, uint32_t groups) {
  const int on = 1;
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    if (::setsockopt(fd.get(), SOL_NETLINK, option, &on, sizeof on) != 0) {
      return ErrnoStatus("set option of netlink socket");
    }
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoStatus("bind netlink socket");
  }
  return Socket(std::move(fd));
}

absl::Status RunInNetns(int netns_fd, const std::function<absl::Status()>& work) {
  absl::Status status;
  std::thread inside([&] {
    status = ::setns(netns_fd, CLONE_NEWNET) == 0 ? work() : ErrnoStatus("enter network namespace");
  });
  inside.join();
  return status;
}

absl::StatusOr<UniqueFd> CreateNetns() {
  absl::StatusOr<UniqueFd> netns;
  std::thread inside([&netns] {
    if (::unshare(CLONE_NEWNET) != 0) {
      netns = ErrnoStatus("create network namespace");
    } else {
      netns = OpenAt(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
    }
  });
  inside.join();
  return netns;
}

absl::StatusOr<Socket> Socket::OpenInNetns(int netns_fd, int protocol, uint32_t groups) {
  std::optional<Socket> opened;
  RETURN_IF_ERROR(RunInNetns(netns_fd, [&] {
    ASSIGN_OR_RETURN(opened, Open(protocol, groups));
    return absl::OkStatus();
  }));
  return *std::move(opened);
}

absl::Status Socket::Send(const std::vector<const Message*>& messages, uint32_t first_sequence,
                          uint16_t more_flags) {
  std::string all;
  for (const Message* message : messages) {
    const size_t at = all.size();
    all += message->bytes();
    nlmsghdr header;
    std::memcpy(&header, all.data() + at, sizeof header);
    header.nlmsg_seq = first_sequence++;
    header.nlmsg_flags |= more_flags;
    std::memcpy(all.data() + at, &header, sizeof header);
  }
  ssize_t sent;
  do {
    sent = ::send(fd_.get(), all.data(), all.size(), 0);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? ErrnoStatus("send netlink request", messages.front()->what())
                  : absl::OkStatus();
}

absl::StatusOr<std::string> Socket::Receive() {
  std::string buffer(64 << 10, '\0');
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_TRUNC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOBUFS) {
      return absl::ResourceExhaustedError("netlink messages were lost: receive buffer full");
    }
    if (got < 0) return ErrnoStatus("receive from netlink socket");
    if (static_cast<size_t>(got) > buffer.size()) {
      return absl::InternalError(absl::StrCat("netlink message of ", got, " bytes was cut"));
    }
    buffer.resize(static_cast<size_t>(got));
    return buffer;
  }
}

absl::Status Socket::Execute(const Message& message) { return ExecuteChunk({&message}); }

absl::Status Socket::Execute(const std::vector<Message>& messages) {
  absl::Status first;
  std::vector<const Message*> chunk;
  size_t bytes = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    chunk.push_back(&messages[i]);
    bytes += messages[i].bytes().size();
    if (i + 1 < messages.size() && chunk.size() < kChunkMessages && bytes < kChunkBytes) continue;
    first.Update(ExecuteChunk(chunk));
    chunk.clear();
    bytes = 0;
  }
  return first;
}

absl::Status Socket::ExecuteChunk(const std::vector<const Message*>& messages) {
  const uint32_t base = sequence_ + 1;
  sequence_ += static_cast<uint32_t>(messages.size());
  RETURN_IF_ERROR(Send(messages, base, NLM_F_ACK));
  std::vector<absl::Status> answers(messages.size());
  size_t missing = messages.size();
  while (missing > 0) {
    ASSIGN_OR_RETURN(const std::string datagram, Receive());
    ForEachMessage(datagram, [&](const nlmsghdr& header, absl::string_view payload) {
      const uint32_t i = header.nlmsg_seq - base;
      if (header.nlmsg_type != NLMSG_ERROR || i >= messages.size()) return;
      answers[i] = Refusal(*messages[i], header, payload);
      --missing;
    });
  }
  for (const absl::Status& answer : answers) RETURN_IF_ERROR(answer);
  return absl::OkStatus();
}

absl::StatusOr<Reply> Socket::Get(const Message& message) {
  const uint32_t sequence = ++sequence_;
  RETURN_IF_ERROR(Send({&message}, sequence, 0));
  std::optional<absl::StatusOr<Reply>> answer;
  while (!answer.has_value()) {
    ASSIGN_OR_RETURN(const std::string datagram, Receive());
    ForEachMessage(datagram, [&](const nlmsghdr& header, absl::string_view payload) {
      if (header.nlmsg_seq != sequence || answer.has_value()) return;
      if (header.nlmsg_type == NLMSG_ERROR) {
        absl::Status refusal = Refusal(message, header, payload);
        answer = refusal.ok() ? absl::InternalError(absl::StrCat(message.what(), ": no answer"))
                              : std::move(refusal);
      } else {
        answer = Reply{header.nlmsg_type, std::string(payload)};
      }
    });
  }
  return *std::move(answer);
}

absl::StatusOr<std::vector<Reply>> Socket::Dump(const Message& message) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    bool interrupted = false;
    ASSIGN_OR_RETURN(std::vector<Reply> replies, DumpOnce(message, &interrupted));
    if (!interrupted) return replies;
  }
  return absl::UnavailableError(
      absl::StrCat(message.what(), ": the table kept changing while it was read"));
}

absl::StatusOr<std::vector<Reply>> Socket::DumpOnce(const Message& message, bool* interrupted) {
  const uint32_t sequence = ++sequence_;
  RETURN_IF_ERROR(Send({&message}, sequence, 0));
  std::vector<Reply> replies;
  absl::Status refusal;
  bool done = false;
  while (!done) {
    ASSIGN_OR_RETURN(const std::string datagram, Receive());
    ForEachMessage(datagram, [&](const nlmsghdr& header, absl::string_view payload) {
      if (header.nlmsg_seq != sequence) return;
      if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) *interrupted = true;
      // Both end with the dump's errno in front.
      if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
        done = true;
        refusal = Refusal(message, header, payload);
      } else {
        replies.push_back(Reply{header.nlmsg_type, std::string(payload)});
      }
    });
  }
  RETURN_IF_ERROR(refusal);
  return replies;
}

absl::StatusOr<std::vector<Reply>> Socket::Listen(absl::Duration timeout) {
  pollfd poller{fd_.get(), POLLIN, 0};
  const timespec wait = absl::ToTimespec(timeout);
  const int ready =
      ::ppoll(&poller, 1, timeout == absl::InfiniteDuration() ? nullptr : &wait, nullptr);
  std::vector<Reply> replies;
  if (ready < 0 && errno != EINTR) return ErrnoStatus("wait for netlink notifications");
  if (ready <= 0) return replies;
  ASSIGN_OR_RETURN(const std::string datagram, Receive());
  ForEachMessage(datagram, [&](const nlmsghdr& header, absl::string_view payload) {
    if (header.nlmsg_type < NLMSG_MIN_TYPE) return;
    replies.push_back(Reply{header.nlmsg_type, std::string(payload)});
  });
  return replies;
}

}  // namespace cluster::netlink
