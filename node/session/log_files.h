// The files of one instance's log: PATH is being written; what was before is PATH.1, PATH.2 and so
// on, the highest number the newest. The writer renames and removes them at any moment.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"

namespace cluster::node {

// An open one, or none. It stays readable whatever becomes of its name.
struct LogFilePart {
  UniqueFd fd;
  struct stat stat {};  // when it was opened
};

// A value. Errors: what open(2) says, but for files that are not there.
class LogFiles {
 public:
  explicit LogFiles(std::string path) : path_(std::move(path)) {}

  // All that is there, the oldest first. Nothing lies between two of them, unless the writer
  // removed it.
  absl::StatusOr<std::vector<LogFilePart>> OpenAll() const;
  // What follows on `part`; none while that is the one being written. What is in `part` is then all
  // that will ever be.
  absl::StatusOr<LogFilePart> OpenNext(const LogFilePart& part) const;

  const std::string& path() const { return path_; }

 private:
  std::vector<uint64_t> Numbers() const;  // ascending
  std::string PathOf(uint64_t number) const;

  std::string path_;
};

}  // namespace cluster::node
