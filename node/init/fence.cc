// A pod that exists once ends with its node's lease (law 8), even where no agent runs that would
// end it, or one that hangs. A lease that comes later is not the pod's any more: its name may have
// been given to another meanwhile. The agent keeps the lease in a file; see
// node/session/lease_file.h.
#include <errno.h>
#include <signal.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "node/init/pod.h"
#include "node/init/sys.h"

namespace cluster::init {
namespace {

// How soon it is looked again while the lease is over, or could not be read.
constexpr int64_t kAgain = 100'000'000;

struct Content {
  int64_t end_ns;
  int64_t complement;
};

int64_t BoottimeNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// 0 where there is none. Torn reads are as good as certain to be whole at the next try.
int64_t LeaseEnd(const Pod* pod) {
  for (int tries = 0; tries < 10; ++tries) {
    Content content{};
    if (pread(pod->lease, &content, sizeof content, 0) != sizeof content) return 0;
    if (content.complement == ~content.end_ns) return content.end_ns;
  }
  return 0;
}

void Arm(Pod* pod, int64_t at) {
  itimerspec timer{};
  timer.it_value.tv_sec = at / 1'000'000'000;
  timer.it_value.tv_nsec = at % 1'000'000'000;
  if (timerfd_settime(pod->fence, TFD_TIMER_ABSTIME, &timer, nullptr) != 0) {
    Die("set", "the lease's timer");
  }
}

void FenceDue(void* owner) {
  Pod* pod = static_cast<Pod*>(owner);
  uint64_t count = 0;
  (void)!read(pod->fence, &count, sizeof count);
  const int64_t end = LeaseEnd(pod);
  const int64_t now = BoottimeNanoseconds();
  if (now < end) {
    pod->leased = true;
    return Arm(pod, end);
  }
  pod->fenced |= pod->leased;
  for (Container* at = pod->containers; at != nullptr; at = at->next) {
    if (at->phase != Phase::kExited) PidfdSendSignal(at->pidfd, SIGKILL);
  }
  Arm(pod, now + kAgain);
}

}  // namespace

void SetUpFence(Pod* pod, int lease) {
  pod->lease = lease;
  pod->fence = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (pod->fence < 0) Die("make", "the lease's timer");
  pod->fence_watch = {FenceDue, pod};
  WatchFd(pod, pod->fence, &pod->fence_watch);
  FenceDue(pod);
}

bool LeaseIsOver(const Pod* pod) {
  return pod->fenced || (pod->lease >= 0 && LeaseEnd(pod) <= BoottimeNanoseconds());
}

}  // namespace cluster::init
