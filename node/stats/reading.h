// The kernel's counters of a group, of a machine and of links, from the text of its files. Pure.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

#include "cluster/v1/stats.pb.h"

namespace cluster::node {

// Share of the last ten seconds in percent.
struct Stall {
  double some = 0;
  double full = 0;
};

// One look at one group. What its hierarchies do not count stays 0.
struct GroupReading {
  int64_t cpu_nanoseconds = 0;
  int64_t cpu_periods = 0;
  int64_t throttled_periods = 0;
  int64_t throttled_nanoseconds = 0;
  int64_t memory_bytes = 0;
  int64_t inactive_file_bytes = 0;
  int64_t rss_bytes = 0;
  int64_t memory_limit_bytes = 0;
  int64_t oom_kills = 0;
  int64_t read_bytes = 0;
  int64_t written_bytes = 0;
  int64_t reads = 0;
  int64_t writes = 0;
  int64_t pids = 0;
  Stall cpu_stall;
  Stall memory_stall;
  Stall io_stall;

  // As Kubernetes has it: what is left when the page cache that was not used lately went.
  int64_t working_set_bytes() const {
    return memory_bytes > inactive_file_bytes ? memory_bytes - inactive_file_bytes : 0;
  }
};

// The first number in the text; 0 when there is none.
int64_t ReadNumber(absl::string_view text);
// The number behind `key` in lines of "key number"; 0 when absent.
int64_t ReadField(absl::string_view text, absl::string_view key);
// "some avg10=0.12 avg60=... \n full avg10=..."; see the kernel's accounting/psi.
Stall ReadStall(absl::string_view text);

// cpu.stat of v2, and of v1 (without the time, which cpuacct.usage has).
void ReadV2Cpu(absl::string_view text, GroupReading* reading);
void ReadV1Cpu(absl::string_view text, GroupReading* reading);
void ReadV2Memory(absl::string_view text, GroupReading* reading);  // memory.stat
void ReadV1Memory(absl::string_view text, GroupReading* reading);
// io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." per device.
void ReadV2Io(absl::string_view text, GroupReading* reading);
// blkio.throttle.io_service_bytes and io_serviced: "8:0 Read 1" per device and direction.
void ReadV1IoBytes(absl::string_view text, GroupReading* reading);
void ReadV1IoCount(absl::string_view text, GroupReading* reading);

// /proc/stat: cpu time of all cores since boot, idle time left out. `ticks` per second
// (sysconf(_SC_CLK_TCK)).
int64_t ReadMachineCpu(absl::string_view text, int64_t ticks);
// A line "Key:  123 kB" of /proc/meminfo in bytes; 0 when absent.
int64_t ReadMemoryInfo(absl::string_view text, absl::string_view key);
// Tasks of the machine: the second number of "2/123" in /proc/loadavg.
int64_t ReadTasks(absl::string_view text);

// Everything but cpu_milli and limits.
v1::ResourceStats ToStats(const GroupReading& reading);
v1::Pressure ToPressure(const Stall& stall);

}  // namespace cluster::node
