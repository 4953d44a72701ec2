// What memory.oom.group does on cgroup v2, for v1: an OOM kill inside of a container takes all of
// it. The kernel tells that memory has run out just before it chooses whom to kill (cgroup-v1/
// memory.rst, 10), and nobody of the kill itself; so the count is looked at for a while after that.
// A kill for a shortage of the whole machine is not told of at all.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "node/init/pod.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

// Who is to be killed may have to wait for a cpu first: ten looks in ten seconds.
constexpr uint32_t kFirstWait = 10;  // milliseconds, doubled each time
constexpr uint32_t kLastWait = 5120;

void Look(Container* container) {
  if (container->phase != Phase::kRunning) return;
  if (SawOomKill(container->oom_file)) {
    PidfdSendSignal(container->pidfd, SIGKILL);
    return EndOomWatch(container);
  }
  if (container->oom_wait > kLastWait) return;
  itimerspec timer{};
  timer.it_value.tv_sec = container->oom_wait / 1000;
  timer.it_value.tv_nsec = container->oom_wait % 1000 * 1000000L;
  timerfd_settime(container->oom_timer, 0, &timer, nullptr);
  container->oom_wait *= 2;
}

void MemoryRanOut(void* owner) {
  Container* container = static_cast<Container*>(owner);
  eventfd_t count = 0;
  eventfd_read(container->oom_event, &count);
  container->oom_wait = kFirstWait;
  Look(container);
}

void LookAgain(void* owner) {
  Container* container = static_cast<Container*>(owner);
  uint64_t count = 0;
  (void)!read(container->oom_timer, &count, sizeof count);
  Look(container);
}

// cgroup.event_control beside the file that the agent sent along.
int OpenEventControl(int oom_file) {
  TextBuffer<64> link;
  link.Add("self/fd/").AddNumber(oom_file);
  char path[PATH_MAX];
  const ssize_t size = readlinkat(pod_state.host_proc, link.c_str(), path, sizeof path - 1);
  if (size <= 0) return -1;
  path[size] = 0;
  char* name = strrchr(path, '/');
  if (name == nullptr) return -1;
  *name = 0;
  const int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return -1;
  const int control = openat(directory, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
  const int error = errno;
  close(directory);
  errno = error;
  return control;
}

bool Register(const Container& container) {
  const int control = OpenEventControl(container.oom_file);
  if (control < 0) return false;
  TextBuffer<32> line;
  line.AddNumber(container.oom_event).Add(" ").AddNumber(container.oom_file);
  const bool written = write(control, line.c_str(), line.size()) > 0;
  const int error = errno;
  close(control);
  errno = error;
  return written;
}

}  // namespace

void WatchOom(Container* container) {
  if ((container->launch.flags & kOomKillsAll) == 0 || container->oom_file < 0) return;
  container->oom_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  container->oom_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (container->oom_event < 0 || container->oom_timer < 0 || !Register(*container)) {
    Complain("watch the memory of", container->name, errno);
    return EndOomWatch(container);
  }
  container->oom_watches[0] = {MemoryRanOut, container};
  container->oom_watches[1] = {LookAgain, container};
  WatchFd(&pod_state, container->oom_event, &container->oom_watches[0]);
  WatchFd(&pod_state, container->oom_timer, &container->oom_watches[1]);
  // It may have happened before this.
  container->oom_wait = kFirstWait;
  Look(container);
}

void EndOomWatch(Container* container) {
  CloseFd(&container->oom_event);
  CloseFd(&container->oom_timer);
}

}  // namespace cluster::init
