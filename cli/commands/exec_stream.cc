#include "cli/commands/exec_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "cli/commands/terminal.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

using ExecCall = grpc::ClientReaderWriter<v1::ExecRequest, v1::ExecResponse>;

constexpr size_t kInputChunk = 32 << 10;
// Ctrl-P Ctrl-Q, as with other container tools.
constexpr char kLeaveFirst = 16;
constexpr char kLeaveSecond = 17;

// Everything that goes up: standard input and changes of the terminal's size. Its own thread; it
// alone writes to the stream.
class Uplink {
 public:
  Uplink(Session& session, const v1::ExecStart& start, grpc::ClientContext& context, ExecCall& call,
         UniqueFd stop, std::unique_ptr<SignalPipe> signals)
      : input_(session.terminal().input),
        reads_input_(start.stdin()),
        may_leave_(start.attach() && start.tty()),
        context_(context),
        call_(call),
        stop_(std::move(stop)),
        signals_(std::move(signals)),
        thread_([this] { Run(); }) {}
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;
  ~Uplink() {
    const uint64_t one = 1;
    const ssize_t written = write(stop_.get(), &one, sizeof one);
    static_cast<void>(written);  // An eventfd takes it, or holds one already.
    thread_.join();
  }

  // The signal that ended us, or 0.
  int ended_by() const { return ended_by_.load(); }
  bool left() const { return left_.load(); }

 private:
  void Run() {
    bool open = true;
    while (open) {
      pollfd fds[] = {{stop_.get(), POLLIN, 0},
                      {reads_input_ ? input_ : -1, POLLIN, 0},
                      {signals_ != nullptr ? signals_->fd() : -1, POLLIN, 0}};
      if (poll(fds, 3, -1) < 0) {
        if (errno == EINTR) continue;
        return context_.TryCancel();
      }
      if (fds[0].revents != 0) return;
      if (fds[2].revents != 0) open = OnSignal(signals_->Take());
      if (open && fds[1].revents != 0) open = PassInput();
    }
  }

  bool OnSignal(int signal) {
    if (signal == SIGWINCH) {
      const absl::StatusOr<v1::TerminalSize> size = SizeOfTerminal(input_);
      if (!size.ok()) return true;
      v1::ExecRequest request;
      *request.mutable_resize() = *size;
      return call_.Write(request);
    }
    if (signal == 0) return true;
    ended_by_.store(signal);
    context_.TryCancel();
    return false;
  }

  bool PassInput() {
    char buffer[kInputChunk];
    const ssize_t got = read(input_, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    v1::ExecRequest request;
    if (got > 0) {
      const std::string typed(buffer, static_cast<size_t>(got));
      if (may_leave_ && Leaves(typed)) {
        left_.store(true);
        context_.TryCancel();
        return false;
      }
      request.set_stdin(typed);
    } else {
      // An input that cannot be read has ended as well.
      request.set_stdin_eof(true);
      reads_input_ = false;
    }
    return call_.Write(request);
  }

  // The two keys may come in one piece or in two.
  bool Leaves(const std::string& typed) {
    for (const char key : typed) {
      if (key == kLeaveSecond && last_key_ == kLeaveFirst) return true;
      last_key_ = key;
    }
    return false;
  }

  const int input_;
  bool reads_input_;
  const bool may_leave_;
  char last_key_ = 0;
  grpc::ClientContext& context_;
  ExecCall& call_;
  const UniqueFd stop_;
  const std::unique_ptr<SignalPipe> signals_;
  std::atomic<int> ended_by_{0};
  std::atomic<bool> left_{false};
  std::thread thread_;  // Last: it uses all of the above.
};

// Everything that comes down, until the stream ends. The exit code, if it came.
std::optional<int> Downlink(Session& session, ExecCall& call) {
  std::optional<int> exit_code;
  v1::ExecResponse response;
  while (call.Read(&response)) {
    switch (response.response_case()) {
      case v1::ExecResponse::kStdout:
        session.out() << response.stdout() << std::flush;
        break;
      case v1::ExecResponse::kStderr:
        session.err() << response.stderr() << std::flush;
        break;
      case v1::ExecResponse::kExitCode:
        exit_code = response.exit_code();
        break;
      case v1::ExecResponse::RESPONSE_NOT_SET:
        break;
    }
  }
  return exit_code;
}

}  // namespace

absl::StatusOr<int> RunExec(Session& session, v1::ExecStart start) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop.valid()) return ErrnoStatus("eventfd");
  std::unique_ptr<SignalPipe> signals;
  std::optional<RawMode> raw;
  if (start.tty()) {
    const absl::StatusOr<v1::TerminalSize> size = SizeOfTerminal(session.terminal().input);
    if (size.ok()) *start.mutable_size() = *size;
    ASSIGN_OR_RETURN(signals, SignalPipe::Open({SIGWINCH, SIGTERM, SIGHUP}));
    ASSIGN_OR_RETURN(RawMode entered, RawMode::Enter(session.terminal().input));
    raw.emplace(std::move(entered));
  }
  grpc::ClientContext context;
  const std::unique_ptr<ExecCall> call = client->stub().Exec(&context);
  v1::ExecRequest first;
  *first.mutable_start() = std::move(start);
  call->Write(first);
  std::optional<int> exit_code;
  int ended_by = 0;
  bool left = false;
  {
    Uplink uplink(session, first.start(), context, *call, std::move(stop), std::move(signals));
    exit_code = Downlink(session, *call);
    ended_by = uplink.ended_by();
    left = uplink.left();
  }
  const grpc::Status status = call->Finish();
  if (ended_by != 0) return 128 + ended_by;
  if (left) return 0;
  RETURN_IF_ERROR(client->ToStatus(status));
  if (exit_code.has_value()) return *exit_code;
  return absl::InternalError(
      "the stream ended without the command's exit code; see the node's log");
}

v1::ExecStart AttachStart(Session& session, const v1::Pod& pod, const std::string& container,
                          bool stdin, bool tty) {
  v1::ExecStart start;
  start.set_namespace_(pod.metadata().namespace_());
  start.set_pod(pod.metadata().name());
  start.set_container(container);
  start.set_attach(true);
  start.set_stdin(stdin);
  start.set_tty(tty);
  bool has_tty = false;
  const auto look_at = [&](const auto& containers) {
    for (const auto& one : containers) has_tty |= one.name() == container && one.tty();
  };
  look_at(pod.spec().containers());
  look_at(pod.spec().init_containers());
  look_at(pod.spec().ephemeral_containers());
  if (tty && !has_tty) {
    session.err() << "Unable to use a TTY - container " << container << " did not allocate one\n";
    start.set_tty(false);
  } else if (tty && isatty(session.terminal().input) != 1) {
    session.err() << "Unable to use a TTY - input is not a terminal\n";
    start.set_tty(false);
  }
  return start;
}

}  // namespace cluster::cli
