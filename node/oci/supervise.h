// What a foreground run or exec does while its process lives: passes signals on, carries the bytes
// of its terminal, and knows its end.
#pragma once

#include <sys/types.h>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"

namespace cluster::oci {

// Blocks every signal that can be passed on, for the calling process and from now on: what comes
// before Supervise is passed on by it.
absl::StatusOr<UniqueFd> CatchSignals();

// Until the process, a child of ours, has ended. `terminal` is its pty's master, or none. Returns
// its exit code, 128 + signal when one ended it.
absl::StatusOr<int> Supervise(int pidfd, int signals, UniqueFd terminal);

}  // namespace cluster::oci
