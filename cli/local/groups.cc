#include "cli/local/groups.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::cli {
namespace {

std::vector<std::string> Directories(const CgroupMounts& mounts, const std::string& group) {
  std::vector<std::string> directories;
  if (!mounts.v2.empty()) directories.push_back(mounts.v2 + group);
  for (const std::string& mount : mounts.v1) directories.push_back(mount + group);
  return directories;
}

// The directory itself and everything below it, children before parents.
std::vector<std::string> Below(const std::string& directory) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (!entry.is_directory(error)) continue;
    for (std::string& child : Below(entry.path().string())) found.push_back(std::move(child));
  }
  if (std::filesystem::exists(directory, error)) found.push_back(directory);
  return found;
}

absl::Status KillAndWait(int pid, absl::Time deadline) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd)
    return errno == ESRCH ? absl::OkStatus() : ErrnoStatus("pidfd_open", absl::StrCat(pid));
  if (syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH) {
    return ErrnoStatus("kill", absl::StrCat(pid));
  }
  pollfd poller{pidfd.get(), POLLIN, 0};
  const int64_t left = std::max<int64_t>(0, absl::ToInt64Milliseconds(deadline - absl::Now()));
  if (poll(&poller, 1, static_cast<int>(left)) == 1) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat("process ", pid, " does not end; it may be stuck in the kernel"));
}

// A process that has ended may count as a member for a moment longer, until the kernel has let go
// of it.
absl::Status RemoveDirectory(const std::string& directory, absl::Time deadline) {
  while (rmdir(directory.c_str()) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    if (errno != EBUSY || absl::Now() > deadline) return ErrnoStatus("rmdir", directory);
    poll(nullptr, 0, 2);
  }
  return absl::OkStatus();
}

}  // namespace

CgroupMounts ParseCgroupMounts(absl::string_view mountinfo) {
  CgroupMounts mounts;
  for (const absl::string_view line : absl::StrSplit(mountinfo, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    const std::vector<absl::string_view> fields = absl::StrSplit(halves[0], ' ');
    if (halves.size() != 2 || fields.size() < 5 || fields[3] != "/") continue;
    if (absl::StartsWith(halves[1], "cgroup2 ")) {
      mounts.v2 = std::string(fields[4]);
    } else if (absl::StartsWith(halves[1], "cgroup ")) {
      mounts.v1.emplace_back(fields[4]);
    }
  }
  return mounts;
}

absl::StatusOr<CgroupMounts> FindCgroupMounts() {
  ASSIGN_OR_RETURN(const std::string text, ReadFile("/proc/self/mountinfo"));
  CgroupMounts mounts = ParseCgroupMounts(text);
  if (mounts.v2.empty() && mounts.v1.empty()) {
    return absl::FailedPreconditionError(
        "no cgroup file system is mounted: mount cgroup2 on /sys/fs/cgroup");
  }
  return mounts;
}

absl::StatusOr<std::string> MakeAgentGroup(const std::string& group) {
  ASSIGN_OR_RETURN(const CgroupMounts mounts, FindCgroupMounts());
  const std::string& mount = mounts.v2.empty() ? mounts.v1.front() : mounts.v2;
  const std::string directory = mount + group + "/agent";
  RETURN_IF_ERROR(MakeDirectories(directory));
  return directory;
}

absl::StatusOr<std::vector<int>> ProcessesOf(const std::string& group) {
  ASSIGN_OR_RETURN(const CgroupMounts mounts, FindCgroupMounts());
  std::set<int> pids;
  for (const std::string& root : Directories(mounts, group)) {
    for (const std::string& directory : Below(root)) {
      const absl::StatusOr<std::string> text = ReadFile(directory + "/cgroup.procs");
      if (!text.ok()) continue;  // Gone since it was listed.
      for (const absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
        int pid = 0;
        if (absl::SimpleAtoi(line, &pid) && pid > 0) pids.insert(pid);
      }
    }
  }
  return std::vector<int>(pids.begin(), pids.end());
}

absl::Status KillGroup(const std::string& group) {
  ASSIGN_OR_RETURN(const CgroupMounts mounts, FindCgroupMounts());
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  for (;;) {
    // cgroup.kill reaches everything at once, forks in flight too (cgroups(7)); what a hierarchy
    // without it holds is killed one by one until none is left.
    if (!mounts.v2.empty()) {
      const absl::Status killed = WriteControlAt(AT_FDCWD, mounts.v2 + group + "/cgroup.kill", "1");
      if (!killed.ok() && !absl::IsNotFound(killed)) return killed;
    }
    ASSIGN_OR_RETURN(const std::vector<int> pids, ProcessesOf(group));
    if (pids.empty()) return absl::OkStatus();
    for (const int pid : pids) RETURN_IF_ERROR(KillAndWait(pid, deadline));
  }
}

absl::Status RemoveGroup(const std::string& group) {
  ASSIGN_OR_RETURN(const CgroupMounts mounts, FindCgroupMounts());
  const absl::Time deadline = absl::Now() + absl::Seconds(5);
  for (const std::string& root : Directories(mounts, group)) {
    for (const std::string& directory : Below(root)) {
      RETURN_IF_ERROR(RemoveDirectory(directory, deadline));
    }
  }
  return absl::OkStatus();
}

}  // namespace cluster::cli
