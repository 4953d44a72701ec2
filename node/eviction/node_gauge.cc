#include "node/eviction/node_gauge.h"

#include <sys/statvfs.h>

#include <algorithm>

#include "base/file.h"
#include "base/status.h"
#include "node/stats/group_meter.h"
#include "node/stats/reading.h"

namespace cluster::node {
namespace {

absl::Status ReadMachine(NodeNumbers* numbers) {
  ASSIGN_OR_RETURN(const std::string memory, ReadFile("/proc/meminfo"));
  numbers->memory_total = ReadMemoryInfo(memory, "MemTotal");
  numbers->memory_available = ReadMemoryInfo(memory, "MemAvailable");
  // Kernels without pressure accounting have no such file: no stall is known then.
  numbers->memory_stall = ReadStall(ReadFile("/proc/pressure/memory").value_or("")).full;
  ASSIGN_OR_RETURN(const std::string pid_max, ReadFile("/proc/sys/kernel/pid_max"));
  ASSIGN_OR_RETURN(const std::string threads_max, ReadFile("/proc/sys/kernel/threads-max"));
  ASSIGN_OR_RETURN(const std::string load, ReadFile("/proc/loadavg"));
  numbers->pids_total = std::min(ReadNumber(pid_max), ReadNumber(threads_max));
  numbers->pids_available = numbers->pids_total - ReadTasks(load);
  return absl::OkStatus();
}

absl::Status ReadDisk(const std::string& directory, NodeNumbers* numbers) {
  struct statvfs disk {};
  if (::statvfs(directory.c_str(), &disk) != 0) return ErrnoStatus("statvfs", directory);
  const auto block = static_cast<int64_t>(disk.f_frsize);
  numbers->disk_total = static_cast<int64_t>(disk.f_blocks) * block;
  numbers->disk_available = static_cast<int64_t>(disk.f_bavail) * block;
  // File systems that make inodes as they need them have none of their own to run out of.
  numbers->inodes_total = static_cast<int64_t>(disk.f_files);
  numbers->inodes_free = static_cast<int64_t>(disk.f_favail);
  return absl::OkStatus();
}

absl::Status ReadPods(CgroupTree& cgroups, NodeNumbers* numbers) {
  ASSIGN_OR_RETURN(const CgroupGroup whole, cgroups.FindWhole());
  ASSIGN_OR_RETURN(const GroupMeter meter, GroupMeter::Open(whole));
  ASSIGN_OR_RETURN(const GroupReading reading, meter.Read());
  const int64_t limit = reading.memory_limit_bytes;
  if (limit <= 0 || limit >= numbers->memory_total) return absl::OkStatus();
  const int64_t left = std::max<int64_t>(0, limit - reading.working_set_bytes());
  if (left < numbers->memory_available) {
    numbers->memory_total = limit;
    numbers->memory_available = left;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NodeNumbers> ReadNodeNumbers(CgroupTree& cgroups, const std::string& state_dir) {
  NodeNumbers numbers;
  RETURN_IF_ERROR(ReadMachine(&numbers));
  RETURN_IF_ERROR(ReadDisk(state_dir, &numbers));
  RETURN_IF_ERROR(ReadPods(cgroups, &numbers));
  return numbers;
}

}  // namespace cluster::node
