// The process that `exec` runs, from its command line and the container's own process. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "node/oci/config.h"
#include "node/oci/flags.h"

namespace cluster::oci {

absl::Span<const Flag> ExecFlags();

// `command` is the program with its arguments, `base` the container's process, whose environment,
// user, directory and limits hold where no flag says otherwise. InvalidArgument.
absl::StatusOr<Process> ExecProcessOf(const Arguments& flags,
                                      const std::vector<std::string>& command, const Process& base);

// "UID[:GID]", decimal digits alone, each at most 4294967294. InvalidArgument for everything else:
// "0x0", "1000:", " 0", "-1" and names, which only an image's files could explain.
absl::StatusOr<User> ParseExecUser(const std::string& text, const User& base);

}  // namespace cluster::oci
