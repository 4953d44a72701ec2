// One simulated process: it has the clock of its host and its strands, can be paused and killed.
#pragma once

#include <functional>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "tests/sim/random.h"
#include "tests/sim/timeline.h"

namespace cluster::sim {

// The clocks of one machine. Its rate differs a little from the world's; the wall clock is apart by
// any amount, and jumps.
class HostClock : public Clock {
 public:
  HostClock(const Timeline* time, double rate) : time_(time), rate_(rate) {}

  absl::Time Now() const override;
  absl::Duration Monotonic() const override;
  // How long that is for the world.
  Nanos ToWorld(absl::Duration local) const;
  // When this clock shows `monotonic`, in the world's time.
  Nanos When(absl::Duration monotonic) const;

  void Jump(absl::Duration by) { wall_ += by; }
  // The monotonic clock begins anew.
  void Reboot() { boot_at_ = time_->now(); }

 private:
  const Timeline* const time_;
  const double rate_;
  Nanos boot_at_ = 0;
  absl::Duration wall_;
};

// Outlives its tasks in the timeline. What a process is made of is destroyed after Die.
class Process : public Executor {
 public:
  // `latency`: up to this long a posted task waits for its turn, by chance.
  Process(Timeline* time, const HostClock* clock, Random* random, Nanos latency)
      : time_(time), clock_(clock), random_(random), latency_(latency) {}

  // What the process does has effects.
  bool alive() const { return state_ == State::kAlive; }
  Nanos paused_until() const { return paused_until_; }
  void Pause(Nanos until) { paused_until_ = until > paused_until_ ? until : paused_until_; }

  // Nothing of it runs any more. The task that is running goes on, without effect.
  void Die() { state_ = State::kDead; }
  // The objects of the dead process are being destroyed: what they post runs at once.
  void Bury() { state_ = State::kBuried; }

  int64_t Begin() override;
  void Post(int64_t strand, absl::Duration delay, Task task) override;
  void Call(int64_t strand, const Task& task) override;
  void End(int64_t strand) override;
  bool IsCurrent(int64_t strand) const override { return current_ == strand; }

  // A task on a thread of its own.
  void Run(Nanos when, Task task) { time_->At(when, this, std::move(task)); }

 private:
  enum class State { kAlive, kDead, kBuried };
  struct Line {
    Nanos last = 0;  // the time of what was posted last
    bool over = false;
  };

  Timeline* const time_;
  const HostClock* const clock_;
  Random* const random_;
  const Nanos latency_;
  State state_ = State::kAlive;
  Nanos paused_until_ = 0;
  int64_t current_ = -1;
  std::vector<Line> strands_;
};

}  // namespace cluster::sim
