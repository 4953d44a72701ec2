#include "node/volume/group.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "base/unique_handle.h"
#include "node/volume/walk.h"

namespace cluster::node {
namespace {

constexpr mode_t kFileBits = 0660;
constexpr mode_t kDirectoryBits = 02770;

mode_t WantedMode(const struct stat& info) {
  return (info.st_mode & 07777) | (S_ISDIR(info.st_mode) ? kDirectoryBits : kFileBits);
}

// `fd` is O_PATH: chown takes it as it is, chmod by its name in /proc, which leads to that very
// file.
absl::Status Give(int fd, gid_t group, const std::string& name) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return ErrnoStatus("stat", name);
  if (info.st_gid != group && fchownat(fd, "", static_cast<uid_t>(-1), group, AT_EMPTY_PATH) != 0) {
    return ErrnoStatus("chown", name);
  }
  if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) return absl::OkStatus();
  const mode_t mode = WantedMode(info);
  // A chown takes setuid and setgid away.
  if (info.st_gid == group && (info.st_mode & 07777) == mode) return absl::OkStatus();
  if (chmod(absl::StrCat("/proc/self/fd/", fd).c_str(), mode) != 0) {
    return ErrnoStatus("chmod", name);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status GiveToGroup(int root, gid_t group, bool only_on_mismatch) {
  struct stat top {};
  if (fstat(root, &top) != 0) return ErrnoStatus("stat", "volume");
  if (only_on_mismatch && top.st_gid == group && (top.st_mode & 07777) == WantedMode(top)) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(WalkTree(root, std::numeric_limits<int64_t>::max(),
                           [group](int dir, const char* name, const struct stat&) {
                             const UniqueFd fd(openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
                             if (!fd) {
                               return errno == ENOENT ? absl::OkStatus()
                                                      : ErrnoStatus("open", name);
                             }
                             return Give(fd.get(), group, name);
                           })
                      .status());
  // The top last: a walk that was cut off is done again.
  return Give(root, group, "volume");
}

}  // namespace cluster::node
