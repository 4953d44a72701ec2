// How a child that is becoming a container tells its cluster-init what went wrong: one packet on a
// close-on-exec SOCK_SEQPACKET pair. End of file without a packet means that it has exec'd.
#pragma once

#include <stdint.h>

namespace cluster::init {

// Why a start failed decides the exit code that people know from their shells.
constexpr int kExitCannotStart = 128;
constexpr int kExitNotExecutable = 126;
constexpr int kExitNotFound = 127;

struct ChildReport {
  int32_t error;       // errno, 0 when `operation` says it all
  int32_t exit_code;   // one of the above
  char operation[96];  // "mount proc on"
  char object[256];    // "/proc"
};

// Sends the report (with errno when `error` is) and ends the process.
[[noreturn]] void Fail(int channel, const char* operation, const char* object, int error,
                       int exit_code = kExitCannotStart);

}  // namespace cluster::init
