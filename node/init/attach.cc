// Those who watch a container and type into it. Its output goes to its log and to each of them. One
// who has no room holds the stream, and with it whoever writes into it, until he reads on; after
// kPatience he is cut off, as a container does not stand still for a forgotten terminal.
//
// A container whose stdin is for the first who comes (kStdinOnce) is made to be attached to: the
// newest kEarlyBytes of what it wrote before that are kept for him. Everybody else sees the line
// that has begun, which is most likely a prompt, and what comes after it.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "node/init/pod.h"
#include "node/init/sys.h"
#include "node/init/text.h"

namespace cluster::init {
namespace {

constexpr size_t kEarlyBytes = 64 * 1024;
constexpr size_t kMaxPending = 4 << 20;  // a container's last words, in pipes as large as can be
constexpr int64_t kPatience = 10'000'000'000;

int64_t MonotonicNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

bool IsTerminal(const Container& container) { return (container.launch.flags & kTerminal) != 0; }

void CloseOutlet(Outlet* outlet) {
  CloseFd(&outlet->fd);
  free(outlet->pending);
  outlet->pending = nullptr;
  outlet->pending_size = 0;
}

// Streams that nobody holds any more are read again.
void LetStreamsGo(Container* container) {
  for (int i = 0; i < 2; ++i) {
    if (!container->stream_held[i] || container->streams[i].fd < 0) continue;
    container->stream_held[i] = false;
    if (!HoldStream(container, i)) {
      WatchFd(&pod_state, container->streams[i].fd, &container->stream_watches[i]);
    }
  }
}

}  // namespace

void FreeEarly(Container* container) {
  for (int i = 0; i < 2; ++i) {
    free(container->early[i]);
    container->early[i] = nullptr;
    container->early_used[i] = 0;
  }
}

namespace {

// The container no longer reads: what comes is for nobody.
void CloseInput(Container* container) {
  CloseFd(&container->input);
  container->input_watched = false;
  for (Attachment* at = container->attachments; at != nullptr; at = at->next) {
    at->waiting_size = 0;
    CloseFd(&at->input);
  }
}

void InputEnded(Attachment* attachment) {
  CloseFd(&attachment->input);
  Container* container = attachment->container;
  if ((container->launch.flags & kStdinOnce) != 0 && !IsTerminal(*container)) {
    CloseInput(container);
  }
}

void Remove(Attachment* gone) {
  if (gone->input >= 0) InputEnded(gone);
  Container* container = gone->container;
  for (Attachment** at = &container->attachments; *at != nullptr; at = &(*at)->next) {
    if (*at != gone) continue;
    *at = gone->next;
    break;
  }
  for (Outlet& outlet : gone->outlets) CloseOutlet(&outlet);
  free(gone);
  LetStreamsGo(container);
}

// After the last byte of its output.
void TellOfTheEnd(Attachment* attachment) {
  if (!attachment->ended) return;
  for (const Outlet& outlet : attachment->outlets) {
    if (outlet.pending_size != 0) return;
  }
  const Container& container = *attachment->container;
  ReplyExecEnded(attachment->owner, container.exit_code, container.signal);
  Remove(attachment);
}

void ArmPatience(int64_t nanoseconds) {
  itimerspec timer{};
  timer.it_value.tv_sec = nanoseconds / 1'000'000'000;
  timer.it_value.tv_nsec = nanoseconds % 1'000'000'000;
  timerfd_settime(pod_state.patience, 0, &timer, nullptr);
}

// The first one found that holds a stream for too long; null when there is none. `next` becomes the
// time until somebody may.
Attachment* FindSlow(int64_t now, int64_t* next) {
  *next = 0;
  for (Container* container = pod_state.containers; container != nullptr;
       container = container->next) {
    for (Attachment* at = container->attachments; at != nullptr; at = at->next) {
      for (const Outlet& outlet : at->outlets) {
        if (outlet.pending_size == 0) continue;
        const int64_t left = outlet.stuck_since + kPatience - now;
        if (left <= 0) return at;
        if (*next == 0 || left < *next) *next = left;
      }
    }
  }
  return nullptr;
}

void PatienceEnds(void*) {
  uint64_t count = 0;
  (void)!read(pod_state.patience, &count, sizeof count);
  const int64_t now = MonotonicNanoseconds();
  int64_t next = 0;
  while (Attachment* slow = FindSlow(now, &next)) {
    ReplyRefused(slow->owner, ETIMEDOUT, "attach: the output was not read for 10 s");
    Remove(slow);
  }
  if (next > 0) ArmPatience(next);
}

void StartPatience(Pod* pod) {
  if (pod->patience < 0) {
    pod->patience = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (pod->patience < 0) return Complain("make", "a timer", errno);
    pod->patience_watch = {PatienceEnds, nullptr};
    WatchFd(pod, pod->patience, &pod->patience_watch);
  }
  itimerspec running{};
  timerfd_gettime(pod->patience, &running);
  if (running.it_value.tv_sec == 0 && running.it_value.tv_nsec == 0) ArmPatience(kPatience);
}

// What the pipe takes at once; the rest is kept.
void Give(Outlet* outlet, const char* data, size_t size) {
  if (outlet->fd < 0 || size == 0) return;
  if (outlet->pending_size == 0) {
    const ssize_t put = write(outlet->fd, data, size);
    if (put < 0 && errno != EAGAIN && errno != EINTR) return CloseOutlet(outlet);
    if (put > 0) {
      data += put;
      size -= static_cast<size_t>(put);
    }
    if (size == 0) return;
    outlet->stuck_since = MonotonicNanoseconds();
    StartPatience(&pod_state);
    WatchFd(&pod_state, outlet->fd, &outlet->watch, kWritable);
  }
  char* pending = outlet->pending_size + size > kMaxPending
                      ? nullptr
                      : static_cast<char*>(realloc(outlet->pending, outlet->pending_size + size));
  if (pending == nullptr) return CloseOutlet(outlet);
  memcpy(pending + outlet->pending_size, data, size);
  outlet->pending = pending;
  outlet->pending_size += size;
}

void OutletReady(void* owner) {
  Outlet* outlet = static_cast<Outlet*>(owner);
  const ssize_t put = write(outlet->fd, outlet->pending, outlet->pending_size);
  if (put < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (put < 0) {
    CloseOutlet(outlet);
  } else {
    outlet->pending_size -= static_cast<size_t>(put);
    memmove(outlet->pending, outlet->pending + put, outlet->pending_size);
    outlet->stuck_since = MonotonicNanoseconds();
  }
  if (outlet->pending_size != 0) return;
  if (outlet->fd >= 0) UnwatchFd(outlet->fd);
  free(outlet->pending);
  outlet->pending = nullptr;
  LetStreamsGo(outlet->attachment->container);
  TellOfTheEnd(outlet->attachment);
}

void KeepEarly(Container* container, int index, const char* data, size_t size) {
  char** early = &container->early[index];
  size_t* used = &container->early_used[index];
  if (*early == nullptr) *early = static_cast<char*>(malloc(kEarlyBytes));
  if (*early == nullptr) return;
  const size_t over = *used + size > kEarlyBytes ? *used + size - kEarlyBytes : 0;
  memmove(*early, *early + over, *used - over);
  *used -= over;
  memcpy(*early + *used, data, size);
  *used += size;
}

bool Tap(void* owner, const LogStream* stream, const char* data, size_t size) {
  Container* container = static_cast<Container*>(owner);
  const int index = stream == &container->streams[0] ? 0 : 1;
  if ((container->launch.flags & kStdinOnce) != 0 && !container->first_came)
    KeepEarly(container, index, data, size);
  for (Attachment* at = container->attachments; at != nullptr; at = at->next) {
    Give(&at->outlets[index], data, size);
  }
  return !HoldStream(container, index);
}

// True once nothing waits any more.
bool PassInputOn(Attachment* attachment) {
  Container* container = attachment->container;
  while (attachment->waiting_size > 0) {
    const ssize_t put = write(container->input, attachment->waiting, attachment->waiting_size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) return false;
    if (put < 0) {
      CloseInput(container);
      return false;
    }
    attachment->waiting_size -= static_cast<size_t>(put);
    memmove(attachment->waiting, attachment->waiting + put, attachment->waiting_size);
  }
  return true;
}

// The container reads on.
void ContainerTakesInput(void* owner) {
  Container* container = static_cast<Container*>(owner);
  for (Attachment* at = container->attachments; at != nullptr; at = at->next) {
    if (at->waiting_size == 0) continue;
    if (!PassInputOn(at)) return;
    WatchFd(&pod_state, at->input, &at->input_watch);
  }
  UnwatchFd(container->input);
  container->input_watched = false;
}

void InputReady(void* owner) {
  Attachment* attachment = static_cast<Attachment*>(owner);
  Container* container = attachment->container;
  const ssize_t got = read(attachment->input, attachment->waiting, sizeof attachment->waiting);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return InputEnded(attachment);
  attachment->waiting_size = static_cast<size_t>(got);
  // What is typed after the window has its new size meets a terminal that has it.
  if (IsTerminal(*container)) HearResizes(attachment->owner);
  if (PassInputOn(attachment) || container->input < 0) return;
  UnwatchFd(attachment->input);
  if (container->input_watched) return;
  container->input_watched = true;
  container->input_watch = {ContainerTakesInput, container};
  WatchFd(&pod_state, container->input, &container->input_watch, kWritable);
}

// What he is shown of the time before him.
void ShowTheBeginning(Attachment* attachment) {
  Container* container = attachment->container;
  for (int i = 0; i < 2; ++i) {
    if (container->early[i] != nullptr) {
      Give(&attachment->outlets[i], container->early[i], container->early_used[i]);
    } else {
      Give(&attachment->outlets[i], container->streams[i].buffer, container->streams[i].used);
    }
    HoldStream(container, i);
  }
  container->first_came = true;
  FreeEarly(container);
}

Attachment* FindAttachment(Pod* pod, const Connection* owner) {
  for (Container* container = pod->containers; container != nullptr; container = container->next) {
    for (Attachment* at = container->attachments; at != nullptr; at = at->next) {
      if (at->owner == owner) return at;
    }
  }
  return nullptr;
}

const char* WhyNot(const Container* container, bool stdin) {
  if (container == nullptr) return "attach: no running container";
  if (stdin && (container->launch.flags & kKeepStdin) == 0) {
    return "attach: the container has no stdin (stdin: true in its manifest):";
  }
  if (stdin && container->input < 0) return "attach: its stdin was closed:";
  return nullptr;
}

}  // namespace

void TapStreams(Container* container) {
  for (LogStream& stream : container->streams) {
    stream.tap = Tap;
    stream.tap_owner = container;
  }
}

bool HoldStream(Container* container, int index) {
  for (const Attachment* at = container->attachments; at != nullptr; at = at->next) {
    if (at->outlets[index].pending_size == 0) continue;
    if (!container->stream_held[index] && container->streams[index].fd >= 0) {
      UnwatchFd(container->streams[index].fd);
    }
    container->stream_held[index] = true;
    return true;
  }
  return false;
}

void StartAttach(Pod* pod, Connection* from, WireReader* request, int* fds, size_t fd_count) {
  const char* name = request->String();
  const int32_t attempt = request->I32();
  const bool stdin = (request->U32() & kAttachStdin) != 0;
  const size_t first = stdin ? 1 : 0;
  Container* container = FindContainer(pod, name, attempt);
  if (container != nullptr && container->phase != Phase::kRunning) container = nullptr;
  if (!request->ok() || fd_count != first + 2) {
    return ReplyRefused(from, EINVAL, "attach: malformed request");
  }
  if (const char* why = WhyNot(container, stdin)) {
    return ReplyRefused(from, container == nullptr ? ESRCH : 0, why, name);
  }
  Attachment* attachment = static_cast<Attachment*>(malloc(sizeof(Attachment)));
  if (attachment == nullptr) return ReplyRefused(from, ENOMEM, "attach: out of memory");
  *attachment = Attachment();
  attachment->container = container;
  attachment->owner = from;
  for (size_t i = 0; i < fd_count; ++i) fcntl(fds[i], F_SETFL, O_NONBLOCK);
  for (size_t i = 0; i < (IsTerminal(*container) ? 1u : 2u); ++i) {
    Outlet* outlet = &attachment->outlets[i];
    outlet->fd = fds[first + i];
    outlet->attachment = attachment;
    outlet->watch = {OutletReady, outlet};
    fds[first + i] = -1;
  }
  attachment->next = container->attachments;
  container->attachments = attachment;
  if (stdin) {
    attachment->input = fds[0];
    fds[0] = -1;
    attachment->input_watch = {InputReady, attachment};
    WatchFd(pod, attachment->input, &attachment->input_watch);
  }
  ReplyAttached(from);
  ShowTheBeginning(attachment);
}

void ResizeTerminal(Pod* pod, Connection* from, WireReader* request) {
  winsize size{};
  size.ws_row = static_cast<uint16_t>(request->U32());
  size.ws_col = static_cast<uint16_t>(request->U32());
  const Attachment* attachment = FindAttachment(pod, from);
  if (!request->ok() || attachment == nullptr || !IsTerminal(*attachment->container)) return;
  // Fails only for a container that has just ended.
  ioctl(attachment->container->streams[0].fd, TIOCSWINSZ, &size);
}

void EndAttachments(Container* container) {
  for (Attachment* at = container->attachments; at != nullptr;) {
    Attachment* next = at->next;
    CloseFd(&at->input);
    at->waiting_size = 0;
    at->ended = true;
    TellOfTheEnd(at);
    at = next;
  }
}

void DropAttachments(Container* container) {
  while (container->attachments != nullptr) {
    ReplyRefused(container->attachments->owner, ESRCH, "attach: the container is gone");
    Remove(container->attachments);
  }
}

void Detach(Pod* pod, Connection* owner) {
  Attachment* attachment = FindAttachment(pod, owner);
  if (attachment != nullptr) Remove(attachment);
}

}  // namespace cluster::init
