// One thread that sleeps in epoll_wait(7) until a descriptor is ready, a time has come or somebody
// posts: what the name server runs on.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "base/unique_handle.h"

namespace cluster::node {

// All but Post and Stop: on its own thread, in what it calls.
class Reactor {
 public:
  using Ready = std::function<void(uint32_t events)>;
  using Task = std::function<void()>;
  using TimerId = std::pair<absl::Duration, uint64_t>;  // when, and a number; 0: none

  // `clock` outlives it. Errors: what epoll_create(2) and eventfd(2) say.
  static absl::StatusOr<std::unique_ptr<Reactor>> Start(const Clock* clock);
  ~Reactor();

  // Calls `ready` for these events (EPOLLIN, EPOLLOUT), in place of what was asked before, until
  // Unwatch, which has to come before the descriptor is closed. Both may be called from `ready`.
  absl::Status Watch(int fd, uint32_t events, Ready ready);
  void Unwatch(int fd);
  // Calls the task once, after that time. Forget takes it back; nothing where it is done already.
  TimerId After(absl::Duration time, Task task);
  void Forget(TimerId timer);

  void Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing is called any more when this returns; not on its own thread.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Watched {
    uint64_t number = 0;
    std::shared_ptr<const Ready> ready;
  };
  explicit Reactor(const Clock* clock) : clock_(clock) {}
  void Run();
  void RunPosted() ABSL_LOCKS_EXCLUDED(mutex_);
  void RunTimers();
  int Patience() const;  // milliseconds; -1: for ever

  const Clock* const clock_;
  UniqueFd epoll_;
  UniqueFd knock_;
  absl::flat_hash_map<int, Watched> watched_;
  absl::flat_hash_map<uint64_t, int> numbers_;  // of `watched_`
  std::map<TimerId, Task> timers_;
  uint64_t next_ = 1;
  Mutex mutex_;
  std::vector<Task> posted_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cluster::node
