#include "node/oci/copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/file.h"
#include "base/status.h"

namespace cluster::oci {
namespace {

constexpr int kMaxDepth = 256;

absl::Status CopyDirectory(int from, int to, int depth);

absl::Status CopyFile(int from, int to, const std::string& name, mode_t mode) {
  ASSIGN_OR_RETURN(const UniqueFd source, OpenAt(from, name, O_RDONLY | O_NOFOLLOW));
  ASSIGN_OR_RETURN(const UniqueFd copy,
                   OpenAt(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 07777));
  for (;;) {
    const ssize_t sent = ::sendfile(copy.get(), source.get(), nullptr, SSIZE_MAX / 2);
    if (sent == 0) return absl::OkStatus();
    if (sent < 0 && errno != EINTR) return ErrnoStatus("copy", name);
  }
}

absl::Status CopyLink(int from, int to, const std::string& name) {
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(from, name.c_str(), target, sizeof target - 1);
  if (size < 0) return ErrnoStatus("read link", name);
  target[size] = 0;
  if (::symlinkat(target, to, name.c_str()) != 0) return ErrnoStatus("make link", name);
  return absl::OkStatus();
}

absl::Status CopyBelow(int from, int to, const std::string& name, mode_t mode, int depth) {
  if (depth == 0) return absl::ResourceExhaustedError("the tree is more than 256 levels deep");
  if (::mkdirat(to, name.c_str(), mode & 07777) != 0) return ErrnoStatus("mkdir", name);
  ASSIGN_OR_RETURN(const UniqueFd source, OpenAt(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  ASSIGN_OR_RETURN(const UniqueFd copy, OpenAt(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  return CopyDirectory(source.get(), copy.get(), depth - 1);
}

absl::Status CopyEntry(int from, int to, const std::string& name, int depth) {
  struct stat info {};
  if (::fstatat(from, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus("stat", name);
  }
  const mode_t type = info.st_mode & S_IFMT;
  if (type == S_IFLNK) {
    RETURN_IF_ERROR(CopyLink(from, to, name));
  } else if (type == S_IFDIR) {
    RETURN_IF_ERROR(CopyBelow(from, to, name, info.st_mode, depth));
  } else if (type == S_IFREG) {
    RETURN_IF_ERROR(CopyFile(from, to, name, info.st_mode));
  } else if (::mknodat(to, name.c_str(), info.st_mode, info.st_rdev) != 0) {
    return ErrnoStatus("make special file", name);
  }
  if (::fchownat(to, name.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus("chown", name);
  }
  // A change of owner takes set-user-id bits away.
  if (type != S_IFLNK && ::fchmodat(to, name.c_str(), info.st_mode & 07777, 0) != 0) {
    return ErrnoStatus("chmod", name);
  }
  return absl::OkStatus();
}

absl::Status CopyDirectory(int from, int to, int depth) {
  ASSIGN_OR_RETURN(UniqueFd own, OpenAt(from, ".", O_RDONLY | O_DIRECTORY));
  DIR* stream = ::fdopendir(own.get());
  if (stream == nullptr) return ErrnoStatus("list", "directory");
  own.release();
  absl::Status copied;
  while (const dirent* entry = copied.ok() ? ::readdir(stream) : nullptr) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") copied = CopyEntry(::dirfd(stream), to, name, depth);
  }
  ::closedir(stream);
  return copied;
}

}  // namespace

absl::Status CopyTree(int from, int to) {
  struct stat info {};
  if (::fstat(from, &info) != 0) return ErrnoStatus("stat", "directory");
  ASSIGN_OR_RETURN(const UniqueFd target, OpenAt(to, ".", O_RDONLY | O_DIRECTORY));
  if (::fchown(target.get(), info.st_uid, info.st_gid) != 0 ||
      ::fchmod(target.get(), info.st_mode & 07777) != 0) {
    return ErrnoStatus("chown", "directory");
  }
  return CopyDirectory(from, target.get(), kMaxDepth);
}

}  // namespace cluster::oci
