#include "node/volume/project_quota.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/status.h"

namespace cluster::node {
namespace {

constexpr int64_t kQuotaBlock = 1024;  // dqb_bhardlimit counts these
// Projects that people number by hand are small.
constexpr uint32_t kOurs = 0x80000000;

int QuotaCall(int fd, int command, uint32_t project, void* argument) {
  return static_cast<int>(syscall(
      SYS_quotactl_fd, fd, static_cast<unsigned>(QCMD(command, PRJQUOTA)), project, argument));
}

// Whether limits of projects are kept on this file system.
absl::StatusOr<bool> Enforces(int directory) {
  if_dqblk all{};
  if (QuotaCall(directory, Q_GETQUOTA, 0, &all) == 0) return true;
  // No such call; no quotas in the kernel, in this file system, or for projects.
  for (const int error : {ENOSYS, EOPNOTSUPP, ESRCH, EINVAL, ENOTBLK, ENODEV}) {
    if (errno == error) return false;
  }
  return ErrnoStatus("quotactl", "Q_GETQUOTA");
}

absl::StatusOr<fsxattr> AttributesOf(int directory) {
  fsxattr attributes{};
  if (ioctl(directory, FS_IOC_FSGETXATTR, &attributes) != 0) {
    return ErrnoStatus("ioctl", "FS_IOC_FSGETXATTR");
  }
  return attributes;
}

// A project that nothing belongs to: an inode number may be wider than a project's.
absl::StatusOr<uint32_t> FreeProject(int directory) {
  struct stat info {};
  if (fstat(directory, &info) != 0) return ErrnoStatus("stat", "directory");
  auto project = static_cast<uint32_t>(info.st_ino) | kOurs;
  while (true) {
    if_dqblk now{};
    if (QuotaCall(directory, Q_GETQUOTA, project, &now) != 0) {
      if (errno == ESRCH || errno == ENOENT) return project;
      return ErrnoStatus("quotactl", "Q_GETQUOTA");
    }
    if (now.dqb_curinodes == 0) return project;
    project = (project + 1) | kOurs;
  }
}

}  // namespace

absl::StatusOr<bool> LimitSpace(const std::vector<int>& directories, int64_t bytes) {
  ASSIGN_OR_RETURN(const bool enforces, Enforces(directories.front()));
  if (!enforces) return false;
  ASSIGN_OR_RETURN(const fsxattr first, AttributesOf(directories.front()));
  uint32_t project = first.fsx_projid;
  // Somebody else's, handed down from above: its limit is not ours to change.
  if (project != 0 && (project & kOurs) == 0) return false;
  if (project == 0) {
    ASSIGN_OR_RETURN(project, FreeProject(directories.front()));
  }
  // The limit first: nothing is written without one.
  if_dqblk limit{};
  limit.dqb_bhardlimit = static_cast<uint64_t>((bytes + kQuotaBlock - 1) / kQuotaBlock);
  limit.dqb_valid = QIF_BLIMITS;
  if (QuotaCall(directories.front(), Q_SETQUOTA, project, &limit) != 0) {
    return ErrnoStatus("quotactl", "Q_SETQUOTA");
  }
  for (const int directory : directories) {
    ASSIGN_OR_RETURN(fsxattr attributes, AttributesOf(directory));
    if (attributes.fsx_projid == project) continue;
    attributes.fsx_projid = project;
    attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    if (ioctl(directory, FS_IOC_FSSETXATTR, &attributes) != 0) {
      return ErrnoStatus("ioctl", "FS_IOC_FSSETXATTR");
    }
  }
  return true;
}

}  // namespace cluster::node
