// Starts a program at a cost that does not depend on how big this process is.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"

namespace cluster::node {

struct SpawnSpec {
  int program_fd = -1;            // what to execute, open O_PATH
  std::vector<std::string> argv;  // its environment is empty
  std::vector<int> fds;           // become descriptors 0, 1, 2, ...; all others are closed
  int cgroup_fd = -1;             // v2 directory to be born in, or -1
};

struct SpawnedProcess {
  pid_t pid = 0;
  UniqueFd pidfd;  // reap with waitid(P_PIDFD, ..., __WALL): no SIGCHLD is sent
};

// clone3(CLONE_VM | CLONE_VFORK) and execveat(2): the child borrows our memory until it executes,
// and the calling thread sleeps meanwhile. Signal dispositions and mask of the child are the
// default ones. Thread-safe. Aborted: the child was killed before its first instruction, which is
// what kernels from 6.15 on do to a child cloned into a cgroup when one of that and its parent's
// has seen more cgroup.kill than the other. Other errors: the errno of clone3, of the descriptors'
// set-up or of execveat.
absl::StatusOr<SpawnedProcess> SpawnProgram(const SpawnSpec& spec);

// The program at `path` as a descriptor for `program_fd`. It goes through a detached read-only
// mount, so that no process that runs it, or is about to, can open it for writing through
// /proc/PID/exe (CVE-2019-5736). Needs CAP_SYS_ADMIN.
absl::StatusOr<UniqueFd> OpenProgramReadOnly(const std::string& path);

}  // namespace cluster::node
