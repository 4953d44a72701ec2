#include "node/process/identity.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

// As in linux/pidfd.h of newer kernels than those whose headers we build with.
struct PidfdAnswer {
  uint64_t mask = 0;
  uint64_t cgroup = 0;
  uint32_t ids[11] = {};
  int32_t exit_code = 0;
};
static_assert(sizeof(PidfdAnswer) == 64);
constexpr uint64_t kInfoExit = 1 << 3;
constexpr unsigned long kGetInfo = _IOWR(0xff, 11, PidfdAnswer);

std::string HandleOf(int pidfd) {
  alignas(file_handle) unsigned char storage[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* handle = reinterpret_cast<file_handle*>(storage);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (::name_to_handle_at(pidfd, "", handle, &mount_id, AT_EMPTY_PATH) != 0) return "";
  const absl::string_view bytes(reinterpret_cast<const char*>(handle->f_handle),
                                handle->handle_bytes);
  return absl::StrCat(handle->handle_type, ":", absl::BytesToHexString(bytes));
}

std::string StartTimeOf(int pid) {
  const std::string stat = ReadFile(absl::StrCat("/proc/", pid, "/stat")).value_or("");
  // The command name in parentheses may hold anything, so count from its end.
  const size_t end = stat.rfind(')');
  if (end == std::string::npos) return "";
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(end + 2), ' ');
  return fields.size() > 19 ? fields[19] : "";
}

bool IsSame(int pidfd, const ProcessIdentity& identity) {
  if (!identity.handle.empty()) return HandleOf(pidfd) == identity.handle;
  return !identity.start_time.empty() && StartTimeOf(identity.pid) == identity.start_time;
}

}  // namespace

std::optional<ProcessIdentity> ParseIdentity(absl::string_view text) {
  ProcessIdentity identity;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    if (field.first == "pid" && !absl::SimpleAtoi(field.second, &identity.pid)) return std::nullopt;
    if (field.first == "boot") identity.boot_id = std::string(field.second);
    if (field.first == "starttime") identity.start_time = std::string(field.second);
    if (field.first == "pidfd") identity.handle = std::string(field.second);
  }
  if (identity.pid <= 0 || identity.boot_id.empty()) return std::nullopt;
  return identity;
}

absl::StatusOr<UniqueFd> OpenProcess(const ProcessIdentity& identity) {
  const auto gone = [&identity] {
    return absl::NotFoundError(absl::StrCat("process ", identity.pid, " is gone"));
  };
  ASSIGN_OR_RETURN(const std::string boot_id, ReadFile("/proc/sys/kernel/random/boot_id"));
  if (absl::StripAsciiWhitespace(boot_id) != identity.boot_id) return gone();
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, identity.pid, 0)));
  if (!pidfd && errno == ESRCH) return gone();
  if (!pidfd) return ErrnoStatus("pidfd_open", absl::StrCat(identity.pid));
  if (!IsSame(pidfd.get(), identity)) return gone();
  return pidfd;
}

std::optional<int> ReapedStatus(int pidfd, absl::Duration patience) {
  // Its end alone makes it readable; only when it was reaped it hangs up.
  pollfd reaped{pidfd, 0, 0};
  if (::poll(&reaped, 1, static_cast<int>(absl::ToInt64Milliseconds(patience))) != 1) {
    return std::nullopt;
  }
  PidfdAnswer info;
  info.mask = kInfoExit;
  if (::ioctl(pidfd, kGetInfo, &info) != 0 || (info.mask & kInfoExit) == 0) return std::nullopt;
  return info.exit_code;
}

}  // namespace cluster::node
