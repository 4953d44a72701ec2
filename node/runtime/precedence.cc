#include "node/runtime/precedence.h"

#include <algorithm>
#include <thread>

#include "base/clock.h"

namespace cluster::node {

Precedence::Start::Start(Precedence* of) : of_(of) {
  MutexLock lock(&of_->mutex_);
  ++of_->starts_;
}

Precedence::Start::~Start() {
  MutexLock lock(&of_->mutex_);
  of_->last_start_ = RealClock()->Monotonic();
  if (--of_->starts_ == 0) of_->changed_.SignalAll();
}

absl::Duration Precedence::DefaultPace() {
  return absl::Milliseconds(20) / std::max(1U, std::thread::hardware_concurrency());
}

void Precedence::GiveWay() {
  const absl::Duration deadline = RealClock()->Monotonic() + kPatience;
  MutexLock lock(&mutex_);
  while (starts_ > 0) {
    const absl::Duration left = deadline - RealClock()->Monotonic();
    if (left <= absl::ZeroDuration()) return;
    changed_.WaitFor(&mutex_, left);
  }
}

void Precedence::PodCame() {
  MutexLock lock(&mutex_);
  turns_ = std::min(turns_ + 1, kTurnsKept);
  changed_.SignalAll();
}

bool Precedence::AwaitTurn() {
  MutexLock lock(&mutex_);
  for (;;) {
    const absl::Duration now = RealClock()->Monotonic();
    const absl::Duration quiet_at = last_start_ + kRecent;
    if (starts_ == 0 && now >= quiet_at) return false;
    if (turns_ > 0) {
      --turns_;
      return true;
    }
    if (now >= next_turn_) {
      next_turn_ = now + pace_;
      return true;
    }
    changed_.WaitFor(&mutex_, (starts_ > 0 ? next_turn_ : std::min(next_turn_, quiet_at)) - now);
  }
}

}  // namespace cluster::node
