#include "node/oci/paths.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "node/init/rootfs.h"
#include "node/init/sys.h"

namespace cluster::oci {
namespace {

uint64_t Resolve(Links links) {
  return RESOLVE_IN_ROOT | (links == Links::kRefuse ? RESOLVE_NO_SYMLINKS : 0);
}

absl::Status Refused(const std::string& operation, const std::string& path) {
  if (errno != ELOOP && errno != ENOTDIR) return ErrnoStatus(operation, path);
  return absl::FailedPreconditionError(absl::StrCat(
      operation, " ", path, ": the image has something else there (", ErrnoName(errno), ")"));
}

}  // namespace

absl::StatusOr<UniqueFd> OpenInRoot(int root, const std::string& path, Links links,
                                    uint64_t flags) {
  UniqueFd fd(init::OpenAt2(root, path.c_str(), O_PATH | flags, Resolve(links)));
  if (!fd) return Refused("open", path);
  return fd;
}

absl::StatusOr<UniqueFd> MakeDirectoryIn(int root, const std::string& path, Links links) {
  UniqueFd fd(init::MakeDirectoryInRoot(root, path.c_str(), Resolve(links)));
  if (!fd) return Refused("make directory", path);
  return fd;
}

absl::StatusOr<UniqueFd> MakeFileIn(int root, const std::string& path, Links links) {
  auto found = OpenInRoot(root, path, links);
  if (!absl::IsNotFound(found.status())) return found;
  ASSIGN_OR_RETURN(const UniqueFd parent, MakeDirectoryIn(root, ParentOf(path), links));
  const std::string name = BaseOf(path);
  struct stat info {};
  if (::fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISLNK(info.st_mode) && ::unlinkat(parent.get(), name.c_str(), 0) != 0) {
    return ErrnoStatus("replace link", path);
  }
  const UniqueFd made(::openat(parent.get(), name.c_str(),
                               O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!made) return ErrnoStatus("make file", path);
  UniqueFd target(::openat(parent.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!target) return ErrnoStatus("open", path);
  return target;
}

std::string CleanPath(const std::string& path) {
  std::vector<absl::string_view> parts;
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return absl::StrCat("/", absl::StrJoin(parts, "/"));
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

std::string BaseOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace cluster::oci
