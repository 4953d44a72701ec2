#include "node/seccomp/filters.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/status.h"
#include "base/unique_handle.h"
#include "node/seccomp/profile_parser.h"

namespace cluster::node {
namespace {

// Containers of a node differ in few ways; whoever makes more of them pays a compilation.
constexpr size_t kMostKept = 64;

absl::StatusOr<std::string> Compile(const SeccompProfile& profile, uint64_t capabilities,
                                    KernelVersion kernel) {
  ASSIGN_OR_RETURN(const std::vector<sock_filter> program,
                   CompileProfile(profile, {capabilities, kernel}));
  return std::string(reinterpret_cast<const char*>(program.data()),
                     program.size() * sizeof program[0]);
}

// Nothing outside of the directory, whatever links there are.
absl::StatusOr<UniqueFd> OpenBelow(const std::string& directory, const std::string& path) {
  UniqueFd dir(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return ErrnoStatus("open", directory);
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  UniqueFd file(static_cast<int>(syscall(SYS_openat2, dir.get(), path.c_str(), &how, sizeof how)));
  if (!file) return ErrnoStatus("open", absl::StrCat(directory, "/", path));
  return file;
}

absl::StatusOr<std::string> ReadAll(int fd) {
  std::string text(kMaxProfileSize + 1, '\0');
  size_t used = 0;
  while (used < text.size()) {
    const ssize_t got = read(fd, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("read");
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  text.resize(used);
  return text;
}

}  // namespace

SyscallFilters::SyscallFilters(std::string directory)
    : directory_(std::move(directory)), kernel_(RunningKernel()) {}

absl::StatusOr<std::string> SyscallFilters::For(const std::string& profile, uint64_t capabilities) {
  if (profile == "unconfined") return "";
  absl::string_view path = profile;
  if (absl::ConsumePrefix(&path, "localhost/")) {
    auto filter = Localhost(std::string(path), capabilities);
    if (filter.ok()) return filter;
    return absl::FailedPreconditionError(
        absl::StrCat("seccomp profile ", path, ": ", filter.status().message()));
  }
  if (!profile.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no seccomp profile '", profile, "'"));
  }
  const Key key{profile, Version(), capabilities};
  MutexLock lock(&mutex_);
  const auto known = compiled_.find(key);
  if (known != compiled_.end()) return known->second;
  ASSIGN_OR_RETURN(std::string filter, Compile(DefaultProfile(), capabilities, kernel_));
  if (compiled_.size() >= kMostKept) compiled_.clear();
  return compiled_[key] = std::move(filter);
}

absl::StatusOr<std::string> SyscallFilters::Localhost(const std::string& path,
                                                      uint64_t capabilities) {
  ASSIGN_OR_RETURN(const UniqueFd file, OpenBelow(directory_, path));
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return ErrnoStatus("stat", path);
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError("it is no regular file");
  const Key key{
      path, {info.st_ino, info.st_ctim.tv_sec, info.st_ctim.tv_nsec, info.st_size}, capabilities};
  {
    MutexLock lock(&mutex_);
    const auto known = compiled_.find(key);
    if (known != compiled_.end()) return known->second;
  }
  ASSIGN_OR_RETURN(const std::string text, ReadAll(file.get()));
  ASSIGN_OR_RETURN(const SeccompProfile profile, ParseSeccompProfile(text));
  ASSIGN_OR_RETURN(std::string filter, Compile(profile, capabilities, kernel_));
  MutexLock lock(&mutex_);
  if (compiled_.size() >= kMostKept) compiled_.clear();
  return compiled_[key] = std::move(filter);
}

}  // namespace cluster::node
