#include "node/eviction/memory_alarm.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

// Microseconds stalled in a window; a window of whole two seconds needs no privilege. With the NUL
// that the kernel expects.
constexpr char kTrigger[] = "some 300000 2000000";

}  // namespace

absl::StatusOr<std::unique_ptr<MemoryAlarm>> MemoryAlarm::Set(std::function<void()> ring) {
  ASSIGN_OR_RETURN(UniqueFd trigger,
                   OpenAt(AT_FDCWD, "/proc/pressure/memory", O_RDWR | O_NONBLOCK));
  if (::write(trigger.get(), kTrigger, sizeof kTrigger) < 0) {
    return ErrnoStatus("set a trigger on", "/proc/pressure/memory");
  }
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return ErrnoStatus("eventfd");
  return std::unique_ptr<MemoryAlarm>(
      new MemoryAlarm(std::move(trigger), std::move(stop), std::move(ring)));
}

MemoryAlarm::MemoryAlarm(UniqueFd trigger, UniqueFd stop, std::function<void()> ring)
    : trigger_(std::move(trigger)), stop_(std::move(stop)), ring_(std::move(ring)) {
  thread_ = std::thread([this] { Wait(); });
}

MemoryAlarm::~MemoryAlarm() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void MemoryAlarm::Wait() {
  for (;;) {
    pollfd pollers[] = {{trigger_.get(), POLLPRI, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(pollers, 2, -1) < 0 && errno != EINTR) return;
    // POLLERR: the kernel took the trigger away.
    if (pollers[1].revents != 0 || (pollers[0].revents & POLLERR) != 0) return;
    if ((pollers[0].revents & POLLPRI) != 0) ring_();
  }
}

}  // namespace cluster::node
