// The system call filters of a node: compiled once for each profile and set of capabilities, then
// handed out as bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "node/seccomp/compiler.h"

namespace cluster::node {

// Thread-safe.
class SyscallFilters {
 public:
  // `directory` holds the profiles that pods may name; it need not exist.
  explicit SyscallFilters(std::string directory);

  // The sock_filter[] for a container with this bounding set. `profile` is "" for the default,
  // "unconfined" (no bytes), or "localhost/" and a path below the directory, which no link leads
  // out of. FailedPrecondition: there is no such file, or it is no profile (with the place).
  absl::StatusOr<std::string> For(const std::string& profile, uint64_t capabilities);

 private:
  // What tells one content of a file from another: inode, change time, size.
  using Version = std::tuple<uint64_t, int64_t, int64_t, int64_t>;
  struct Key {
    std::string profile;
    Version version;
    uint64_t capabilities;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  absl::StatusOr<std::string> Localhost(const std::string& path, uint64_t capabilities);

  const std::string directory_;
  const KernelVersion kernel_;
  Mutex mutex_;
  std::map<Key, std::string> compiled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::node
