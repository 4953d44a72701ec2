#include "node/oci/namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/init/sys.h"
#include "node/oci/channel.h"
#include "node/oci/names.h"

namespace cluster::oci {
namespace {

// Users come last: after it our rights over the others would be gone. Mounts right before, as paths
// mean something else from then on.
constexpr int kJoinOrder[] = {CLONE_NEWNET,    CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWPID,
                              CLONE_NEWCGROUP, CLONE_NEWTIME, CLONE_NEWNS,  CLONE_NEWUSER};

absl::StatusOr<UniqueFd> OpenNamespace(const Namespace& name_space) {
  auto fd = OpenAt(AT_FDCWD, name_space.path, O_RDONLY | O_NONBLOCK);
  const std::string what =
      absl::StrCat("linux.namespaces: ", NamespaceName(name_space.flag), " namespace ");
  if (!fd.ok()) return Annotate(fd.status(), what);
  const int kind = ::ioctl(fd->get(), NS_GET_NSTYPE);
  if (kind == name_space.flag) return fd;
  return absl::InvalidArgumentError(
      absl::StrCat(what, name_space.path, kind < 0 ? ": is no namespace" : ": is of another kind"));
}

std::string OffsetLine(const char* clock, const std::optional<TimeOffset>& offset) {
  if (!offset) return "";
  return absl::StrCat(clock, " ", offset->seconds, " ", offset->nanoseconds, "\n");
}

// Its offsets can only be set while nobody is in it: it is made for the children alone.
absl::Status MakeTimeNamespace(const NamespacePlan& plan) {
  if (::unshare(CLONE_NEWTIME) != 0) return ErrnoStatus("unshare", "time namespace");
  if (plan.time_offsets.empty()) return absl::OkStatus();
  return WriteControlAt(AT_FDCWD, "/proc/self/timens_offsets", plan.time_offsets);
}

absl::Status Join(const NamespacePlan& plan) {
  if (plan.new_time) RETURN_IF_ERROR(MakeTimeNamespace(plan));
  for (const auto& [flag, fd] : plan.joined) {
    if (::setns(fd.get(), flag) != 0) return ErrnoStatus("join namespace", NamespaceName(flag));
  }
  return absl::OkStatus();
}

// In the process in between. Its clone is a sibling: CLONE_PARENT.
[[noreturn]] void CloneSibling(const NamespacePlan& plan, Channel& channel,
                               const std::function<void()>& child) {
  absl::Status joined = Join(plan);
  if (joined.ok() && plan.enter) joined = plan.enter();
  if (!joined.ok()) {
    (void)channel.Send(Packet::kFailed, joined.message());
    _exit(1);
  }
  int pidfd = -1;
  const pid_t pid = init::Clone3(plan.new_flags | CLONE_PARENT, 0, &pidfd, -1);
  if (pid == 0) {
    channel.Close();
    child();
    _exit(1);
  }
  const absl::Status told =
      pid < 0 ? channel.Send(Packet::kFailed, ErrnoStatus("clone3", "container").message())
              : channel.Send(Packet::kPid, absl::StrCat(pid), {pidfd});
  _exit(told.ok() ? 0 : 1);
}

absl::StatusOr<Clone> CloneThrough(const NamespacePlan& plan, int cgroup2,
                                   const std::function<void()>& child) {
  ASSIGN_OR_RETURN(auto channel, Channel::MakePair());
  int between_fd = -1;
  // Into the cgroup already here: in another user namespace it may not be ours to enter.
  const pid_t between = init::Clone3(0, SIGCHLD, &between_fd, cgroup2);
  if (between == 0) {
    channel.first.Close();
    CloneSibling(plan, channel.second, child);
  }
  if (between < 0) return ErrnoStatus("clone3", "process that joins namespaces");
  const UniqueFd between_handle(between_fd);
  channel.second.Close();
  auto answer = channel.first.Receive();
  siginfo_t ignored{};
  while (::waitid(P_PIDFD, static_cast<id_t>(between_fd), &ignored, WEXITED) != 0 &&
         errno == EINTR) {
  }
  RETURN_IF_ERROR(answer.status());
  if (answer->kind == Packet::kFailed) return absl::FailedPreconditionError(answer->text);
  if (answer->kind != Packet::kPid || answer->fds.empty()) {
    return absl::AbortedError("the process that joins namespaces was killed");
  }
  return Clone{std::stoi(answer->text), std::move(answer->fds[0])};
}

}  // namespace

absl::StatusOr<NamespacePlan> PlanNamespaces(const Linux& config, bool cgroup2_alone) {
  NamespacePlan plan;
  for (const int flag : kJoinOrder) {
    const Namespace* name_space = config.Find(flag);
    if (name_space == nullptr) continue;
    if (!name_space->path.empty()) {
      ASSIGN_OR_RETURN(UniqueFd fd, OpenNamespace(*name_space));
      plan.joined.emplace_back(flag, std::move(fd));
    } else if (flag == CLONE_NEWTIME) {
      plan.new_time = true;
      plan.time_offsets = OffsetLine("monotonic", config.monotonic_offset) +
                          OffsetLine("boottime", config.boottime_offset);
    } else if (flag == CLONE_NEWCGROUP && !cgroup2_alone) {
      plan.late_cgroup = true;
    } else {
      plan.new_flags |= static_cast<unsigned>(flag);
    }
  }
  return plan;
}

absl::StatusOr<Clone> CloneInto(const NamespacePlan& plan, int cgroup2,
                                const std::function<void()>& child) {
  if (!plan.joined.empty() || plan.new_time || plan.enter)
    return CloneThrough(plan, cgroup2, child);
  int pidfd = -1;
  const pid_t pid = init::Clone3(plan.new_flags, SIGCHLD, &pidfd, cgroup2);
  if (pid == 0) {
    child();
    _exit(1);
  }
  if (pid < 0) return ErrnoStatus("clone3", "container");
  return Clone{pid, UniqueFd(pidfd)};
}

std::string MappingText(const std::vector<IdMapping>& mappings) {
  std::string text;
  for (const IdMapping& mapping : mappings) {
    absl::StrAppend(&text, mapping.container, " ", mapping.host, " ", mapping.size, "\n");
  }
  return text;
}

absl::Status WriteIdMappings(pid_t pid, const std::vector<IdMapping>& uids,
                             const std::vector<IdMapping>& gids) {
  const std::string process = absl::StrCat("/proc/", pid);
  RETURN_IF_ERROR(WriteControlAt(AT_FDCWD, absl::StrCat(process, "/uid_map"), MappingText(uids)));
  return WriteControlAt(AT_FDCWD, absl::StrCat(process, "/gid_map"), MappingText(gids));
}

absl::StatusOr<UniqueFd> MakeUserNamespace(const std::vector<IdMapping>& uids,
                                           const std::vector<IdMapping>& gids) {
  int pidfd = -1;
  const pid_t pid = init::Clone3(CLONE_NEWUSER, SIGCHLD, &pidfd, -1);
  if (pid == 0) {
    for (;;) ::pause();
  }
  if (pid < 0) return ErrnoStatus("clone3", "user namespace");
  const UniqueFd holder(pidfd);
  const absl::Status mapped = WriteIdMappings(pid, uids, gids);
  auto made = OpenAt(AT_FDCWD, absl::StrCat("/proc/", pid, "/ns/user"), O_RDONLY);
  init::PidfdSendSignal(pidfd, SIGKILL);
  siginfo_t ignored{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &ignored, WEXITED) != 0 && errno == EINTR) {
  }
  RETURN_IF_ERROR(mapped);
  return made;
}

}  // namespace cluster::oci
