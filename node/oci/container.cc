#include "node/oci/container.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "node/init/sys.h"
#include "node/oci/channel.h"
#include "node/oci/hooks.h"
#include "node/oci/namespaces.h"
#include "node/oci/seccomp.h"

namespace cluster::oci {
namespace {

constexpr int kEndMilliseconds = 10'000;
constexpr int kKillMilliseconds = 1'000;

absl::StatusOr<Channel> ConnectToStart(const ContainerDirectory& directory) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) return ErrnoStatus("socket");
  const std::string path = directory.StartSocketPath();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoStatus("connect to", "the container's process");
  }
  return Channel(std::move(socket));
}

bool AwaitEnd(int pidfd, int milliseconds) {
  pollfd ended{pidfd, POLLIN, 0};
  int result;
  do {
    result = ::poll(&ended, 1, milliseconds);
  } while (result < 0 && errno == EINTR);
  return result > 0;
}

}  // namespace

absl::StatusOr<Container> Container::Open(const std::string& root, const std::string& id,
                                          Locking locking) {
  RETURN_IF_ERROR(CheckId(id));
  ASSIGN_OR_RETURN(ContainerDirectory directory, ContainerDirectory::Open(root, id));
  if (locking == Locking::kExclusive) RETURN_IF_ERROR(directory.Lock());
  ASSIGN_OR_RETURN(State state, directory.ReadState());
  Container container(std::move(directory), std::move(state));
  RETURN_IF_ERROR(container.Look());
  return container;
}

absl::Status Container::Look() {
  ASSIGN_OR_RETURN(node::CgroupLayout layout, node::DiscoverCgroups());
  layout_ = std::make_unique<node::CgroupLayout>(std::move(layout));
  ASSIGN_OR_RETURN(Group group, Group::Open(layout_.get(), state_.cgroup));
  group_ = std::make_unique<Group>(std::move(group));
  if (state_.pid == 0) {
    status_ = Status::kCreating;
    return absl::OkStatus();
  }
  auto process = OpenProcess(state_);
  if (absl::IsNotFound(process.status())) {
    status_ = Status::kStopped;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(process.status());
  process_ = *std::move(process);
  ASSIGN_OR_RETURN(const bool frozen, group_->Frozen());
  status_ = frozen                     ? Status::kPaused
            : directory_.AwaitsStart() ? Status::kCreated
                                       : Status::kRunning;
  return absl::OkStatus();
}

absl::Status Container::Require(std::initializer_list<Status> allowed, const char* verb) const {
  if (std::find(allowed.begin(), allowed.end(), status_) != allowed.end()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("cannot ", verb, " container ", state_.id, ": it is ", StatusName(status_),
                   status_ == Status::kStopped ? " (container not running)" : ""));
}

absl::StatusOr<Config> Container::ReadConfig() const {
  ASSIGN_OR_RETURN(const std::string text, directory_.ReadConfig());
  return oci::ReadConfig(text);
}

absl::Status Container::Start(Log* log) {
  RETURN_IF_ERROR(Require({Status::kCreated}, "start"));
  ASSIGN_OR_RETURN(const Config config, ReadConfig());
  ASSIGN_OR_RETURN(Channel channel, ConnectToStart(directory_));
  RETURN_IF_ERROR(directory_.ForgetStart());
  RETURN_IF_ERROR(channel.Send(Packet::kStart, Describe()));
  status_ = Status::kRunning;
  for (;;) {
    ASSIGN_OR_RETURN(const Message message, channel.Receive());
    if (message.kind == Packet::kEnd) break;
    if (message.kind == Packet::kNotify && config.linux_.seccomp) {
      const SeccompFilter filter = ListenerOf(*config.linux_.seccomp);
      RETURN_IF_ERROR(
          HandOverListener(filter, process_.get(), message.text, Describe(), state_.pid));
    } else {
      return absl::AbortedError(message.text);
    }
  }
  const absl::Status hooks = RunHooks("poststart", config.hooks.poststart, Describe());
  if (!hooks.ok()) log->Warn(hooks.message());
  return absl::OkStatus();
}

absl::Status Container::Kill(int signal, bool all) {
  if (all && signal == SIGKILL && !group_->empty()) {
    RETURN_IF_ERROR(group_->Kill());
    return absl::OkStatus();
  }
  // None is all of them, too.
  if (all && status_ == Status::kStopped) return absl::OkStatus();
  RETURN_IF_ERROR(Require({Status::kCreated, Status::kRunning, Status::kPaused}, "kill"));
  if (all) {
    ASSIGN_OR_RETURN(const std::vector<int> pids, group_->Processes());
    for (const int pid : pids) {
      const UniqueFd process(init::PidfdOpen(pid));
      if (process) init::PidfdSendSignal(process.get(), signal);
    }
    return absl::OkStatus();
  }
  // Without a pid namespace of its own the end of its first process ends nothing else.
  if (signal == SIGKILL && !state_.own_pid_namespace) RETURN_IF_ERROR(group_->Kill());
  if (init::PidfdSendSignal(process_.get(), signal) != 0 && errno != ESRCH) {
    return ErrnoStatus("signal", state_.id);
  }
  // So that the `delete` that mostly comes next finds it stopped.
  if (signal == SIGKILL) AwaitEnd(process_.get(), kKillMilliseconds);
  return absl::OkStatus();
}

absl::Status Container::Pause() {
  RETURN_IF_ERROR(Require({Status::kCreated, Status::kRunning}, "pause"));
  return group_->Freeze();
}

absl::Status Container::Resume() {
  RETURN_IF_ERROR(Require({Status::kPaused}, "resume"));
  return group_->Thaw();
}

absl::Status Container::Delete(bool force, Log* log) {
  if (!force) {
    RETURN_IF_ERROR(Require({Status::kCreated, Status::kStopped, Status::kCreating},
                            "delete (without --force)"));
  }
  if (process_) {
    init::PidfdSendSignal(process_.get(), SIGKILL);
    RETURN_IF_ERROR(group_->Reclaim(state_.pid));
    // Frozen processes of a v1 hierarchy die only once they are thawed; Kill sees to it.
    RETURN_IF_ERROR(group_->Kill());
    if (!AwaitEnd(process_.get(), kEndMilliseconds)) {
      return absl::UnavailableError(
          absl::StrCat("process ", state_.pid, " of container ", state_.id, " does not end"));
    }
  }
  const auto config = ReadConfig();
  return EndContainer(group_.get(), config.ok() ? &*config : nullptr, state_, &directory_, log);
}

absl::Status EndContainer(Group* group, const Config* config, const State& state,
                          ContainerDirectory* directory, Log* log) {
  RETURN_IF_ERROR(group->Kill());
  RETURN_IF_ERROR(group->AwaitEmpty(kGroupEndTime));
  RETURN_IF_ERROR(group->Remove());
  RETURN_IF_ERROR(directory->Remove());
  if (config == nullptr) return absl::OkStatus();
  const absl::Status hooks = RunHooks("poststop", config->hooks.poststop,
                                      StateForPeople(state, Status::kStopped), /*all=*/true);
  if (!hooks.ok()) log->Warn(hooks.message());
  return absl::OkStatus();
}

}  // namespace cluster::oci
