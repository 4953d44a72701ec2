// What a group may use, and the control files that say so. Pure: the plan is a list of writes.
//
// Requests become weights and protection, limits become maxima:
//
//   cpu request     cpu.shares, cpu.weight
//   cpu limit       quota per 100 ms, with as much again saved up from idle periods (burst): what
//   an
//                   application did not use while it waited it may use at once when work comes, so
//                   that a limit far above its mean use does not throttle it. The long run keeps to
//                   the limit.
//   memory request  memory.low (v1: the soft limit). Not memory.min: memory that cannot be
//   reclaimed
//                   even in need ends in the death of somebody else's process, while what
//                   memory.low protects goes last.
//   memory limit    memory.max, and no swap on top. memory.high stays unset unless it is asked for:
//   a
//                   group above it is slowed down until it looks hung, and nobody is told; the
//                   limit and eviction speak plainly.
//   pids, io, hugepages, cpuset  as they are called
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node/cgroup/control_write.h"
#include "node/cgroup/device_rules.h"
#include "node/cgroup/layout.h"

namespace cluster::node {

// Most that a group may do on one block device; 0 = no limit of its own.
struct IoLimit {
  uint32_t major = 0;
  uint32_t minor = 0;
  int64_t read_bytes_per_second = 0;
  int64_t write_bytes_per_second = 0;
  int64_t reads_per_second = 0;
  int64_t writes_per_second = 0;
  friend bool operator==(const IoLimit&, const IoLimit&) = default;
};

// Of one page size. A size that is not listed is not limited: list those that the machine has.
struct HugepageLimit {
  int64_t page_bytes = 0;
  int64_t bytes = 0;
  friend bool operator==(const HugepageLimit&, const HugepageLimit&) = default;
};

// Takes a limit of a group away that it has; 0 leaves it.
inline constexpr int64_t kUnlimited = -1;

// 0 or empty = not set.
struct CgroupLimits {
  int64_t cpu_request_milli = 0;  // thousandths of a core; 0 = the least share there is
  int64_t cpu_limit_milli = 0;    // or kUnlimited, as memory_limit
  int64_t memory_request = 0;     // bytes
  int64_t memory_limit = 0;       // bytes, swap not included: there is none within the limit
  int64_t memory_high = 0;        // bytes; v2 alone has it
  int64_t pids_limit = 0;
  std::string cpuset_cpus;  // "0-3,8"
  std::string cpuset_mems;
  int64_t io_weight = 0;  // 1 to 10000, the default of the kernel being 100
  std::vector<IoLimit> io_limits;
  std::vector<HugepageLimit> hugepages;
  // v2: an OOM kill takes the whole group, as one process less is rarely a working container.
  bool oom_kills_group = false;
  // None: what the group above may. Not among the writes of PlanWrites, as a v2 group takes a
  // program instead; CgroupTree sees to it.
  std::optional<DeviceRules> devices;
};

// In the order in which to write them. A controller that neither v1 nor v2 has is left out.
std::vector<ControlWrite> PlanWrites(const CgroupLayout& layout, const CgroupLimits& limits);

// Kubernetes' rule: 1024 per core, at least 2, at most 262144.
int64_t CpuSharesOf(int64_t milli);
// cpu.weight that runc 1.3+ and crun 1.23+ give these shares: 2 -> 1, 1024 -> 100, 262144 -> 10000.
int64_t CpuWeightOf(int64_t shares);
// blkio.bfq.weight (1 to 1000) that stands for an io weight of 1 to 10000; 100 is 100 in both.
int64_t BfqWeightOf(int64_t io_weight);
// As the kernel names a page size in its files: "2MB", "1GB", "64KB".
std::string PageSizeName(int64_t page_bytes);

}  // namespace cluster::node
