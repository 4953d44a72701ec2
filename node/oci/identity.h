// The last steps before a container's program runs: limits, scheduling, who it is and what it may
// do, and the exec itself. Runs in the container's process, inside of all its namespaces.
// capabilities(7), credentials(7)
#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/oci/channel.h"
#include "node/oci/config.h"

namespace cluster::oci {

// A system call filter, ready to load.
struct SeccompFilter {
  std::vector<sock_filter> program;  // empty = none
  unsigned flags = 0;                // SECCOMP_FILTER_FLAG_*
  std::string listener_path;         // with NEW_LISTENER
  std::string listener_metadata;
};

// The program that execve gets: `name` itself when it holds a '/', else the first of that name in
// the PATH of `env`, seen from the working directory `cwd` (a descriptor). NotFound and
// PermissionDenied in the words that callers look for.
absl::StatusOr<std::string> FindProgram(int cwd, const std::string& name,
                                        const std::vector<std::string>& env);

absl::Status SetRlimits(const std::vector<Rlimit>& limits, pid_t pid);

struct IdentityInputs {
  const Process* process = nullptr;
  const SeccompFilter* seccomp = nullptr;
  std::vector<std::string> env;  // the process' own, completed
  std::string program;
  int proc = -1;          // O_PATH of a trusted procfs
  int preserved_fds = 0;  // 3 and up, besides 0, 1, 2
  bool set_rlimits = true;
  bool new_keyring = true;
  std::string keyring;  // its name
  std::optional<uint32_t> personality;
};

// Closes everything else, becomes the process and executes it. What goes wrong comes back; then the
// process is in no state to go on. `channel` survives until exec.
absl::Status BecomeProcess(const IdentityInputs& inputs, Channel* channel);

// The environment of a process whose root is `root`: with HOME from its /etc/passwd where it has
// none.
std::vector<std::string> CompleteEnvironment(int root, const Process& process);

}  // namespace cluster::oci
