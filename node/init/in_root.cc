#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "node/init/rootfs.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

// An empty file where the image has none. A dangling link in its place is replaced: where it points
// to is the image's choice, not ours.
int MakeFileInRoot(int root, const char* path, uint64_t resolve) {
  char parent[PATH_MAX];
  CopyText(parent, sizeof parent, path);
  char* slash = strrchr(parent, '/');
  if (slash == nullptr || slash[1] == 0) {
    errno = EINVAL;
    return -1;
  }
  *slash = 0;
  const char* name = slash + 1;
  const int dir = MakeDirectoryInRoot(root, parent[0] == 0 ? "/" : parent, resolve);
  if (dir < 0) return -1;
  struct stat info {};
  if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode)) {
    if (unlinkat(dir, name, 0) != 0) return -1;
  }
  const int made = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (made < 0) return -1;
  close(made);
  const int target = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  close(dir);
  return target;
}

}  // namespace

int OpenMountTarget(int root, const MountStep& mount) {
  const uint64_t resolve =
      RESOLVE_IN_ROOT | (mount.flags & kFollowSymlinks ? 0 : RESOLVE_NO_SYMLINKS);
  if ((mount.flags & kTargetIsFile) == 0) return MakeDirectoryInRoot(root, mount.target, resolve);
  const int target = OpenAt2(root, mount.target, O_PATH, resolve);
  if (target < 0 && (mount.flags & kOnlyWhereFound) != 0) return -1;
  return target >= 0 || errno != ENOENT ? target : MakeFileInRoot(root, mount.target, resolve);
}

int MakeDirectoryInRoot(int root, const char* path, uint64_t resolve) {
  int dir = OpenAt2(root, path, O_PATH | O_DIRECTORY, resolve);
  if (dir >= 0 || errno != ENOENT) return dir;
  char prefix[PATH_MAX];
  if (strlen(path) >= sizeof prefix) {
    errno = ENAMETOOLONG;
    return -1;
  }
  // One component after the other, each resolved from the root again: no step can leave it.
  dir = OpenAt2(root, "/", O_PATH | O_DIRECTORY, resolve);
  for (size_t at = 0; dir >= 0 && path[at] != 0;) {
    while (path[at] == '/') ++at;
    size_t end = at;
    while (path[end] != 0 && path[end] != '/') ++end;
    if (end == at) break;
    memcpy(prefix, path, end);
    prefix[end] = 0;
    int next = OpenAt2(root, prefix, O_PATH | O_DIRECTORY, resolve);
    if (next < 0 && errno == ENOENT) {
      if (mkdirat(dir, prefix + at, 0755) == 0) {
        next = OpenAt2(root, prefix, O_PATH | O_DIRECTORY, resolve);
      }
    }
    const int error = errno;
    close(dir);
    errno = error;
    dir = next;
    at = end;
  }
  return dir;
}

}  // namespace cluster::init
