// Another process in a running container: its namespaces, cgroups, filter and limits, and nothing
// of the host's.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "node/oci/config.h"
#include "node/oci/container.h"
#include "node/oci/log.h"
#include "node/oci/sub_groups.h"

namespace cluster::oci {

struct ExecOptions {
  std::string pid_file;
  std::string console_socket;
  SubGroupPaths sub_groups;  // below the container's own
  int preserved_fds = 0;     // as ClaimFds counted them
  bool detach = false;
  bool ignore_paused = false;
};

// The exit code of the process (128 + signal), or 0 as soon as it runs when detached.
// FailedPrecondition: the container does not run. What keeps the process from running comes as an
// error too.
absl::StatusOr<int> Exec(Container* container, const Config& config, const Process& process,
                         const ExecOptions& options, Log* log);

// How many descriptors from 3 on the container gets: `asked` of them, and those that a
// socket-activating caller announced (sd_listen_fds(3)); those that are not open are passed over.
// All above are closed, so it must come before anything of ours is opened.
absl::StatusOr<int> ClaimFds(int64_t asked);

absl::Status WritePidFile(const std::string& path, int pid);

}  // namespace cluster::oci
