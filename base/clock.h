// Time comes in through here, so that tests and the simulation own it.
#pragma once

#include "absl/time/time.h"

namespace cluster {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock; only for what people read (timestamps). It may jump.
  virtual absl::Time Now() const = 0;
  // CLOCK_BOOTTIME since an arbitrary start: leases, back-off and deadlines. Never jumps, counts
  // sleep.
  virtual absl::Duration Monotonic() const = 0;
};

// The machine's clocks. Lives for ever; may be called from any thread.
const Clock* RealClock();

// A clock that moves only when told to. Not thread-safe.
class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time start = absl::FromUnixSeconds(1'700'000'000)) : start_(start) {}
  absl::Time Now() const override { return start_ + elapsed_ + jump_; }
  absl::Duration Monotonic() const override { return elapsed_; }
  void Advance(absl::Duration by) { elapsed_ += by; }
  // Moves the wall clock alone.
  void Jump(absl::Duration by) { jump_ += by; }

 private:
  absl::Time start_;
  absl::Duration elapsed_;
  absl::Duration jump_;
};

}  // namespace cluster
