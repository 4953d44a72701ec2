#include "base/process_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/mutex.h"
#include "base/status.h"

namespace cluster {
namespace {

using FileId = std::pair<dev_t, ino_t>;

// What this process holds, and its pid: a child of a fork has a copy of this and holds nothing. A
// record lock does not keep its own process out, and is lost as soon as the process closes any
// descriptor of the file: it may not be opened a second time.
struct Held {
  Mutex mutex;
  std::map<FileId, pid_t> files ABSL_GUARDED_BY(mutex);
};

Held& OfThisProcess() {
  static Held* held = new Held;
  return *held;
}

FileId IdOf(const struct stat& info) { return {info.st_dev, info.st_ino}; }

absl::Status HeldBy(const std::string& path, pid_t pid) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, " is held by ",
                   pid == 0 ? "a process of another pid namespace" : absl::StrCat("process ", pid),
                   ": end that one, or use another directory"));
}

}  // namespace

absl::StatusOr<ProcessLock> ProcessLock::Take(const std::string& path) {
  Held& held = OfThisProcess();
  MutexLock lock(&held.mutex);
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    const auto found = held.files.find(IdOf(info));
    if (found != held.files.end() && found->second == ::getpid()) return HeldBy(path, ::getpid());
  }
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, path, O_RDWR | O_CREAT, 0600));
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("stat", path);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  // Whoever held it at the first call may be gone at the second.
  while (::fcntl(fd.get(), F_SETLK, &whole) != 0) {
    if (errno != EACCES && errno != EAGAIN) return ErrnoStatus("lock", path);
    struct flock other = whole;
    if (::fcntl(fd.get(), F_GETLK, &other) != 0) return ErrnoStatus("lock", path);
    if (other.l_type != F_UNLCK) return HeldBy(path, other.l_pid);
  }
  held.files[IdOf(info)] = ::getpid();
  return ProcessLock(std::move(fd));
}

ProcessLock::~ProcessLock() {
  if (!fd_) return;
  Held& held = OfThisProcess();
  MutexLock lock(&held.mutex);
  struct stat info {};
  if (::fstat(fd_.get(), &info) == 0) held.files.erase(IdOf(info));
  fd_.reset();
}

}  // namespace cluster
