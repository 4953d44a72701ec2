#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "node/init/pod.h"
#include "node/init/text.h"

namespace cluster::init {

static_assert(kReadable == EPOLLIN && kWritable == EPOLLOUT);

void WatchFd(Pod* pod, int fd, Watch* watch, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watch;
  if (epoll_ctl(pod->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
    Complain("watch", "a descriptor", errno);
}

void UnwatchFd(int fd) { epoll_ctl(pod_state.epoll, EPOLL_CTL_DEL, fd, nullptr); }

// Taken out by hand: a child that has not exec'd yet still holds a copy, and the kernel forgets a
// descriptor only with its last copy.
void CloseFd(int* fd) {
  if (*fd < 0) return;
  UnwatchFd(*fd);
  close(*fd);
  *fd = -1;
}

// One event at a time, so that a handler may free whatever another event would have pointed to.
void RunLoop(Pod* pod) {
  for (;;) {
    epoll_event event{};
    const int count = epoll_wait(pod->epoll, &event, 1, -1);
    if (count < 0 && errno != EINTR) {
      Complain("wait for", "events", errno);
      abort();
    }
    if (count != 1) continue;
    const Watch* watch = static_cast<const Watch*>(event.data.ptr);
    watch->ready(watch->owner);
  }
}

void Complain(const char* what, const char* object, int error) {
  char time[kTimestampSize + 1];
  FormatTimestamp(RealtimeNanoseconds(), time);
  TextBuffer<kMaxText> line;
  line.Add(time).Add(" cluster-init: ").Add(what).Add(" ").Add(object);
  const char* name = strerrorname_np(error);
  line.Add(": ").Add(name == nullptr ? "E?" : name).Add("\n");
  (void)!write(2, line.c_str(), line.size());
}

}  // namespace cluster::init
