// What benches share: a clock, series of measurements, programs to run and what they take of the
// machine. A bench that cannot go on says why and ends the process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"

namespace cluster {

[[noreturn]] void Die(const std::string& what);

void Must(const absl::Status& status, const std::string& what);

template <typename T>
T Must(absl::StatusOr<T> value, const std::string& what) {
  Must(value.status(), what);
  return *std::move(value);
}

// CLOCK_MONOTONIC, nanoseconds; start_probe tells the same.
int64_t Now();

struct Spawned {
  pid_t pid = 0;
  UniqueFd in;
  UniqueFd out;
};
Spawned Spawn(const std::vector<std::string>& argv);
// Runs it to its end; anything but success ends the bench.
void RunCommand(const std::vector<std::string>& argv);
std::string ReadLine(int fd);
// The directory that this program lies in.
std::string ProgramDirectory();

// What is measured: a name and nanoseconds per round.
struct Series {
  std::string name;
  std::vector<int64_t> nanoseconds;
  double Percentile(double p) const;  // milliseconds
};

// Of a running process; 0 where it is gone. User and system time, see proc_pid_stat(5).
double CpuSeconds(pid_t pid);
// A line of /proc/PID/status in MiB: "VmRSS", "RssAnon", "VmHWM". See proc_pid_status(5).
double Mebibytes(pid_t pid, const std::string& line);

// A directory on a file system of its own: a loop device, ext4 as installers make it, so that
// figures do not depend on what the machine's own is (without a journal, creating a file costs more
// the more were deleted of late; with `discard`, removing a directory waits for the device). Makes
// the process live in a mount namespace of its own. Removed at the end.
class BenchDisk {
 public:
  // `bytes`: its size, most of it holes.
  BenchDisk(const std::string& name, int64_t bytes);
  ~BenchDisk();
  const std::string& path() const { return path_; }

 private:
  std::string image_;
  std::string path_;
};

}  // namespace cluster
