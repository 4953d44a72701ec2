#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/status.h"
#include "node/oci/commands/command.h"
#include "node/oci/stats.h"

namespace cluster::oci {
namespace {

constexpr Flag kEventsFlags[] = {
    {"stats", 0, Flag::kSwitch, nullptr, "print the statistics once"},
    {"interval", 0, Flag::kValue, "DURATION", "between statistics; default: 5s"}};

absl::Status PrintEvent(const std::string& id, const char* type, const std::string& data) {
  const std::string quoted = nlohmann::json(id).dump();
  return Print(absl::StrCat("{\"type\":\"", type, "\",\"id\":", quoted,
                            data.empty() ? "" : ",\"data\":", data, "}\n"));
}

// Kills for memory: v2 says so by POLLPRI on memory.events, v1 through an eventfd.
// cgroup-v1/memory.rst, "OOM Control".
class OomWatch {
 public:
  absl::Status Open(const Group& group) {
    const int memory = group.DirectoryOf("memory", &v2_);
    if (memory < 0) return absl::OkStatus();
    if (v2_) {
      ASSIGN_OR_RETURN(fd_, OpenAt(memory, "memory.events", O_RDONLY));
      seen_ = Count();
      return absl::OkStatus();
    }
    fd_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd_) return ErrnoStatus("eventfd");
    ASSIGN_OR_RETURN(control_, OpenAt(memory, "memory.oom_control", O_RDONLY));
    return WriteControlAt(memory, "cgroup.event_control",
                          absl::StrCat(fd_.get(), " ", control_.get()));
  }

  pollfd poll() const { return {fd_.get(), static_cast<short>(v2_ ? POLLPRI : POLLIN), 0}; }

  bool Killed() {
    if (!fd_) return false;
    if (v2_) {
      const uint64_t before = seen_;
      seen_ = Count();
      return seen_ > before;
    }
    uint64_t count = 0;
    return ::read(fd_.get(), &count, sizeof count) == sizeof count;
  }

 private:
  // Through the descriptor that is polled: reading is what rearms it.
  uint64_t Count() const {
    char text[512];
    const ssize_t got = ::pread(fd_.get(), text, sizeof text, 0);
    if (got <= 0) return seen_;
    return StatField(absl::string_view(text, static_cast<size_t>(got)), "oom_kill");
  }

  bool v2_ = false;
  UniqueFd fd_;
  UniqueFd control_;
  uint64_t seen_ = 0;
};

// Until the container ends.
absl::Status Follow(const Container& container, absl::Duration interval) {
  const std::string& id = container.state().id;
  OomWatch oom;
  RETURN_IF_ERROR(oom.Open(container.group()));
  absl::Time next = absl::Now() + interval;
  for (;;) {
    pollfd watched[2] = {{container.process(), POLLIN, 0}, oom.poll()};
    const absl::Duration left = std::max(next - absl::Now(), absl::ZeroDuration());
    if (::poll(watched, 2, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) < 0 &&
        errno != EINTR) {
      return ErrnoStatus("poll");
    }
    if (oom.Killed() && (watched[0].revents & POLLIN) == 0) {
      RETURN_IF_ERROR(PrintEvent(id, "oom", ""));
    }
    if ((watched[0].revents & POLLIN) != 0) return absl::OkStatus();
    if (absl::Now() < next) continue;
    next += interval;
    const auto stats = ReadStats(container.group());
    if (absl::IsNotFound(stats.status())) return absl::OkStatus();
    RETURN_IF_ERROR(stats.status());
    RETURN_IF_ERROR(PrintEvent(id, "stats", *stats));
  }
}

absl::StatusOr<int> RunEvents(const Call& call) {
  absl::Duration interval;
  const std::string text = call.arguments.Text("interval", "5s");
  if (!absl::ParseDuration(text, &interval) || interval <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("--interval '", text, "': must be like 5s"));
  }
  ASSIGN_OR_RETURN(const Container container, OpenContainer(call, Container::Locking::kNone));
  if (container.status() == Status::kStopped) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container.state().id, " is stopped"));
  }
  if (!call.arguments.Has("stats")) {
    RETURN_IF_ERROR(Follow(container, interval));
    return 0;
  }
  ASSIGN_OR_RETURN(const std::string stats, ReadStats(container.group()));
  RETURN_IF_ERROR(PrintEvent(container.state().id, "stats", stats));
  return 0;
}

}  // namespace

const Command kEventsCommand = {"events",
                                "ID",
                                1,
                                1,
                                "print statistics and kills for memory until the container ends",
                                kEventsFlags,
                                false,
                                false,
                                RunEvents};

}  // namespace cluster::oci
