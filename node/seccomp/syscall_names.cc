#include "node/seccomp/syscall_names.h"

#include <linux/audit.h>
#include <seccomp.h>

#include <map>

namespace cluster::node {
namespace {

uint32_t LibraryToken(FilterArch arch) {
  switch (arch) {
    case FilterArch::kX86_64:
      return SCMP_ARCH_X86_64;
    case FilterArch::kX86:
      return SCMP_ARCH_X86;
    case FilterArch::kX32:
      return SCMP_ARCH_X32;
    case FilterArch::kAarch64:
      return SCMP_ARCH_AARCH64;
    case FilterArch::kArm:
      return SCMP_ARCH_ARM;
  }
  return 0;
}

// Newer than the library. From 424 on a call has the same number everywhere.
const std::map<std::string, uint32_t>& NewSyscalls() {
  static const auto* const calls =
      new std::map<std::string, uint32_t>{{"set_mempolicy_home_node", 450},
                                          {"cachestat", 451},
                                          {"fchmodat2", 452},
                                          {"map_shadow_stack", 453},
                                          {"futex_wake", 454},
                                          {"futex_wait", 455},
                                          {"futex_requeue", 456},
                                          {"statmount", 457},
                                          {"listmount", 458},
                                          {"lsm_get_self_attr", 459},
                                          {"lsm_set_self_attr", 460},
                                          {"lsm_list_modules", 461},
                                          {"mseal", 462},
                                          {"setxattrat", 463},
                                          {"getxattrat", 464},
                                          {"listxattrat", 465},
                                          {"removexattrat", 466},
                                          {"open_tree_attr", 467},
                                          {"file_getattr", 468},
                                          {"file_setattr", 469}};
  return *calls;
}

// Since 4.3 and 5.1 these are calls of their own on x86, too; the library knows them only as parts
// of socketcall and ipc, whose arguments a filter cannot see.
const std::map<std::string, uint32_t>& DirectX86Calls() {
  static const auto* const calls = new std::map<std::string, uint32_t>{
      {"socket", 359},      {"socketpair", 360},  {"bind", 361},       {"connect", 362},
      {"listen", 363},      {"accept4", 364},     {"getsockopt", 365}, {"setsockopt", 366},
      {"getsockname", 367}, {"getpeername", 368}, {"sendto", 369},     {"sendmsg", 370},
      {"recvfrom", 371},    {"recvmsg", 372},     {"shutdown", 373},   {"semget", 393},
      {"semctl", 394},      {"shmget", 395},      {"shmctl", 396},     {"shmat", 397},
      {"shmdt", 398},       {"msgget", 399},      {"msgsnd", 400},     {"msgrcv", 401},
      {"msgctl", 402}};
  return *calls;
}

}  // namespace

SyscallNumber FindSyscall(const std::string& name, FilterArch arch) {
  if (arch == FilterArch::kX86) {
    const auto direct = DirectX86Calls().find(name);
    if (direct != DirectX86Calls().end()) return {true, direct->second};
  }
  const uint32_t x32 = arch == FilterArch::kX32 ? kX32Bit : 0;
  const int number = seccomp_syscall_resolve_name_arch(LibraryToken(arch), name.c_str());
  if (number >= 0) return {true, static_cast<uint32_t>(number) | x32};
  const auto found = NewSyscalls().find(name);
  if (found != NewSyscalls().end()) return {true, found->second | x32};
  // The one newer call that a single architecture has.
  if (name == "uretprobe") {
    return {true, arch == FilterArch::kX86_64 ? std::optional<uint32_t>(335) : std::nullopt};
  }
  // Below: a number for rules about calls that exist elsewhere.
  return {number != __NR_SCMP_ERROR, std::nullopt};
}

uint32_t AuditArch(FilterArch arch) {
  switch (arch) {
    case FilterArch::kX86_64:
    case FilterArch::kX32:
      return AUDIT_ARCH_X86_64;
    case FilterArch::kX86:
      return AUDIT_ARCH_I386;
    case FilterArch::kAarch64:
      return AUDIT_ARCH_AARCH64;
    case FilterArch::kArm:
      return AUDIT_ARCH_ARM;
  }
  return 0;
}

FilterArch NativeArch() {
#if defined(__x86_64__)
  return FilterArch::kX86_64;
#elif defined(__aarch64__)
  return FilterArch::kAarch64;
#else
#error "name this machine's architecture"
#endif
}

const char* NativeArchName() { return NativeArch() == FilterArch::kX86_64 ? "amd64" : "arm64"; }

}  // namespace cluster::node
