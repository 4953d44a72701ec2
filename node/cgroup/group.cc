#include "node/cgroup/group.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

// Milliseconds after which a notice of the kernel's has come for sure.
constexpr int kNoticeDelay = 16;

// Rounds of "list, kill each" before we say that a group does not become empty: a fork bomb that
// outruns this many needs the freezer or cgroup.kill.
constexpr int kKillRounds = 64;

constexpr absl::string_view kMemoryLimit = "memory.limit_in_bytes";
constexpr absl::string_view kV1Quota = "cpu.cfs_quota_us";
constexpr absl::string_view kV2Quota = "cpu.max";

// The limit never exceeds that of memory and swap together: to raise both, the latter goes first.
absl::Status RaiseMemoryLimit(int directory, absl::string_view value) {
  RETURN_IF_ERROR(WriteControlAt(directory, "memory.memsw.limit_in_bytes", value));
  return WriteControlAt(directory, std::string(kMemoryLimit), value);
}

// A burst is never above the quota: to lower both, the burst makes way first.
absl::Status LowerQuota(int directory, const ControlWrite& quota) {
  RETURN_IF_ERROR(WriteControlAt(directory, quota.v2 ? "cpu.max.burst" : "cpu.cfs_burst_us", "0"));
  return WriteControlAt(directory, quota.file, quota.value);
}

absl::Status Write(int directory, const ControlWrite& write) {
  const absl::Status set = WriteControlAt(directory, write.file, write.value);
  if (set.ok() || absl::IsNotFound(set)) return set;
  absl::Status again = set;
  if (write.file == kMemoryLimit) again = RaiseMemoryLimit(directory, write.value);
  if (write.file == kV1Quota || write.file == kV2Quota) again = LowerQuota(directory, write);
  return again.ok() ? again : set;
}

UniqueFd OpenPidfd(int pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// The number behind `key` in lines of "key number"; 0 when absent.
int64_t FieldOf(absl::string_view text, absl::string_view key) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    int64_t value = 0;
    if (pair.first == key && absl::SimpleAtoi(pair.second, &value)) return value;
  }
  return 0;
}

absl::StatusOr<int64_t> NumberIn(int directory, const std::string& file) {
  ASSIGN_OR_RETURN(const std::string text, ReadFileAt(directory, file));
  int64_t value = 0;
  if (absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &value)) return value;
  return absl::InternalError(absl::StrCat("read ", file, ": '", text, "' is not a number"));
}

absl::Status ThawTree(int group) {
  const auto state = ReadFileAt(group, "freezer.state");
  if (absl::IsNotFound(state.status())) return absl::OkStatus();  // it was removed
  RETURN_IF_ERROR(state.status());
  if (!absl::StartsWith(*state, "THAWED")) {
    RETURN_IF_ERROR(WriteControlAt(group, "freezer.state", "THAWED"));
  }
  ASSIGN_OR_RETURN(UniqueFd listing, OpenAt(group, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(listing.get()), ::closedir);
  if (stream == nullptr) return ErrnoStatus("fdopendir", "freezer group");
  listing.release();
  while (const dirent* entry = ::readdir(stream.get())) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    const auto below = OpenAt(group, entry->d_name, O_PATH | O_DIRECTORY);
    if (absl::IsNotFound(below.status())) continue;
    RETURN_IF_ERROR(below.status());
    RETURN_IF_ERROR(ThawTree(below->get()));
  }
  return absl::OkStatus();
}

int MillisecondsUntil(absl::Time deadline) {
  const absl::Duration left = deadline - absl::Now();
  if (left <= absl::ZeroDuration()) return 0;
  return static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 1 << 30));
}

}  // namespace

const CgroupGroup::Member* CgroupGroup::MemberOf(absl::string_view controller, bool v2) const {
  for (const Member& member : members_) {
    if (member.v2 == v2 && std::find(member.controllers.begin(), member.controllers.end(),
                                     controller) != member.controllers.end()) {
      return &member;
    }
  }
  return nullptr;
}

const CgroupGroup::Member* CgroupGroup::MemberOf(absl::string_view controller) const {
  const Member* v1 = MemberOf(controller, false);
  return v1 != nullptr ? v1 : MemberOf(controller, true);
}

const CgroupGroup::Member* CgroupGroup::Unified() const {
  for (const Member& member : members_) {
    if (member.v2) return &member;
  }
  return nullptr;
}

const CgroupGroup::Member& CgroupGroup::LifeCycle() const {
  const Member* unified = Unified();
  return unified != nullptr ? *unified : members_.front();
}

int CgroupGroup::unified_fd() const {
  const Member* unified = Unified();
  return unified == nullptr ? -1 : unified->directory.get();
}

absl::StatusOr<std::vector<UniqueFd>> CgroupGroup::OpenTasks() const {
  std::vector<UniqueFd> tasks;
  for (const Member& member : members_) {
    if (member.v2) continue;
    ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(member.directory.get(), "tasks", O_WRONLY));
    tasks.push_back(std::move(fd));
  }
  return tasks;
}

absl::Status CgroupGroup::Enter(int pid) const {
  for (const Member& member : members_) {
    const absl::Status entered =
        WriteControlAt(member.directory.get(), "cgroup.procs", absl::StrCat(pid));
    RETURN_IF_ERROR(Annotate(entered, absl::StrCat("cgroup ", path_)));
  }
  return absl::OkStatus();
}

absl::Status CgroupGroup::Apply(const std::vector<ControlWrite>& writes) const {
  for (const ControlWrite& write : writes) {
    const Member* member = MemberOf(write.controller, write.v2);
    if (member == nullptr) {
      return absl::NotFoundError(absl::StrCat("cgroup ", path_, ": no directory of the ",
                                              write.controller, " controller to set ", write.file));
    }
    const absl::Status set = Write(member->directory.get(), write);
    if (write.optional && absl::IsNotFound(set)) continue;
    RETURN_IF_ERROR(Annotate(set, absl::StrCat("cgroup ", path_)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int>> CgroupGroup::Processes() const {
  std::vector<int> pids;
  const auto text = ReadFileAt(LifeCycle().directory.get(), "cgroup.procs");
  // A removed group answers ENODEV or ENOENT, and has none.
  if (absl::IsNotFound(text.status())) return pids;
  RETURN_IF_ERROR(text.status());
  for (const absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    int pid = 0;
    if (absl::SimpleAtoi(line, &pid) && pid > 0) pids.push_back(pid);
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

absl::Status CgroupGroup::Kill() const {
  const Member* unified = Unified();
  if (unified != nullptr) {
    const absl::Status killed = WriteControlAt(unified->directory.get(), "cgroup.kill", "1");
    // Before Linux 5.14 there is no such file; a removed group has none either.
    if (!absl::IsNotFound(killed)) {
      RETURN_IF_ERROR(Annotate(killed, absl::StrCat("cgroup ", path_)));
      // What a v1 freezer holds dies only once it is thawed.
      const Member* freezer = MemberOf("freezer", false);
      return freezer == nullptr ? absl::OkStatus() : ThawTree(freezer->directory.get());
    }
  }
  return KillOneByOne();
}

absl::Status CgroupGroup::KillOneByOne() const {
  for (int round = 0; round < kKillRounds; ++round) {
    ASSIGN_OR_RETURN(const std::vector<int> listed, Processes());
    if (listed.empty()) return absl::OkStatus();
    std::vector<std::pair<int, UniqueFd>> opened;
    for (const int pid : listed) opened.emplace_back(pid, OpenPidfd(pid));
    // Whoever is listed again is surely whom the descriptor means: a recycled pid of a stranger is
    // not.
    ASSIGN_OR_RETURN(const std::vector<int> still, Processes());
    for (const auto& [pid, pidfd] : opened) {
      if (!pidfd || !std::binary_search(still.begin(), still.end(), pid)) continue;
      if (::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) != 0 &&
          errno != ESRCH) {
        return ErrnoStatus("kill process of cgroup", path_);
      }
    }
    // A frozen process of a v1 hierarchy dies only once it is thawed.
    if (const Member* freezer = MemberOf("freezer", false); freezer != nullptr) {
      RETURN_IF_ERROR(WriteControlAt(freezer->directory.get(), "freezer.state", "THAWED"));
    }
    for (const auto& [pid, pidfd] : opened) {
      pollfd poller{pidfd.get(), POLLIN, 0};
      ::poll(&poller, 1, 20);
    }
  }
  return absl::UnavailableError(absl::StrCat("cgroup ", path_, " still has processes after ",
                                             kKillRounds, " rounds of kill"));
}

absl::StatusOr<bool> CgroupGroup::Populated() const {
  const Member* unified = Unified();
  if (unified != nullptr) {
    ASSIGN_OR_RETURN(const std::string events,
                     ReadFileAt(unified->directory.get(), "cgroup.events"));
    return FieldOf(events, "populated") != 0;
  }
  ASSIGN_OR_RETURN(const std::vector<int> pids, Processes());
  return !pids.empty();
}

absl::Status CgroupGroup::AwaitEmpty(absl::Duration timeout) const {
  const absl::Time deadline = absl::Now() + timeout;
  const Member* unified = Unified();
  int look = 1;  // milliseconds
  UniqueFd events;
  if (unified != nullptr) {
    ASSIGN_OR_RETURN(events, OpenAt(unified->directory.get(), "cgroup.events", O_RDONLY));
  }
  for (;;) {
    pollfd poller{events.get(), POLLPRI, 0};
    UniqueFd process;
    if (events) {
      // Read through the descriptor that is polled: reading is what rearms it.
      char text[256];
      const ssize_t got = ::pread(events.get(), text, sizeof text, 0);
      if (got < 0 && errno == ENODEV) return absl::OkStatus();
      if (got < 0) return ErrnoStatus("read cgroup.events of", path_);
      if (FieldOf(absl::string_view(text, static_cast<size_t>(got)), "populated") == 0) {
        return absl::OkStatus();
      }
    } else {
      ASSIGN_OR_RETURN(const std::vector<int> pids, Processes());
      if (pids.empty()) return absl::OkStatus();
      process = OpenPidfd(pids.front());
      poller = pollfd{process.get(), POLLIN, 0};
    }
    int left = MillisecondsUntil(deadline);
    if (left == 0) {
      return absl::UnavailableError(absl::StrCat("cgroup ", path_, " still has processes after ",
                                                 absl::FormatDuration(timeout)));
    }
    // The kernel keeps two notices 10 ms apart (CGROUP_FILE_NOTIFY_MIN_INTV), so the end of what
    // began or ended a moment ago is told late: until then we look ourselves.
    if (events && look < kNoticeDelay) {
      left = std::min(left, look);
      look *= 2;
    }
    if (::poll(&poller, 1, left) < 0 && errno != EINTR) return ErrnoStatus("wait for", path_);
  }
}

absl::StatusOr<int64_t> CgroupGroup::OomKills() const {
  const Member* memory = MemberOf("memory");
  if (memory == nullptr) return 0;
  ASSIGN_OR_RETURN(
      const std::string text,
      ReadFileAt(memory->directory.get(), memory->v2 ? "memory.events" : "memory.oom_control"));
  return FieldOf(text, "oom_kill");
}

absl::StatusOr<CounterFile> CgroupGroup::OpenCounter(absl::string_view controller,
                                                     const std::string& v1_file,
                                                     const std::string& v2_file) const {
  const Member* member = MemberOf(controller);
  if (member == nullptr) return CounterFile();
  const std::string& file = member->v2 ? v2_file : v1_file;
  if (file.empty()) return CounterFile();
  return OpenFile(*member, file);
}

absl::StatusOr<CounterFile> CgroupGroup::OpenUnified(const std::string& file) const {
  const Member* unified = Unified();
  if (unified == nullptr) return CounterFile();
  return OpenFile(*unified, file);
}

absl::StatusOr<CounterFile> CgroupGroup::OpenFile(const Member& member, const std::string& file) {
  auto fd = OpenAt(member.directory.get(), file, O_RDONLY);
  // Kernels differ in what they count.
  if (absl::IsNotFound(fd.status())) return CounterFile();
  if (!fd.ok()) return fd.status();
  return CounterFile{*std::move(fd), member.v2};
}

absl::StatusOr<CgroupUsage> CgroupGroup::Usage() const {
  CgroupUsage usage;
  if (const Member* cpu = MemberOf("cpu"); cpu != nullptr) {
    ASSIGN_OR_RETURN(const std::string stat, ReadFileAt(cpu->directory.get(), "cpu.stat"));
    usage.throttled_periods = FieldOf(stat, "nr_throttled");
    usage.cpu_microseconds = FieldOf(stat, "usage_usec");
    usage.throttled_microseconds =
        cpu->v2 ? FieldOf(stat, "throttled_usec") : FieldOf(stat, "throttled_time") / 1000;
  }
  if (const Member* cpuacct = MemberOf("cpuacct", false); cpuacct != nullptr) {
    ASSIGN_OR_RETURN(const int64_t nanoseconds,
                     NumberIn(cpuacct->directory.get(), "cpuacct.usage"));
    usage.cpu_microseconds = nanoseconds / 1000;
  }
  if (const Member* memory = MemberOf("memory"); memory != nullptr) {
    const int directory = memory->directory.get();
    ASSIGN_OR_RETURN(usage.memory_bytes,
                     NumberIn(directory, memory->v2 ? "memory.current" : "memory.usage_in_bytes"));
    ASSIGN_OR_RETURN(const std::string stat, ReadFileAt(directory, "memory.stat"));
    const int64_t inactive = FieldOf(stat, memory->v2 ? "inactive_file" : "total_inactive_file");
    usage.memory_working_set_bytes = std::max<int64_t>(0, usage.memory_bytes - inactive);
  }
  if (const Member* pids = MemberOf("pids"); pids != nullptr) {
    ASSIGN_OR_RETURN(usage.processes, NumberIn(pids->directory.get(), "pids.current"));
  }
  return usage;
}

}  // namespace cluster::node
