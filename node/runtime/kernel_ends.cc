// How KernelRuntime ends what does not end by itself, and what it makes of those that nobody saw
// end. No wait here is longer than kKillTimeout: what is stuck in the kernel is named and left to
// the next try.
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "node/process/identity.h"
#include "node/runtime/blockers.h"
#include "node/runtime/kernel_runtime.h"
#include "node/volume/mount_tree.h"

namespace cluster::node {
namespace {

constexpr absl::Duration kKillTimeout = absl::Seconds(5);
// Who is killed and is not stuck is gone within milliseconds; on a busy machine it takes longer.
constexpr absl::Duration kGlance = absl::Seconds(2);
// A zombie is reaped by the machine's first process.
constexpr absl::Duration kReapTimeout = absl::Seconds(5);

int SendSignal(int pidfd, int signal) {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

std::string KeyOf(const std::string& uid, const std::string& name, int32_t attempt) {
  return absl::StrCat(uid, "/", name, "/", attempt);
}

}  // namespace

// Of the whole pod, or of one of its groups.
std::string KernelRuntime::BlockersOf(const std::string& uid, const std::string& leaf) const {
  std::vector<int> pids;
  const auto pods = options_.cgroups->List();
  for (const FoundPod& pod : pods.ok() ? *pods : std::vector<FoundPod>()) {
    if (pod.uid != uid) continue;
    for (const std::string& name : pod.leaves) {
      if (!leaf.empty() && name != leaf) continue;
      const auto group = options_.cgroups->FindLeaf(uid, name);
      const auto inside = group.ok() ? group->Processes() : group.status();
      if (inside.ok()) pids.insert(pids.end(), inside->begin(), inside->end());
    }
  }
  const std::string text = DescribeBlockers(pids, options_.cgroups->layout());
  return text.empty() ? "its processes do not end" : absl::StrCat("stuck: ", text);
}

// Whatever ran under a cluster-init that is dead now.
absl::Status KernelRuntime::KillRemains(const std::string& uid, absl::Duration patience) {
  auto group = options_.cgroups->FindPod(uid);
  if (absl::IsNotFound(group.status())) return absl::OkStatus();
  RETURN_IF_ERROR(group.status());
  RETURN_IF_ERROR(group->Kill());
  const absl::Status empty = group->AwaitEmpty(patience);
  return absl::IsUnavailable(empty) ? absl::UnavailableError(BlockersOf(uid, "")) : empty;
}

// One whose agent died before it had a group.
absl::Status KernelRuntime::KillStrayInit(const std::string& uid) {
  auto init = Connect(uid);
  if (absl::IsNotFound(init.status())) return absl::OkStatus();
  RETURN_IF_ERROR(init.status());
  auto welcome = init->Hello();
  // It went away meanwhile.
  if (absl::IsUnavailable(welcome.status())) return absl::OkStatus();
  RETURN_IF_ERROR(welcome.status());
  if (SendSignal(welcome->pidfd.get(), SIGKILL) != 0 && errno != ESRCH) {
    return ErrnoStatus("kill", "cluster-init");
  }
  pollfd ended{welcome->pidfd.get(), POLLIN, 0};
  if (poll(&ended, 1, static_cast<int>(kKillTimeout / absl::Milliseconds(1))) == 1) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat("pod ", uid, ": its cluster-init does not end"));
}

absl::Status KernelRuntime::Kill(const ContainerId& id) {
  RETURN_IF_ERROR(CheckName("pod uid", id.pod_uid));
  RETURN_IF_ERROR(CheckName("container name", id.name));
  const std::string leaf = absl::StrCat(id.name, "-", id.attempt);
  auto group = options_.cgroups->FindLeaf(id.pod_uid, leaf);
  if (absl::IsNotFound(group.status())) return absl::OkStatus();
  RETURN_IF_ERROR(group.status());
  RETURN_IF_ERROR(group->Kill());
  const absl::Status empty = group->AwaitEmpty(kGlance);
  return absl::IsUnavailable(empty) ? absl::UnavailableError(BlockersOf(id.pod_uid, leaf)) : empty;
}

absl::StatusOr<std::vector<ContainerState>> KernelRuntime::Poll(const std::string& pod_uid) {
  RETURN_IF_ERROR(CheckName("pod uid", pod_uid));
  if (access((DirectoryOf(pod_uid).state() + "/sandbox").c_str(), F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("pod ", pod_uid, " has no sandbox"));
  }
  bool alive = false;
  ASSIGN_OR_RETURN(std::vector<ContainerState> states, StatesOf(pod_uid, &alive));
  if (alive) {
    RETURN_IF_ERROR(AdoptLate(pod_uid));
  } else {
    // Its containers die with it by their parent death signal; one that took that off dies here.
    const absl::Status killed = KillRemains(pod_uid, kGlance);
    if (!killed.ok() && !absl::IsUnavailable(killed)) return killed;
    for (ContainerState& state : states) {
      if (state.phase == ContainerPhase::kUnknown) LookAgain(pod_uid, killed, &state);
    }
  }
  for (const ContainerState& state : states) {
    if (state.phase != ContainerPhase::kExited) continue;
    LetGoOf(pod_uid, state);
    ReturnCpusOfEnded(pod_uid, state);
  }
  return states;
}

// At one that started, whose cluster-init is dead and whose end is not recorded.
void KernelRuntime::LookAgain(const std::string& uid, const absl::Status& killed,
                              ContainerState* state) {
  if (!killed.ok()) {
    state->phase = ContainerPhase::kRunning;
    state->message = std::string(killed.message());
    return;
  }
  int pidfd = -1;
  {
    MutexLock lock(&mutex_);
    const auto found = instances_.find(KeyOf(uid, state->name, state->attempt));
    if (found == instances_.end()) return;
    pidfd = dup(found->second.get());
  }
  const UniqueFd held(pidfd);
  const std::optional<int> status = ReapedStatus(pidfd, kReapTimeout);
  LetGoOf(uid, *state);
  // SIGKILL was ours, or cluster-init's end: that tells nothing of what would have been.
  if (!status.has_value() || (WIFSIGNALED(*status) && WTERMSIG(*status) == SIGKILL)) return;
  state->phase = ContainerPhase::kExited;
  state->message.clear();
  state->finished_at = absl::Now();
  state->signal = WIFSIGNALED(*status) ? WTERMSIG(*status) : 0;
  state->exit_code = state->signal != 0 ? 128 + state->signal : WEXITSTATUS(*status);
  state->termination_message =
      DirectoryOf(uid).ReadTermination(state->name, state->attempt).value_or("");
  const absl::Status recorded = DirectoryOf(uid).WriteExit(*state);
  if (!recorded.ok()) LOG_WARN("pod {}: {}", uid, std::string(recorded.message()));
}

// From now on the kernel keeps for us how it ends, should nobody else live to tell.
void KernelRuntime::HoldOnTo(const std::string& uid, const std::string& name, int32_t attempt) {
  const auto text = ReadFile(DirectoryOf(uid).instance(name, attempt) + "/started");
  const auto identity = text.ok() ? ParseIdentity(*text) : std::nullopt;
  if (!identity.has_value()) return;
  auto process = OpenProcess(*identity);
  if (absl::IsNotFound(process.status())) return;  // it has ended, and that is known
  if (!process.ok()) {
    LOG_WARN("pod {}: {}", uid, std::string(process.status().message()));
    return;
  }
  MutexLock lock(&mutex_);
  instances_[KeyOf(uid, name, attempt)] = *std::move(process);
}

void KernelRuntime::LetGoOf(const std::string& uid, const ContainerState& state) {
  MutexLock lock(&mutex_);
  instances_.erase(KeyOf(uid, state.name, state.attempt));
}

void KernelRuntime::LetGoOfAll(const std::string& uid) {
  MutexLock lock(&mutex_);
  const std::string prefix = uid + "/";
  for (auto at = instances_.lower_bound(prefix);
       at != instances_.end() && absl::StartsWith(at->first, prefix);) {
    at = instances_.erase(at);
  }
  unadopted_.erase(uid);
}

// One whose cluster-init did not answer when the agent started.
absl::Status KernelRuntime::AdoptLate(const std::string& uid) {
  {
    MutexLock lock(&mutex_);
    if (!unadopted_.contains(uid)) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(InitClient init, Connect(uid));
  RETURN_IF_ERROR(Adopt(uid, std::move(init)));
  MutexLock lock(&mutex_);
  unadopted_.erase(uid);
  return absl::OkStatus();
}

// In an order that can be begun anew after every step.
absl::Status KernelRuntime::TakeBackFromPod(const std::string& uid) {
  const PodDirectory directory = DirectoryOf(uid);
  AwaitAttach(uid);
  const bool beside_starts = options_.cgroups->FindPod(uid).ok() && precedence_.AwaitTurn();
  precedence_.GiveWay();
  if (beside_starts) {
    RETURN_IF_ERROR(options_.network->Unplug(uid));
    precedence_.GiveWay();
  }
  // cluster-init lives in the pod's group too: one kill for all, whatever state they are in.
  RETURN_IF_ERROR(
      Annotate(KillRemains(uid, kKillTimeout), absl::StrCat("pod ", uid, ": end its processes")));
  RETURN_IF_ERROR(KillStrayInit(uid));
  LetGoOfAll(uid);
  precedence_.GiveWay();
  RETURN_IF_ERROR(options_.network->Release(uid));
  precedence_.GiveWay();
  RETURN_IF_ERROR(options_.cgroups->RemovePod(uid));
  precedence_.GiveWay();
  RETURN_IF_ERROR(DetachIn(directory.attached_volumes()));
  RETURN_IF_ERROR(RemoveTree(directory.run()));
  return ReturnCpus(uid);
}

// Once nothing on the disk belongs to them any more.
void KernelRuntime::ReturnIds(std::optional<uint32_t> first_id) {
  if (!first_id.has_value()) return;
  MutexLock lock(&mutex_);
  ids_.Release(*first_id);
}

absl::Status KernelRuntime::Release(const std::string& uid) {
  RETURN_IF_ERROR(CheckName("pod uid", uid));
  const PodDirectory directory = DirectoryOf(uid);
  // First: from here on an agent that starts anew takes nothing for it again.
  RETURN_IF_ERROR(directory.MarkReleased());
  RETURN_IF_ERROR(TakeBackFromPod(uid));
  const std::optional<uint32_t> first_id = directory.ReadFirstId();
  RETURN_IF_ERROR(DetachAndRemoveTree(directory.volumes()));
  for (const auto& [container, attempts] : directory.ListInstances()) {
    for (const int32_t attempt : attempts) {
      RETURN_IF_ERROR(RemoveTree(directory.instance(container, attempt) + "/upper"));
      RETURN_IF_ERROR(RemoveTree(directory.instance(container, attempt) + "/work"));
    }
  }
  RETURN_IF_ERROR(directory.ForgetFirstId());
  ReturnIds(first_id);
  return absl::OkStatus();
}

absl::Status KernelRuntime::Remove(const std::string& uid) {
  RETURN_IF_ERROR(CheckName("pod uid", uid));
  const PodDirectory directory = DirectoryOf(uid);
  RETURN_IF_ERROR(TakeBackFromPod(uid));
  const std::optional<uint32_t> first_id = directory.ReadFirstId();
  precedence_.GiveWay();
  RETURN_IF_ERROR(DetachAndRemoveTree(directory.state()));
  ReturnIds(first_id);
  return absl::OkStatus();
}

}  // namespace cluster::node
