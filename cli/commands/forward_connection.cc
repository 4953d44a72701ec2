#include "cli/commands/forward_connection.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>

#include "base/status.h"

namespace cluster::cli {
namespace {

using ForwardCall = grpc::ClientReaderWriter<v1::PortForwardRequest, v1::PortForwardResponse>;

constexpr size_t kForwardedPiece = 32 << 10;

// What the local side sends goes up, in a thread of its own; it alone writes to the stream.
class ForwardUplink {
 public:
  ForwardUplink(int local, int stop_fd, UniqueFd over, grpc::ClientContext& context,
                ForwardCall& call)
      : local_(local),
        stop_fd_(stop_fd),
        over_(std::move(over)),
        context_(context),
        call_(call),
        thread_([this] { Run(); }) {}
  ForwardUplink(const ForwardUplink&) = delete;
  ForwardUplink& operator=(const ForwardUplink&) = delete;
  ~ForwardUplink() {
    const uint64_t one = 1;
    const ssize_t written = write(over_.get(), &one, sizeof one);
    static_cast<void>(written);  // An eventfd takes it, or holds one already.
    thread_.join();
  }

 private:
  void Run() {
    bool open = true;
    std::string piece(kForwardedPiece, '\0');
    for (;;) {
      pollfd fds[] = {
          {over_.get(), POLLIN, 0}, {stop_fd_, POLLIN, 0}, {open ? local_ : -1, POLLIN, 0}};
      if (poll(fds, 3, -1) < 0 && errno != EINTR) return context_.TryCancel();
      if (fds[0].revents != 0) return;
      if (fds[1].revents != 0) {
        // Whoever is sending to it now, too.
        shutdown(local_, SHUT_RDWR);
        return context_.TryCancel();
      }
      if (fds[2].revents != 0) open = Pass(&piece);
    }
  }

  bool Pass(std::string* piece) {
    const ssize_t got = read(local_, piece->data(), piece->size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    v1::PortForwardRequest request;
    if (got > 0) {
      request.set_data(piece->substr(0, static_cast<size_t>(got)));
      return call_.Write(request);
    }
    // Broken off: nobody waits for an answer either.
    if (got < 0) context_.TryCancel();
    request.set_eof(true);
    call_.Write(request);
    return false;
  }

  const int local_;
  const int stop_fd_;
  const UniqueFd over_;
  grpc::ClientContext& context_;
  ForwardCall& call_;
  std::thread thread_;  // Last: it uses all of the above.
};

// False: the local side takes no more.
bool SendAll(int local, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t put = send(local, data.data(), data.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    data.remove_prefix(static_cast<size_t>(put));
  }
  return true;
}

// What the pod sends comes down, until the call ends. True: the local side broke off.
bool PassDown(int local, grpc::ClientContext& context, ForwardCall& call) {
  bool broken = false;
  v1::PortForwardResponse response;
  while (call.Read(&response)) {
    if (response.eof()) {
      shutdown(local, SHUT_WR);
    } else if (!broken && !SendAll(local, response.data())) {
      broken = true;
      context.TryCancel();
    }
  }
  return broken;
}

}  // namespace

absl::Status ForwardConnection(Client& client, const v1::PortForwardStart& start, UniqueFd local,
                               int stop_fd) {
  UniqueFd over(eventfd(0, EFD_CLOEXEC));
  if (!over.valid()) return ErrnoStatus("eventfd");
  grpc::ClientContext context;
  const std::unique_ptr<ForwardCall> call = client.stub().PortForward(&context);
  v1::PortForwardRequest first;
  *first.mutable_start() = start;
  call->Write(first);
  bool broken = false;
  {
    const ForwardUplink uplink(local.get(), stop_fd, std::move(over), context, *call);
    broken = PassDown(local.get(), context, *call);
  }
  const grpc::Status status = call->Finish();
  // Cancelled by ourselves: the local side has broken off, or all is to end.
  if (broken || status.error_code() == grpc::StatusCode::CANCELLED) return absl::OkStatus();
  return client.ToStatus(status);
}

}  // namespace cluster::cli
