// One process at a time: a file locked by whoever works on what lies beside it.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"

namespace cluster {

// Held until destroyed or until the process is gone, whatever ended it; the kernel sees to that.
//
// A record lock (fcntl(2), F_SETLK) and not flock(2): flock belongs to the open file, of which a
// child has a copy from its clone to its execve. A process that was killed between the two would
// seem to hold it still, for as long as its child lives. A record lock is the process' own.
//
// Thread-safe.
class ProcessLock {
 public:
  // Creates `path` (mode 0600) where it is missing; its directory must exist. FailedPrecondition:
  // this or another process holds it; the message names the file, the holder's pid
  // and what to do.
  static absl::StatusOr<ProcessLock> Take(const std::string& path);

  ProcessLock(ProcessLock&&) = default;
  ProcessLock& operator=(ProcessLock&&) = delete;
  ~ProcessLock();

 private:
  explicit ProcessLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace cluster
