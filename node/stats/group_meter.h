// The counter files of one group, kept open: a look at it is a handful of pread(2).
//
// An open counter file costs the kernel a page once it was read, so meters are for as long as
// somebody looks again and again.
#pragma once

#include <array>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/cgroup/group.h"
#include "node/stats/reading.h"

namespace cluster::node {

// Used by one thread at a time.
class GroupMeter {
 public:
  // That one keeps open at most.
  static constexpr size_t kFiles = 12;

  // What the group's hierarchies do not have is left out.
  static absl::StatusOr<GroupMeter> Open(const CgroupGroup& group);

  // NotFound: the group is gone.
  absl::StatusOr<GroupReading> Read() const;

 private:
  enum Counter {
    kCpu,
    kCpuTime,
    kMemory,
    kMemoryStat,
    kMemoryLimit,
    kOom,
    kIo,
    kIoCount,
    kPids,
    kCpuStall,
    kMemoryStall,
    kIoStall,
    kCounters,
  };
  void Take(Counter counter, absl::string_view text, GroupReading* reading) const;

  static_assert(kCounters == kFiles);

  std::array<CounterFile, kFiles> files_;
};

}  // namespace cluster::node
