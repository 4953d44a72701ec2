#include "node/image/layer_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"

#include "base/status.h"

namespace cluster::node {
namespace {

constexpr size_t kMaxPath = 4095;
constexpr size_t kMaxPart = 255;
constexpr size_t kMaxDepth = 200;

bool IsWhiteout(const struct stat& info) {
  return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

absl::Status SetOpaque(int directory, const std::string& name) {
  if (::fsetxattr(directory, "trusted.overlay.opaque", "y", 1, 0) != 0) {
    return ErrnoStatus("set trusted.overlay.opaque on", name);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LayerPath> LayerPath::Parse(absl::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("an entry has no path");
  if (path.size() > kMaxPath) {
    return absl::InvalidArgumentError(
        absl::StrCat("the path '", path.substr(0, 80), "...' has ", path.size(), " bytes"));
  }
  if (path.front() == '/') {
    return absl::InvalidArgumentError(absl::StrCat("the path '", path, "' is absolute"));
  }
  LayerPath result;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      return absl::InvalidArgumentError(absl::StrCat("the path '", path, "' leads upwards"));
    }
    if (part.size() > kMaxPart) {
      return absl::InvalidArgumentError(
          absl::StrCat("a name in the path '", path.substr(0, 80), "...' is too long"));
    }
    result.parts_.emplace_back(part);
  }
  if (result.parts_.size() > kMaxDepth) {
    return absl::InvalidArgumentError(absl::StrCat("the path '", path.substr(0, 80), "...' is ",
                                                   result.parts_.size(), " levels deep"));
  }
  return result;
}

std::string LayerPath::Parent() const {
  if (parts_.size() <= 1) return "";
  return absl::StrJoin(parts_.begin(), parts_.end() - 1, "/");
}

std::string LayerPath::Text() const { return absl::StrJoin(parts_, "/"); }

absl::StatusOr<UniqueFd> LayerTree::OpenDirectory(const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const std::string name = path.empty() ? "." : path;
  UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, root_, name.c_str(), &how, sizeof how)));
  if (fd) return fd;
  if (errno == EXDEV || errno == ELOOP) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' leads out of the image through a symbolic link"));
  }
  return ErrnoStatus("open", path);
}

absl::StatusOr<int> LayerTree::Parent(const LayerPath& path) {
  const std::string parent = path.Parent();
  if (parent_ && parent == parent_path_) return parent_.get();
  ASSIGN_OR_RETURN(parent_, MakeParents(path.parts(), path.parts().size() - 1));
  parent_path_ = parent;
  return parent_.get();
}

// Tars may leave directories out, so each missing one is made.
absl::StatusOr<UniqueFd> LayerTree::MakeParents(const std::vector<std::string>& parts,
                                                size_t count) {
  const std::string path = absl::StrJoin(absl::MakeSpan(parts.data(), count), "/");
  absl::StatusOr<UniqueFd> fd = OpenDirectory(path);
  if (fd.ok() || count == 0 || absl::IsInvalidArgument(fd.status())) return fd;
  ASSIGN_OR_RETURN(const UniqueFd above, MakeParents(parts, count - 1));
  const std::string& name = parts[count - 1];
  struct stat info {};
  bool opaque = false;
  if (::fstatat(above.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!IsWhiteout(info)) {
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' is no directory"));
    }
    if (::unlinkat(above.get(), name.c_str(), 0) != 0) return ErrnoStatus("unlink", path);
    opaque = true;
  }
  if (::mkdirat(above.get(), name.c_str(), 0755) != 0) return ErrnoStatus("mkdir", path);
  ++made_;
  ASSIGN_OR_RETURN(UniqueFd made, OpenDirectory(path));
  if (opaque) RETURN_IF_ERROR(SetOpaque(made.get(), path));
  return made;
}

absl::StatusOr<bool> LayerTree::ClearFor(int parent, const LayerPath& path, bool for_directory) {
  struct stat info {};
  if (::fstatat(parent, path.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;
    return ErrnoStatus("stat", path.Text());
  }
  const bool directory = S_ISDIR(info.st_mode);
  if (directory && for_directory) return false;
  if (::unlinkat(parent, path.name().c_str(), directory ? AT_REMOVEDIR : 0) != 0) {
    if (errno == ENOTEMPTY) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", path.Text(), "' takes the place of a directory with content"));
    }
    return ErrnoStatus("unlink", path.Text());
  }
  return IsWhiteout(info);
}

absl::Status LayerTree::AddDirectory(const LayerPath& path, const Attributes& attributes) {
  if (!path.IsTop()) {
    ASSIGN_OR_RETURN(const int parent, Parent(path));
    ASSIGN_OR_RETURN(const bool was_hidden, ClearFor(parent, path, true));
    if (::mkdirat(parent, path.name().c_str(), 0700) == 0) {
      ++made_;
    } else if (errno != EEXIST) {
      return ErrnoStatus("mkdir", path.Text());
    }
    UniqueFd made(
        ::openat(parent, path.name().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made) return ErrnoStatus("open", path.Text());
    if (was_hidden) RETURN_IF_ERROR(SetOpaque(made.get(), path.Text()));
    RETURN_IF_ERROR(Finish(made.get(), attributes));
  } else {
    RETURN_IF_ERROR(Finish(root_, attributes));
  }
  if (attributes.mtime.has_value()) directory_times_.emplace_back(path.Text(), *attributes.mtime);
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> LayerTree::AddFile(const LayerPath& path) {
  ASSIGN_OR_RETURN(const int parent, Parent(path));
  RETURN_IF_ERROR(ClearFor(parent, path, false).status());
  UniqueFd fd(::openat(parent, path.name().c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return ErrnoStatus("create", path.Text());
  ++made_;
  return fd;
}

absl::Status LayerTree::AddSymlink(const LayerPath& path, const std::string& target,
                                   const Attributes& attributes) {
  if (target.empty() || target.size() > kMaxPath) {
    return absl::InvalidArgumentError(absl::StrCat("the symbolic link '", path.Text(),
                                                   "' has a target of ", target.size(), " bytes"));
  }
  ASSIGN_OR_RETURN(const int parent, Parent(path));
  RETURN_IF_ERROR(ClearFor(parent, path, false).status());
  const char* name = path.name().c_str();
  if (::symlinkat(target.c_str(), parent, name) != 0) return ErrnoStatus("symlink", path.Text());
  ++made_;
  if (::fchownat(parent, name, attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus("chown", path.Text());
  }
  if (attributes.mtime.has_value()) {
    const timespec times[2] = {*attributes.mtime, *attributes.mtime};
    if (::utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoStatus("set the time of", path.Text());
    }
  }
  return absl::OkStatus();
}

absl::Status LayerTree::AddHardLink(const LayerPath& path, const LayerPath& target) {
  if (path.parts() == target.parts()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the hard link '", path.Text(), "' is its own target"));
  }
  ASSIGN_OR_RETURN(const UniqueFd target_parent, OpenDirectory(target.Parent()));
  struct stat info {};
  if (::fstatat(target_parent.get(), target.name().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return ErrnoStatus("stat", target.Text());
    return absl::InvalidArgumentError(absl::StrCat("the hard link '", path.Text(), "' leads to '",
                                                   target.Text(), "', which is not in this layer"));
  }
  if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode) && !S_ISFIFO(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("the hard link '", path.Text(), "' leads to '",
                                                   target.Text(), "', which is no file"));
  }
  ASSIGN_OR_RETURN(const int parent, Parent(path));
  RETURN_IF_ERROR(ClearFor(parent, path, false).status());
  if (::linkat(target_parent.get(), target.name().c_str(), parent, path.name().c_str(), 0) != 0) {
    if (errno == ENOENT) {
      return absl::InvalidArgumentError(
          absl::StrCat("the hard link '", path.Text(), "' takes the place of its own target"));
    }
    return ErrnoStatus("link", path.Text());
  }
  ++made_;
  return absl::OkStatus();
}

absl::Status LayerTree::AddFifo(const LayerPath& path, const Attributes& attributes) {
  ASSIGN_OR_RETURN(const int parent, Parent(path));
  RETURN_IF_ERROR(ClearFor(parent, path, false).status());
  const char* name = path.name().c_str();
  if (::mkfifoat(parent, name, 0600) != 0) return ErrnoStatus("mkfifo", path.Text());
  ++made_;
  if (::fchownat(parent, name, attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus("chown", path.Text());
  }
  // Just made by us in a directory that nobody else can reach, so it is no link.
  if (::fchmodat(parent, name, attributes.mode, 0) != 0) return ErrnoStatus("chmod", path.Text());
  return absl::OkStatus();
}

absl::Status LayerTree::AddWhiteout(const LayerPath& path) {
  ASSIGN_OR_RETURN(const int parent, Parent(path));
  const char* name = path.name().c_str();
  struct stat info {};
  if (::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
    // A file of this layer hides the lower one anyway; a directory must say so.
    if (S_ISDIR(info.st_mode)) return MakeOpaque(path);
    return absl::OkStatus();
  }
  if (errno != ENOENT) return ErrnoStatus("stat", path.Text());
  if (::mknodat(parent, name, S_IFCHR, makedev(0, 0)) != 0) {
    return ErrnoStatus("make the whiteout", path.Text());
  }
  ++made_;
  return absl::OkStatus();
}

absl::Status LayerTree::MakeOpaque(const LayerPath& directory) {
  ASSIGN_OR_RETURN(const UniqueFd fd, MakeParents(directory.parts(), directory.parts().size()));
  return SetOpaque(fd.get(), directory.Text());
}

// Owner before mode: chown(2) takes setuid and setgid away, and security.capability too.
absl::Status LayerTree::Finish(int fd, const Attributes& attributes) {
  if (::fchown(fd, attributes.uid, attributes.gid) != 0) return ErrnoStatus("chown");
  if (::fchmod(fd, attributes.mode) != 0) return ErrnoStatus("chmod");
  for (const auto& [name, value] : attributes.xattrs) {
    if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0) {
      return ErrnoStatus("set the attribute", name);
    }
  }
  if (attributes.mtime.has_value()) {
    const timespec times[2] = {*attributes.mtime, *attributes.mtime};
    if (::futimens(fd, times) != 0) return ErrnoStatus("set the time");
  }
  return absl::OkStatus();
}

absl::Status LayerTree::FinishDirectories() {
  parent_.reset();
  for (auto it = directory_times_.rbegin(); it != directory_times_.rend(); ++it) {
    const absl::StatusOr<UniqueFd> fd = OpenDirectory(it->first);
    // A later entry took its place.
    if (!fd.ok()) continue;
    const timespec times[2] = {it->second, it->second};
    if (::futimens(fd->get(), times) != 0) return ErrnoStatus("set the time of", it->first);
  }
  return absl::OkStatus();
}

}  // namespace cluster::node
