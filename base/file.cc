#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster {

absl::StatusOr<UniqueFd> OpenAt(int dirfd, const std::string& path, int flags, unsigned mode) {
  UniqueFd fd(::openat(dirfd, path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) return ErrnoStatus("open", path);
  return fd;
}

absl::StatusOr<std::string> ReadFileAt(int dirfd, const std::string& path, size_t limit) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(dirfd, path, O_RDONLY));
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("read", path);
    if (got == 0) return content;
    if (content.size() + static_cast<size_t>(got) > limit) {
      return absl::ResourceExhaustedError(
          absl::StrCat("read ", path, ": larger than ", limit, " bytes"));
    }
    content.append(buffer, static_cast<size_t>(got));
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  return ReadFileAt(AT_FDCWD, path, limit);
}

absl::Status WriteControlAt(int dirfd, const std::string& path, absl::string_view text) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(dirfd, path, O_WRONLY));
  const ssize_t put = ::write(fd.get(), text.data(), text.size());
  if (put < 0) return ErrnoStatus(absl::StrCat("write '", text, "' to"), path);
  if (static_cast<size_t>(put) != text.size()) {
    return absl::InternalError(absl::StrCat("write ", path, ": short write"));
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(UniqueFd directory, OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return ErrnoStatus("fsync", path);
  return absl::OkStatus();
}

absl::Status WriteAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t put = ::write(fd, data.data(), data.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ErrnoStatus("write");
    data.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

absl::Status WriteFileDurablyAt(int dirfd, const std::string& name, absl::string_view content,
                                unsigned mode) {
  const std::string temporary = absl::StrCat(name, ".tmp");
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC, mode));
  absl::Status written = WriteAll(fd.get(), content);
  if (written.ok() && ::fsync(fd.get()) != 0) written = ErrnoStatus("fsync", temporary);
  if (written.ok() && ::renameat(dirfd, temporary.c_str(), dirfd, name.c_str()) != 0) {
    written = ErrnoStatus("rename", temporary);
  }
  if (!written.ok()) {
    ::unlinkat(dirfd, temporary.c_str(), 0);
    return Annotate(written, absl::StrCat("write ", name));
  }
  const size_t slash = name.rfind('/');
  const std::string parent = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : name.substr(0, slash);
  ASSIGN_OR_RETURN(UniqueFd dir, OpenAt(dirfd, parent, O_RDONLY | O_DIRECTORY));
  if (::fsync(dir.get()) != 0) return ErrnoStatus("fsync", parent);
  return absl::OkStatus();
}

absl::Status WriteFileDurably(const std::string& path, absl::string_view content, unsigned mode) {
  return WriteFileDurablyAt(AT_FDCWD, path, content, mode);
}

absl::Status MakeDirectories(const std::string& path, unsigned mode) {
  for (size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) return ErrnoStatus("mkdir", part);
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return ErrnoStatus("stat", path);
  if (!S_ISDIR(info.st_mode)) return ErrnoStatus(ENOTDIR, "mkdir", path);
  return absl::OkStatus();
}

}  // namespace cluster
