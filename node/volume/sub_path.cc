#include "node/volume/sub_path.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "node/init/sys.h"

namespace cluster::node {
namespace {

// A rename anywhere on the machine may make one look-up with ".." in a link start over.
constexpr int kMostTries = 256;

absl::Status Explain(int error, const std::string& path) {
  if (error == EXDEV || error == ELOOP) {
    return absl::FailedPreconditionError(
        absl::StrCat("sub path \"", path, "\" leads out of its volume through a symbolic link"));
  }
  if (error == ENOTDIR) {
    return absl::FailedPreconditionError(
        absl::StrCat("sub path \"", path, "\" leads through a file of its volume"));
  }
  if (error == EAGAIN) {
    return absl::UnavailableError(
        absl::StrCat("sub path \"", path, "\" changes while it is looked up; it is tried again"));
  }
  return ErrnoStatus(error, "open sub path", path);
}

UniqueFd OpenBeneath(int root, const std::string& path) {
  for (int i = 0; i < kMostTries; ++i) {
    UniqueFd fd(init::OpenAt2(root, path.c_str(), O_PATH, RESOLVE_BENEATH));
    if (fd || errno != EAGAIN) return fd;
  }
  return UniqueFd();
}

// Makes `name` in `parent`, which was resolved a moment ago. Somebody else's of that name is fine.
absl::Status MakeComponent(int parent, const std::string& name, mode_t mode,
                           const PathOwner& owner) {
  if (mkdirat(parent, name.c_str(), mode) != 0) {
    return errno == EEXIST ? absl::OkStatus() : ErrnoStatus("make sub path", name);
  }
  const UniqueFd made(init::OpenAt2(parent, name.c_str(), O_RDONLY | O_DIRECTORY,
                                    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
  struct stat info {};
  // Exchanged already: then it belongs to who did that.
  if (!made || fstat(made.get(), &info) != 0) return absl::OkStatus();
  // The group that a setgid directory hands down stays.
  const gid_t group = (info.st_mode & S_ISGID) != 0 ? info.st_gid : owner.gid;
  if ((info.st_uid != owner.uid || info.st_gid != group) &&
      fchown(made.get(), owner.uid, group) != 0) {
    return ErrnoStatus("give away sub path", name);
  }
  // Whatever the agent's umask is.
  if (fchmod(made.get(), mode) != 0) return ErrnoStatus("chmod sub path", name);
  return absl::OkStatus();
}

absl::Status CheckSubPath(const std::string& path) {
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (!part.empty() && part != "." && part != "..") continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "sub path \"", path, "\" must be relative, without '..', '.' or an empty part"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> OpenSubPath(int root, const std::string& path,
                                     const std::optional<PathOwner>& make) {
  RETURN_IF_ERROR(CheckSubPath(path));
  UniqueFd found = OpenBeneath(root, path);
  if (found) return found;
  if (errno != ENOENT || !make.has_value()) return Explain(errno, path);
  struct stat top {};
  if (fstat(root, &top) != 0) return ErrnoStatus("stat", "volume");
  UniqueFd parent(fcntl(root, F_DUPFD_CLOEXEC, 0));
  std::string prefix;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(path, '/'))) {
    absl::StrAppend(&prefix, prefix.empty() ? "" : "/", part);
    UniqueFd next = OpenBeneath(root, prefix);
    if (!next && errno == ENOENT) {
      RETURN_IF_ERROR(MakeComponent(parent.get(), part, top.st_mode & 07777, *make));
      next = OpenBeneath(root, prefix);
    }
    if (!next) return Explain(errno, path);
    parent = std::move(next);
  }
  return parent;
}

}  // namespace cluster::node
