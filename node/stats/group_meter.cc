#include "node/stats/group_meter.h"

#include <unistd.h>

#include "base/status.h"

namespace cluster::node {
namespace {

// memory.stat is the longest with some 2 KiB; io.stat grows with the machine's disks.
constexpr size_t kLongest = 16 << 10;

constexpr int64_t kNoMemoryLimit = int64_t{1} << 60;

struct Place {
  const char* controller;
  const char* v1_file;  // "" = v1 has none
  const char* v2_file;
};

// In the order of Counter. The v2 cpu.stat also has the time, hence no second file there.
constexpr Place kPlaces[] = {
    {"cpu", "cpu.stat", "cpu.stat"},
    {"cpuacct", "cpuacct.usage", ""},
    {"memory", "memory.usage_in_bytes", "memory.current"},
    {"memory", "memory.stat", "memory.stat"},
    {"memory", "memory.limit_in_bytes", "memory.max"},
    {"memory", "memory.oom_control", "memory.events"},
    {"blkio", "blkio.throttle.io_service_bytes_recursive", ""},
    {"blkio", "blkio.throttle.io_serviced_recursive", ""},
    {"pids", "pids.current", "pids.current"},
};
constexpr const char* kStalls[] = {"cpu.pressure", "memory.pressure", "io.pressure"};

}  // namespace

absl::StatusOr<GroupMeter> GroupMeter::Open(const CgroupGroup& group) {
  GroupMeter meter;
  for (int i = kCpu; i <= kPids; ++i) {
    const Place& place = kPlaces[i];
    ASSIGN_OR_RETURN(meter.files_[static_cast<size_t>(i)],
                     group.OpenCounter(place.controller, place.v1_file, place.v2_file));
  }
  if (!meter.files_[kIo].fd) {
    ASSIGN_OR_RETURN(meter.files_[kIo], group.OpenCounter("io", "", "io.stat"));
  }
  for (int i = kCpuStall; i <= kIoStall; ++i) {
    ASSIGN_OR_RETURN(meter.files_[static_cast<size_t>(i)],
                     group.OpenUnified(kStalls[i - kCpuStall]));
  }
  return meter;
}

void GroupMeter::Take(Counter counter, absl::string_view text, GroupReading* reading) const {
  const bool v2 = files_[counter].v2;
  switch (counter) {
    case kCpu:
      return v2 ? ReadV2Cpu(text, reading) : ReadV1Cpu(text, reading);
    case kCpuTime:
      reading->cpu_nanoseconds = ReadNumber(text);
      return;
    case kMemory:
      reading->memory_bytes = ReadNumber(text);
      return;
    case kMemoryStat:
      return v2 ? ReadV2Memory(text, reading) : ReadV1Memory(text, reading);
    case kMemoryLimit: {
      // "max" has no number; v1 says the same with one that no machine has.
      const int64_t limit = ReadNumber(text);
      reading->memory_limit_bytes = limit < kNoMemoryLimit ? limit : 0;
      return;
    }
    case kOom:
      reading->oom_kills = ReadField(text, "oom_kill");
      return;
    case kIo:
      return v2 ? ReadV2Io(text, reading) : ReadV1IoBytes(text, reading);
    case kIoCount:
      return ReadV1IoCount(text, reading);
    case kPids:
      reading->pids = ReadNumber(text);
      return;
    case kCpuStall:
      reading->cpu_stall = ReadStall(text);
      return;
    case kMemoryStall:
      reading->memory_stall = ReadStall(text);
      return;
    case kIoStall:
      reading->io_stall = ReadStall(text);
      return;
    case kCounters:
      return;
  }
}

absl::StatusOr<GroupReading> GroupMeter::Read() const {
  GroupReading reading;
  char text[kLongest];
  for (int i = 0; i < kCounters; ++i) {
    const auto counter = static_cast<Counter>(i);
    if (!files_[counter].fd) continue;
    const ssize_t got = ::pread(files_[counter].fd.get(), text, sizeof text, 0);
    // Pressure can be switched off for a group (cgroup.pressure): then there is none to tell of.
    if (got < 0 && errno == EOPNOTSUPP) continue;
    if (got < 0 && errno == ENODEV) return absl::NotFoundError("the cgroup is gone");
    if (got < 0) return ErrnoStatus("read", "counters of a cgroup");
    Take(counter, absl::string_view(text, static_cast<size_t>(got)), &reading);
  }
  return reading;
}

}  // namespace cluster::node
