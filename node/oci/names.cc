#include "node/oci/names.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

#include "node/oci/config.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace cluster::oci {
namespace {

template <typename Number>
struct Named {
  const char* name;
  Number number;
};

template <typename Number, size_t kCount>
std::optional<Number> NumberOf(const Named<Number> (&table)[kCount], absl::string_view name) {
  for (const Named<Number>& entry : table) {
    if (name == entry.name) return entry.number;
  }
  return std::nullopt;
}

constexpr Named<int> kRlimits[] = {
    {"RLIMIT_AS", RLIMIT_AS},           {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},         {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},     {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK}, {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},       {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},     {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},   {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_STACK", RLIMIT_STACK},     {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING}};

struct NamespaceKind {
  const char* name;
  const char* file;
  int flag;
};
constexpr NamespaceKind kNamespaces[] = {
    {"cgroup", "cgroup", CLONE_NEWCGROUP}, {"ipc", "ipc", CLONE_NEWIPC},
    {"mount", "mnt", CLONE_NEWNS},         {"network", "net", CLONE_NEWNET},
    {"pid", "pid", CLONE_NEWPID},          {"time", "time", CLONE_NEWTIME},
    {"user", "user", CLONE_NEWUSER},       {"uts", "uts", CLONE_NEWUTS}};

constexpr Named<uint32_t> kPolicies[] = {
    {"SCHED_OTHER", SCHED_OTHER}, {"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR},
    {"SCHED_BATCH", SCHED_BATCH}, {"SCHED_ISO", 4},           {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_DEADLINE", 6}};

// sched(7), linux/sched.h.
constexpr Named<uint64_t> kSchedulerFlags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
    {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
    {"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}, {"SCHED_FLAG_KEEP_ALL", 0x18},
    {"SCHED_FLAG_UTIL_CLAMP", 0x60}};

constexpr Named<int> kIoClasses[] = {
    {"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}};

constexpr Named<uint64_t> kPropagations[] = {
    {"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
    {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
    {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
    {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC}};

}  // namespace

std::optional<int> RlimitNumber(absl::string_view name) { return NumberOf(kRlimits, name); }

std::optional<int> NamespaceFlag(absl::string_view name) {
  for (const NamespaceKind& kind : kNamespaces) {
    if (name == kind.name) return kind.flag;
  }
  return std::nullopt;
}

const char* NamespaceName(int flag) {
  for (const NamespaceKind& kind : kNamespaces) {
    if (flag == kind.flag) return kind.name;
  }
  return nullptr;
}

const char* NamespaceFile(int flag) {
  for (const NamespaceKind& kind : kNamespaces) {
    if (flag == kind.flag) return kind.file;
  }
  return nullptr;
}

std::optional<uint32_t> SchedulerPolicy(absl::string_view name) {
  return NumberOf(kPolicies, name);
}
std::optional<uint64_t> SchedulerFlag(absl::string_view name) {
  return NumberOf(kSchedulerFlags, name);
}
std::optional<int> IoPriorityClass(absl::string_view name) { return NumberOf(kIoClasses, name); }
std::optional<uint64_t> PropagationFlags(absl::string_view name) {
  return NumberOf(kPropagations, name);
}

std::optional<int> SignalNumber(absl::string_view name) {
  int number = 0;
  if (!name.empty() && absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) {
    if (!absl::SimpleAtoi(name, &number) || number < 0 || number > SIGRTMAX) return std::nullopt;
    return number;
  }
  std::string upper = absl::AsciiStrToUpper(name);
  if (absl::StartsWith(upper, "SIG")) upper.erase(0, 3);
  for (number = 1; number < 32; ++number) {
    const char* abbreviation = sigabbrev_np(number);
    if (abbreviation != nullptr && upper == abbreviation) return number;
  }
  if (upper == "RTMIN") return SIGRTMIN;
  if (upper == "RTMAX") return SIGRTMAX;
  const bool up = absl::StartsWith(upper, "RTMIN+");
  if ((!up && !absl::StartsWith(upper, "RTMAX-")) ||
      !absl::SimpleAtoi(absl::string_view(upper).substr(6), &number)) {
    return std::nullopt;
  }
  const int signal = up ? SIGRTMIN + number : SIGRTMAX - number;
  if (number < 0 || signal < SIGRTMIN || signal > SIGRTMAX) return std::nullopt;
  return signal;
}

int CapabilityCount() { return kCapabilityCount; }

int CapabilityNumber(absl::string_view name) { return CapabilityByName(name).value_or(-1); }

}  // namespace cluster::oci
