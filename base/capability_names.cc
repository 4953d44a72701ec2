#include "base/capability_names.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cluster {
namespace {

// In the order of their numbers.
constexpr const char* kNames[] = {"CHOWN",
                                  "DAC_OVERRIDE",
                                  "DAC_READ_SEARCH",
                                  "FOWNER",
                                  "FSETID",
                                  "KILL",
                                  "SETGID",
                                  "SETUID",
                                  "SETPCAP",
                                  "LINUX_IMMUTABLE",
                                  "NET_BIND_SERVICE",
                                  "NET_BROADCAST",
                                  "NET_ADMIN",
                                  "NET_RAW",
                                  "IPC_LOCK",
                                  "IPC_OWNER",
                                  "SYS_MODULE",
                                  "SYS_RAWIO",
                                  "SYS_CHROOT",
                                  "SYS_PTRACE",
                                  "SYS_PACCT",
                                  "SYS_ADMIN",
                                  "SYS_BOOT",
                                  "SYS_NICE",
                                  "SYS_RESOURCE",
                                  "SYS_TIME",
                                  "SYS_TTY_CONFIG",
                                  "MKNOD",
                                  "LEASE",
                                  "AUDIT_WRITE",
                                  "AUDIT_CONTROL",
                                  "SETFCAP",
                                  "MAC_OVERRIDE",
                                  "MAC_ADMIN",
                                  "SYSLOG",
                                  "WAKE_ALARM",
                                  "BLOCK_SUSPEND",
                                  "AUDIT_READ",
                                  "PERFMON",
                                  "BPF",
                                  "CHECKPOINT_RESTORE"};
static_assert(sizeof kNames / sizeof kNames[0] == kCapabilityCount);

}  // namespace

std::optional<int> CapabilityByName(absl::string_view name) {
  if (absl::StartsWithIgnoreCase(name, "CAP_")) name.remove_prefix(4);
  for (int number = 0; number < kCapabilityCount; ++number) {
    if (absl::EqualsIgnoreCase(name, kNames[number])) return number;
  }
  return std::nullopt;
}

std::string CapabilityName(int number) {
  return number < 0 || number >= kCapabilityCount ? "" : absl::StrCat("CAP_", kNames[number]);
}

}  // namespace cluster
