// How much may lie below a directory, where its file system keeps project quotas (ext4 and xfs
// mounted with prjquota): whoever writes more gets EDQUOT, and nothing has to be measured.
// Elsewhere what pods write is measured (usage.h), and they are evicted.
//
// A directory's project is made of its inode number, so nothing has to be remembered, and what a
// crash left is found again. See quotactl(2), FS_IOC_FSSETXATTR in ioctl_xfs_fsgetxattr(2),
// ext4(5).
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace cluster::node {

// Below all these directories together at most so many bytes, rounded up to 1 KiB. They are empty,
// or were limited before, and lie on one file system. False, with nothing changed: it keeps no
// project quotas, they belong to a project of somebody else's already, or the kernel is
// before 5.14. Errors: the errno of quotactl_fd and ioctl.
absl::StatusOr<bool> LimitSpace(const std::vector<int>& directories, int64_t bytes);

}  // namespace cluster::node
