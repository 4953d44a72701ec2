// The programs of a local cluster: started into their namespaces and group, found again by a record
// of pid and start time (so that a re-used pid is never taken for ours), ended by pidfd.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cluster::cli {

struct ProcessRecord {
  int pid = 0;
  // Field 22 of /proc/PID/stat.
  uint64_t start_ticks = 0;
};

struct LaunchSpec {
  std::vector<std::string> argv;  // argv[0] is the program's path
  std::string log_file;           // stdout and stderr are appended here
  std::string mount_ns;           // pin to enter; empty = ours
  std::string net_ns;             // pin to enter; empty = ours
  std::string cgroup;             // directory whose cgroup.procs it joins; empty = ours
  std::string pid_file;           // where the record goes
};

// Returns once the program has been exec'd; an exec that failed is the error.
absl::Status Launch(const LaunchSpec& spec);

// The program that the pid file names, if it is still that very process.
absl::StatusOr<ProcessRecord> FindRunning(const std::string& pid_file);
inline bool IsRunning(const std::string& pid_file) { return FindRunning(pid_file).ok(); }

// Sends `signal` and waits until the process is gone. Ok when it was not running. DeadlineExceeded
// when it does not end.
absl::Status End(const std::string& pid_file, int signal, absl::Duration patience);

// Runs argv in the network namespace of `net_ns` with our stdin, stdout and stderr; its exit code,
// or 128 + the signal that ended it.
absl::StatusOr<int> RunInNetns(const std::string& net_ns, const std::vector<std::string>& argv);

}  // namespace cluster::cli
