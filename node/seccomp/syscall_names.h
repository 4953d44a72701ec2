// System call numbers by name and architecture.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "node/seccomp/profile.h"

namespace cluster::node {

struct SyscallNumber {
  bool known = false;              // the name is one, if not necessarily on this architecture
  std::optional<uint32_t> number;  // on this architecture
};

// Numbers of x32 have this bit set.
inline constexpr uint32_t kX32Bit = 0x40000000;

SyscallNumber FindSyscall(const std::string& name, FilterArch arch);

// AUDIT_ARCH_* of the architecture.
uint32_t AuditArch(FilterArch arch);

FilterArch NativeArch();
// As profiles name it in conditions: "amd64", "arm64".
const char* NativeArchName();

}  // namespace cluster::node
