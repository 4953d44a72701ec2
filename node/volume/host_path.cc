#include "node/volume/host_path.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

struct Wanted {
  mode_t type = 0;  // S_IFMT bits; 0 = any
  const char* name = "";
};

Wanted WantedOf(HostPathCheck check) {
  switch (check) {
    case HostPathCheck::kAnything:
      return {};
    case HostPathCheck::kDirectory:
    case HostPathCheck::kDirectoryOrCreate:
      return {S_IFDIR, "a directory"};
    case HostPathCheck::kFile:
    case HostPathCheck::kFileOrCreate:
      return {S_IFREG, "a file"};
    case HostPathCheck::kSocket:
      return {S_IFSOCK, "a socket"};
    case HostPathCheck::kCharDevice:
      return {S_IFCHR, "a character device"};
    case HostPathCheck::kBlockDevice:
      return {S_IFBLK, "a block device"};
  }
  return {};
}

absl::Status MakeWhenMissing(const std::string& path, HostPathCheck check) {
  if (access(path.c_str(), F_OK) == 0 || errno != ENOENT) return absl::OkStatus();
  if (check == HostPathCheck::kFileOrCreate) {
    auto made = OpenAt(AT_FDCWD, path, O_WRONLY | O_CREAT, 0644);
    if (absl::IsNotFound(made.status())) {
      return absl::FailedPreconditionError(
          absl::StrCat("hostPath \"", path, "\": its directory does not exist; make it"));
    }
    return made.status();
  }
  if (check == HostPathCheck::kDirectoryOrCreate || check == HostPathCheck::kAnything) {
    return MakeDirectories(path, 0755);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> OpenHostPath(const std::string& path, HostPathCheck check) {
  const Wanted wanted = WantedOf(check);
  RETURN_IF_ERROR(MakeWhenMissing(path, check));
  UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd && errno == ENOENT) {
    return absl::FailedPreconditionError(absl::StrCat(
        "hostPath \"", path, "\" does not exist on the node, and must be ", wanted.name));
  }
  if (!fd) return ErrnoStatus("open hostPath", path);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus("stat hostPath", path);
  if (wanted.type != 0 && (info.st_mode & S_IFMT) != wanted.type) {
    return absl::FailedPreconditionError(
        absl::StrCat("hostPath \"", path, "\" is not ", wanted.name, " on the node"));
  }
  return fd;
}

}  // namespace cluster::node
