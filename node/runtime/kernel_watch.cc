// The hint thread of KernelRuntime: whatever it sees only makes somebody look again.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/status.h"
#include "node/runtime/kernel_runtime.h"

namespace cluster::node {

KernelRuntime::~KernelRuntime() {
  network_strand_.Stop();
  sweeper_.Stop();
  spare_strand_.Stop();
  DropSpares();
  if (!watcher_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  watcher_.join();
}

void KernelRuntime::SetListener(std::function<void(const std::string& pod_uid)> listener) {
  MutexLock lock(&mutex_);
  listener_ = std::move(listener);
}

void KernelRuntime::Watch(int fd, const std::string& uid, UniqueFd owned, bool is_process) {
  MutexLock lock(&mutex_);
  watched_[fd] = {uid, std::move(owned), is_process};
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    LOG_WARN("pod {}: cannot watch it: {}", uid, std::string(ErrnoName(errno)));
  }
}

void KernelRuntime::WatchInits() {
  for (;;) {
    epoll_event event{};
    const int count = epoll_wait(epoll_.get(), &event, 1, -1);
    if (count < 0 && errno != EINTR) return;
    if (count != 1) continue;
    if (event.data.fd == stop_.get()) return;
    HandleEvent(event.data.fd);
  }
}

void KernelRuntime::HandleEvent(int fd) {
  std::string uid;
  UniqueFd ended;
  std::function<void(const std::string&)> listener;
  {
    MutexLock lock(&mutex_);
    const auto found = watched_.find(fd);
    if (found == watched_.end()) return;
    uid = found->second.uid;
    listener = listener_;
    bool over = found->second.is_process;
    if (over) {
      // Our child without a SIGCHLD: reaped here or never.
      waitid(P_PIDFD, static_cast<id_t>(fd), nullptr, WEXITED | WNOHANG | __WALL);
    } else {
      char message[64];
      const ssize_t got = recv(fd, message, sizeof message, MSG_DONTWAIT | MSG_TRUNC);
      over = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    }
    if (over) {
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
      ended = std::move(found->second.fd);
      watched_.erase(found);
    }
  }
  if (listener) listener(uid);
}

}  // namespace cluster::node
