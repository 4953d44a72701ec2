#include "node/init/client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/init/plan_writer.h"

namespace cluster::node {
namespace {

using init::MessageType;

class Request {
 public:
  explicit Request(MessageType type) { wire_.Header(type); }
  init::WireWriter<StringSink>* operator->() { return &wire_; }
  void String(const std::string& text) { wire_.String(text.data(), text.size()); }
  const std::string& bytes() const { return sink_.bytes; }

 private:
  StringSink sink_;
  init::WireWriter<StringSink> wire_{&sink_};
};

// Through the directory's descriptor: socket paths may have 107 bytes only.
absl::StatusOr<sockaddr_un> AddressOf(int dir, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = absl::StrCat("/proc/self/fd/", dir, "/", name);
  if (path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError(absl::StrCat("socket name ", name, " is too long"));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

absl::StatusOr<UniqueFd> MakeSocket() {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) return ErrnoStatus("socket");
  return socket;
}

InitRecord ReadRecord(init::WireReader& reader) {
  InitRecord record;
  record.name = reader.String();
  record.attempt = reader.I32();
  record.phase = static_cast<init::Phase>(reader.U32());
  record.pid = reader.I32();
  record.started_at = absl::FromUnixNanos(reader.I64());
  record.finished_at = absl::FromUnixNanos(reader.I64());
  record.exit_code = reader.I32();
  record.signal = reader.I32();
  record.oom_killed = reader.U32() != 0;
  record.message = reader.String();
  return record;
}

absl::Status Malformed() { return absl::InternalError("cluster-init: malformed answer"); }

}  // namespace

std::vector<int> NumbersOf(const std::vector<UniqueFd>& fds) {
  std::vector<int> numbers;
  for (const UniqueFd& fd : fds) numbers.push_back(fd.get());
  return numbers;
}

absl::StatusOr<UniqueFd> InitClient::Listen(int dir, const std::string& name) {
  ASSIGN_OR_RETURN(UniqueFd socket, MakeSocket());
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(dir, name));
  if (unlinkat(dir, name.c_str(), 0) != 0 && errno != ENOENT) return ErrnoStatus("unlink", name);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoStatus("bind", name);
  }
  if (listen(socket.get(), 64) != 0) return ErrnoStatus("listen", name);
  return socket;
}

absl::StatusOr<InitClient> InitClient::Connect(int dir, const std::string& name,
                                               absl::Duration timeout) {
  ASSIGN_OR_RETURN(UniqueFd socket, MakeSocket());
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(dir, name));
  InitClient client(std::move(socket));
  RETURN_IF_ERROR(client.SetTimeout(timeout));
  if (connect(client.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ECONNREFUSED || errno == ENOENT) {
      return absl::NotFoundError("cluster-init: nobody listens on its socket");
    }
    return ErrnoStatus("connect", name);
  }
  return client;
}

absl::Status InitClient::SetTimeout(absl::Duration timeout) {
  const timeval limit = timeout == absl::InfiniteDuration() ? timeval{} : absl::ToTimeval(timeout);
  if (setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
      setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
    return ErrnoStatus("setsockopt", "timeout");
  }
  return absl::OkStatus();
}

absl::Status InitClient::Send(const std::string& message, const std::vector<int>& fds) {
  if (message.size() > init::kMaxMessage || fds.size() > init::kMaxFds) {
    return absl::InvalidArgumentError("cluster-init: request too large");
  }
  iovec data{const_cast<char*>(message.data()), message.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(init::kMaxFds * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  ssize_t sent;
  do {
    sent = sendmsg(fd(), &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0)
    return absl::UnavailableError(absl::StrCat("cluster-init: send: ", ErrnoName(errno)));
  return absl::OkStatus();
}

absl::StatusOr<InitClient::Reply> InitClient::Receive(MessageType expected) {
  Reply reply;
  reply.bytes.resize(init::kMaxMessage);
  iovec data{reply.bytes.data(), reply.bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = recvmsg(fd(), &header, MSG_CMSG_CLOEXEC);
    // Reset: it ended without reading all it was sent. An answer may be behind that.
  } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got <= 0) {
    const char* what = got == 0          ? "it went away"
                       : errno == EAGAIN ? "no answer in time"
                                         : "receive failed";
    return absl::UnavailableError(absl::StrCat("cluster-init: ", what));
  }
  reply.bytes.resize(static_cast<size_t>(got));
  for (cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr; at = CMSG_NXTHDR(&header, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; i < (at->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(at) + i * sizeof(int), sizeof received);
      reply.fds.emplace_back(received);
    }
  }
  init::WireReader reader(reply.bytes.data(), reply.bytes.size());
  reader.U32();
  const auto type = static_cast<MessageType>(reader.U32());
  if (type == MessageType::kRefused) {
    const int error = reader.I32();
    const std::string sentence = reader.String();
    if (error == EPROTO) {
      return absl::UnimplementedError(
          "the pod was started by an older agent and cannot do this until it is started anew");
    }
    return error == 0 ? absl::InvalidArgumentError(sentence) : ErrnoStatus(error, sentence);
  }
  if (!reader.ok() || type != expected) return Malformed();
  reply.bytes.erase(reply.bytes.begin(), reply.bytes.begin() + sizeof(init::MessageHeader));
  return reply;
}

absl::StatusOr<InitClient> InitClient::Over(UniqueFd socket, absl::Duration timeout) {
  InitClient client(std::move(socket));
  RETURN_IF_ERROR(client.SetTimeout(timeout));
  return client;
}

absl::Status InitClient::Mould(uint32_t flags, uint32_t first_id, int socket) {
  Request request(MessageType::kMould);
  request->U32(flags);
  request->U32(first_id);
  return Send(request.bytes(), {socket});
}

absl::StatusOr<InitWelcome> InitClient::AwaitMoulded() {
  ASSIGN_OR_RETURN(Reply reply, Receive(MessageType::kMoulded));
  if (reply.fds.size() != 2) return Malformed();
  InitWelcome moulded;
  moulded.net_namespace = std::move(reply.fds[0]);
  moulded.route_socket = std::move(reply.fds[1]);
  return moulded;
}

absl::Status InitClient::Become(const InitBecome& become) {
  Request request(MessageType::kBecome);
  request.String(become.uid);
  request.String(become.hostname);
  request->U32(become.flags | (become.lease >= 0 ? init::kPodLeased : 0u));
  request->U32(become.first_id);
  std::vector<int> fds = {become.log, become.listener};
  if (become.lease >= 0) fds.push_back(become.lease);
  if (become.cgroup2 >= 0) fds.push_back(become.cgroup2);
  return Send(request.bytes(), fds);
}

absl::StatusOr<InitWelcome> InitClient::Hello(const std::vector<int>& tasks) {
  RETURN_IF_ERROR(Greet(tasks, false));
  return AwaitWelcome();
}

absl::Status InitClient::Greet(const std::vector<int>& tasks, bool watch) {
  Request request(MessageType::kHello);
  request->U32(watch ? init::kHelloWatches : 0u);
  return Send(request.bytes(), tasks);
}

absl::StatusOr<InitWelcome> InitClient::AwaitWelcome() {
  ASSIGN_OR_RETURN(Reply reply, Receive(MessageType::kWelcome));
  if (reply.fds.size() != 3) return Malformed();
  init::WireReader reader(reply.bytes.data(), reply.bytes.size());
  InitWelcome welcome;
  welcome.pid = reader.I32();
  welcome.net_namespace = std::move(reply.fds[0]);
  welcome.pidfd = std::move(reply.fds[1]);
  welcome.route_socket = std::move(reply.fds[2]);
  return welcome;
}

absl::Status InitClient::Start(const InitStart& start) {
  ASSIGN_OR_RETURN(UniqueFd plan, MakeMemfd("launch-plan", start.plan));
  std::vector<int> fds = {plan.get(), start.instance_dir, start.log_file};
  uint32_t flags = 0;
  if (start.cgroup2 >= 0) {
    flags |= init::kHasCgroup2;
    fds.push_back(start.cgroup2);
  }
  fds.insert(fds.end(), start.volumes.begin(), start.volumes.end());
  Request request(MessageType::kStart);
  request->U32(static_cast<uint32_t>(start.plan.size()));
  request->U32(flags);
  return Send(request.bytes(), fds);
}

absl::StatusOr<InitRecord> InitClient::Go(const InitGo& go) {
  std::vector<int> fds;
  if (go.oom_file >= 0) fds.push_back(go.oom_file);
  fds.insert(fds.end(), go.tasks.begin(), go.tasks.end());
  Request request(MessageType::kGo);
  request->U32(go.oom_file >= 0 ? init::kHasOomFile : 0u);
  RETURN_IF_ERROR(Send(request.bytes(), fds));
  ASSIGN_OR_RETURN(Reply reply, Receive(MessageType::kRecord));
  init::WireReader reader(reply.bytes.data(), reply.bytes.size());
  InitRecord record = ReadRecord(reader);
  if (!reader.ok()) return Malformed();
  return record;
}

absl::Status InitClient::Signal(const std::string& name, int32_t attempt, int signal) {
  Request request(MessageType::kSignal);
  request.String(name);
  request->I32(attempt);
  request->I32(signal);
  RETURN_IF_ERROR(Send(request.bytes(), {}));
  return Receive(MessageType::kDone).status();
}

absl::StatusOr<std::vector<InitRecord>> InitClient::Query() {
  RETURN_IF_ERROR(Send(Request(MessageType::kQuery).bytes(), {}));
  ASSIGN_OR_RETURN(Reply reply, Receive(MessageType::kRecords));
  init::WireReader reader(reply.bytes.data(), reply.bytes.size());
  std::vector<InitRecord> records;
  for (uint32_t left = reader.U32(); left > 0 && reader.ok(); --left) {
    records.push_back(ReadRecord(reader));
  }
  if (!reader.ok()) return Malformed();
  return records;
}

absl::Status InitClient::SetSysctls(
    const std::vector<std::pair<std::string, std::string>>& sysctls) {
  Request request(MessageType::kSysctls);
  request->U32(static_cast<uint32_t>(sysctls.size()));
  for (const auto& [name, value] : sysctls) {
    request.String(name);
    request.String(value);
  }
  RETURN_IF_ERROR(Send(request.bytes(), {}));
  return Receive(MessageType::kDone).status();
}

absl::Status InitClient::Shutdown() {
  RETURN_IF_ERROR(Send(Request(MessageType::kShutdown).bytes(), {}));
  return Receive(MessageType::kDone).status();
}

absl::Status InitClient::Keep(const std::string& name, int fd) {
  Request request(MessageType::kKeep);
  request.String(name);
  RETURN_IF_ERROR(Send(request.bytes(), {fd}));
  return Receive(MessageType::kDone).status();
}

absl::StatusOr<UniqueFd> InitClient::Fetch(const std::string& name) {
  Request request(MessageType::kFetch);
  request.String(name);
  RETURN_IF_ERROR(Send(request.bytes(), {}));
  ASSIGN_OR_RETURN(Reply reply, Receive(MessageType::kKept));
  if (reply.fds.size() != 1) return Malformed();
  return std::move(reply.fds[0]);
}

absl::Status InitClient::Watch() {
  RETURN_IF_ERROR(Send(Request(MessageType::kWatch).bytes(), {}));
  return Receive(MessageType::kDone).status();
}

absl::StatusOr<InitExecStarted> InitClient::Exec(const InitExec& exec) {
  std::vector<int> fds;
  if (!exec.tty) fds.assign(exec.stdio, exec.stdio + 3);
  if (exec.cgroup2 >= 0) fds.push_back(exec.cgroup2);
  fds.insert(fds.end(), exec.tasks.begin(), exec.tasks.end());
  Request request(MessageType::kExec);
  request.String(exec.container);
  request->U32((exec.tty ? init::kExecTty : 0u) | (exec.cgroup2 >= 0 ? init::kExecCgroup2 : 0u));
  request->U32(static_cast<uint32_t>(exec.tasks.size()));
  request->U32(exec.rows);
  request->U32(exec.columns);
  request->U32(static_cast<uint32_t>(exec.argv.size()));
  for (const std::string& argument : exec.argv) request.String(argument);
  RETURN_IF_ERROR(Send(request.bytes(), fds));
  ASSIGN_OR_RETURN(Reply reply, Receive(MessageType::kExecStarted));
  init::WireReader reader(reply.bytes.data(), reply.bytes.size());
  InitExecStarted started;
  started.pid = reader.I32();
  if (exec.tty && reply.fds.size() != 1) return Malformed();
  if (exec.tty) started.terminal = std::move(reply.fds[0]);
  RETURN_IF_ERROR(SetTimeout(absl::InfiniteDuration()));
  return started;
}

absl::StatusOr<int> InitClient::WaitExec() {
  ASSIGN_OR_RETURN(Reply reply, Receive(MessageType::kExecEnded));
  init::WireReader reader(reply.bytes.data(), reply.bytes.size());
  return reader.I32();
}

absl::Status InitClient::Attach(const InitAttach& attach) {
  std::vector<int> fds;
  if (attach.stdin >= 0) fds.push_back(attach.stdin);
  fds.insert(fds.end(), {attach.stdout, attach.stderr});
  Request request(MessageType::kAttach);
  request.String(attach.container);
  request->I32(attach.attempt);
  request->U32(attach.stdin >= 0 ? init::kAttachStdin : 0u);
  RETURN_IF_ERROR(Send(request.bytes(), fds));
  RETURN_IF_ERROR(Receive(MessageType::kAttached).status());
  return SetTimeout(absl::InfiniteDuration());
}

absl::Status InitClient::Resize(uint16_t rows, uint16_t columns) {
  Request request(MessageType::kResize);
  request->U32(rows);
  request->U32(columns);
  return Send(request.bytes(), {});
}

absl::Status InitClient::KillExec() { return Send(Request(MessageType::kExecKill).bytes(), {}); }

}  // namespace cluster::node
