// Small files, read and written whole. Every path is opened O_CLOEXEC.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/unique_handle.h"

namespace cluster {

// openat(2) with O_CLOEXEC added. dirfd may be AT_FDCWD.
absl::StatusOr<UniqueFd> OpenAt(int dirfd, const std::string& path, int flags,
                                unsigned mode = 0644);

// The whole content; refuses more than `limit` bytes with ResourceExhausted.
absl::StatusOr<std::string> ReadFileAt(int dirfd, const std::string& path, size_t limit = 16 << 20);
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit = 16 << 20);

// One write(2) of everything to an existing control file (cgroup, procfs, sysctl): O_WRONLY, no
// create.
absl::Status WriteControlAt(int dirfd, const std::string& path, absl::string_view text);

// Replaces `name` in directory `dirfd` so that a crash leaves the old or the new content, never a
// mix: temporary file, fsync, rename, fsync of the directory.
absl::Status WriteFileDurablyAt(int dirfd, const std::string& name, absl::string_view content,
                                unsigned mode = 0600);
absl::Status WriteFileDurably(const std::string& path, absl::string_view content,
                              unsigned mode = 0600);

// Writes all of it, resuming after short writes and EINTR.
absl::Status WriteAll(int fd, absl::string_view data);

// fsync(2): what was made, renamed or removed in it outlives a power cut.
absl::Status SyncDirectory(const std::string& path);

// mkdir -p; existing directories are left as they are.
absl::Status MakeDirectories(const std::string& path, unsigned mode = 0755);

}  // namespace cluster
