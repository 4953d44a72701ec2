// Which process it was, so that no other that got its pid later is taken for it: what cluster-init
// writes when a container starts (node/init/record.cc).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/unique_handle.h"

namespace cluster::node {

struct ProcessIdentity {
  int32_t pid = 0;
  std::string boot_id;
  std::string start_time;  // field 22 of /proc/PID/stat
  // "TYPE:HEX": the file handle of its pidfd; empty before Linux 6.14. name_to_handle_at(2)
  std::string handle;
};

// From lines of "key value". Nothing without a pid and a boot id.
std::optional<ProcessIdentity> ParseIdentity(absl::string_view text);

// A pidfd of that very process, alive or a zombie. NotFound: it is gone, and whoever has its pid
// now is another.
absl::StatusOr<UniqueFd> OpenProcess(const ProcessIdentity& identity);

// The wait status of a process that ended and was reaped by whomever; waits for that at most
// `patience`. Nothing when it was not, or when the kernel (before 6.15) does not tell. The
// descriptor must be older than the end. ioctl_pidfd(2), PIDFD_GET_INFO
std::optional<int> ReapedStatus(int pidfd, absl::Duration patience);

}  // namespace cluster::node
