#include "node/init/init_template.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <utility>

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

// A pod's uid, its host name and what is between them.
constexpr size_t kTitleSize = 200;

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

absl::StatusOr<SocketPair> MakeSocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return ErrnoStatus("socketpair");
  }
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

InitTemplate::~InitTemplate() {
  MutexLock lock(&mutex_);
  End();
}

void InitTemplate::End() {
  // Somebody may have inherited a copy.
  if (channel_.has_value()) channel_->HangUp();
  channel_.reset();
  if (!process_.pidfd) return;
  waitid(P_PIDFD, static_cast<id_t>(process_.pidfd.get()), nullptr, WEXITED | __WALL);
  process_ = SpawnedProcess();
}

absl::Status InitTemplate::Start() {
  ASSIGN_OR_RETURN(SocketPair channel, MakeSocketPair());
  ASSIGN_OR_RETURN(UniqueFd null, OpenAt(AT_FDCWD, "/dev/null", O_RDWR));
  ASSIGN_OR_RETURN(UniqueFd log, OpenAt(AT_FDCWD, log_, O_WRONLY | O_CREAT | O_APPEND, 0600));
  SpawnSpec spawn;
  spawn.program_fd = program_.get();
  spawn.argv = {"cluster-init", std::string(kTitleSize, ' ')};
  spawn.fds = {null.get(), null.get(), log.get(), channel.theirs.get()};
  ASSIGN_OR_RETURN(process_, SpawnProgram(spawn));
  ASSIGN_OR_RETURN(channel_, InitClient::Over(std::move(channel.ours)));
  return absl::OkStatus();
}

absl::StatusOr<InitClient> InitTemplate::Order(uint32_t flags, uint32_t first_id) {
  ASSIGN_OR_RETURN(SocketPair ends, MakeSocketPair());
  MutexLock lock(&mutex_);
  absl::Status sent = absl::UnavailableError("not started");
  if (channel_.has_value()) sent = channel_->Mould(flags, first_id, ends.theirs.get());
  if (absl::IsUnavailable(sent)) {
    End();
    RETURN_IF_ERROR(Start());
    sent = channel_->Mould(flags, first_id, ends.theirs.get());
  }
  RETURN_IF_ERROR(sent);
  return InitClient::Over(std::move(ends.ours));
}

}  // namespace cluster::node
