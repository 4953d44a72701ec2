#include "node/dns/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/status.h"

namespace cluster::node {

absl::StatusOr<std::unique_ptr<Reactor>> Reactor::Start(const Clock* clock) {
  std::unique_ptr<Reactor> reactor(new Reactor(clock));
  reactor->epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!reactor->epoll_) return ErrnoStatus("epoll_create1");
  reactor->knock_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!reactor->knock_) return ErrnoStatus("eventfd");
  Reactor* const raw = reactor.get();
  RETURN_IF_ERROR(raw->Watch(raw->knock_.get(), EPOLLIN, [raw](uint32_t) {
    uint64_t count = 0;
    (void)!::read(raw->knock_.get(), &count, sizeof count);
  }));
  raw->thread_ = std::thread([raw] { raw->Run(); });
  return reactor;
}

Reactor::~Reactor() { Stop(); }

absl::Status Reactor::Watch(int fd, uint32_t events, Ready ready) {
  const auto known = watched_.find(fd);
  const uint64_t number = next_++;
  epoll_event event{};
  event.events = events;
  event.data.u64 = number;
  const int verb = known == watched_.end() ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(epoll_.get(), verb, fd, &event) != 0) return ErrnoStatus("epoll_ctl");
  if (known != watched_.end()) numbers_.erase(known->second.number);
  watched_[fd] = {number, std::make_shared<const Ready>(std::move(ready))};
  numbers_[number] = fd;
  return absl::OkStatus();
}

void Reactor::Unwatch(int fd) {
  const auto known = watched_.find(fd);
  if (known == watched_.end()) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  numbers_.erase(known->second.number);
  watched_.erase(known);
}

Reactor::TimerId Reactor::After(absl::Duration time, Task task) {
  const TimerId id{clock_->Monotonic() + time, next_++};
  timers_.emplace(id, std::move(task));
  return id;
}

void Reactor::Forget(TimerId timer) { timers_.erase(timer); }

void Reactor::Post(Task task) {
  {
    MutexLock lock(&mutex_);
    posted_.push_back(std::move(task));
  }
  const uint64_t one = 1;
  (void)!::write(knock_.get(), &one, sizeof one);
}

void Reactor::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  const uint64_t one = 1;
  (void)!::write(knock_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void Reactor::RunPosted() {
  std::vector<Task> tasks;
  {
    MutexLock lock(&mutex_);
    tasks.swap(posted_);
  }
  for (const Task& task : tasks) task();
}

void Reactor::RunTimers() {
  const absl::Duration now = clock_->Monotonic();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const Task task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
  }
}

int Reactor::Patience() const {
  if (timers_.empty()) return -1;
  const absl::Duration left = timers_.begin()->first.first - clock_->Monotonic();
  const int64_t whole = absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)));
  return static_cast<int>(std::clamp<int64_t>(whole, 0, 60'000));
}

void Reactor::Run() {
  std::array<epoll_event, 64> events;
  for (;;) {
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    const int count =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), Patience());
    for (int i = 0; i < count; ++i) {
      // Out of a packed struct, to which nothing may refer.
      const uint64_t called = events[static_cast<size_t>(i)].data.u64;
      const uint32_t what = events[static_cast<size_t>(i)].events;
      // What was called before may have taken it back, and its number may be another's by now.
      const auto number = numbers_.find(called);
      if (number == numbers_.end()) continue;
      const std::shared_ptr<const Ready> ready = watched_.at(number->second).ready;
      (*ready)(what);
    }
    RunPosted();
    RunTimers();
  }
}

}  // namespace cluster::node
