// From a container's pipe to its log file, in the CRI format:
//   2026-01-02T03:04:05.000000006Z stdout F a whole line
//   2026-01-02T03:04:05.000000007Z stderr P the first 16384 bytes of a longer one
// P says that the next record of the same stream continues the line (or that the stream ended
// without a newline), so that joining the texts gives back the bytes that were written.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace cluster::init {

constexpr size_t kMaxLogLine = 16 * 1024;

// A log file, opened O_APPEND by the agent. When it cannot be written (the disk is full), whole
// records are left out, never half ones, and a record says how many bytes are missing once there is
// room again: the container goes on in any case.
//
// A file that would outgrow `max_bytes` is renamed to NAME.1, the next one to NAME.2 and so on, and
// a new one takes its name; of all of them the newest `max_files` stay. Records are never divided
// between files. Where no new file can be made, the old one grows.
struct LogFile {
  int fd = -1;
  uint64_t lost_bytes = 0;
  int dir = -1;        // not owned
  char name[32] = "";  // seen from `dir`
  uint64_t size = 0;
  uint64_t max_bytes = 0;  // 0 = no limit
  uint32_t max_files = 0;
  uint32_t renamed = 0;  // so many times, as the number of the newest renamed one
};

// One pipe, or the master of a pty. The buffer comes when the first byte does and goes with Close.
struct LogStream {
  int fd = -1;  // non-blocking
  const char* name = "stdout";
  char* buffer = nullptr;  // the beginning of a line that has no end yet
  size_t used = 0;
  // Sees every byte as it comes. False: it cannot take more at the moment.
  bool (*tap)(void* owner, const LogStream* stream, const char* data, size_t size) = nullptr;
  void* tap_owner = nullptr;
};

enum class PumpResult { kMore, kDrained, kEnded };

// Moves up to a bounded number of bytes. kMore: call again, there may be more; kDrained: nothing
// there now, or the tap takes no more; kEnded: every writer is gone (what was left without a
// newline is written as P).
PumpResult PumpLog(LogStream* stream, LogFile* file);

// Reads until the pipe is empty, writes the rest of a line and gives the buffer back. The caller
// closes the descriptor, as it knows who else looks at it.
void FinishLog(LogStream* stream, LogFile* file);

}  // namespace cluster::init
