#include "node/session/log_files.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// None when it is not there.
absl::StatusOr<LogFilePart> Open(const std::string& path) {
  LogFilePart part;
  absl::StatusOr<UniqueFd> fd = OpenAt(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW);
  if (absl::IsNotFound(fd.status())) return part;
  RETURN_IF_ERROR(fd.status());
  part.fd = *std::move(fd);
  if (::fstat(part.fd.get(), &part.stat) != 0) return ErrnoStatus("fstat", path);
  return part;
}

}  // namespace

std::string LogFiles::PathOf(uint64_t number) const { return absl::StrCat(path_, ".", number); }

std::vector<uint64_t> LogFiles::Numbers() const {
  const std::filesystem::path path(path_);
  const std::string prefix = path.filename().string() + ".";
  std::vector<uint64_t> numbers;
  std::error_code error;
  for (std::filesystem::directory_iterator at(path.parent_path(), error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    uint64_t number = 0;
    if (absl::StartsWith(name, prefix) &&
        absl::SimpleAtoi(absl::StripPrefix(name, prefix), &number)) {
      numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

absl::StatusOr<std::vector<LogFilePart>> LogFiles::OpenAll() const {
  ASSIGN_OR_RETURN(LogFilePart current, Open(path_));
  std::vector<LogFilePart> parts;
  for (const uint64_t number : Numbers()) {
    ASSIGN_OR_RETURN(LogFilePart part, Open(PathOf(number)));
    if (!part.fd) continue;
    // Renamed since: what is newer than it follows on it.
    const bool was_current = current.fd && SameFile(part.stat, current.stat);
    parts.push_back(std::move(part));
    if (was_current) return parts;
  }
  if (current.fd) parts.push_back(std::move(current));
  return parts;
}

absl::StatusOr<LogFilePart> LogFiles::OpenNext(const LogFilePart& part) const {
  for (;;) {
    // First, so that whatever is renamed after this is still found under its number.
    struct stat current {};
    const bool has_current = ::stat(path_.c_str(), &current) == 0;
    if (has_current && SameFile(current, part.stat)) return LogFilePart{};
    std::vector<uint64_t> newer;
    const std::vector<uint64_t> numbers = Numbers();
    // Where it is not found it was removed, and all that is there is newer.
    for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
      struct stat file {};
      const bool there = ::stat(PathOf(*number).c_str(), &file) == 0;
      if (there && SameFile(file, part.stat)) break;
      newer.push_back(*number);
    }
    for (auto number = newer.rbegin(); number != newer.rend(); ++number) {
      ASSIGN_OR_RETURN(LogFilePart next, Open(PathOf(*number)));
      if (next.fd) return next;
    }
    if (!has_current) return LogFilePart{};
    ASSIGN_OR_RETURN(LogFilePart next, Open(path_));
    if (next.fd && SameFile(next.stat, current)) return next;
  }
}

}  // namespace cluster::node
