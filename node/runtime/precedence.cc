#include "node/runtime/precedence.h"

#include "base/clock.h"

namespace cluster::node {

Precedence::Start::Start(Precedence* of) : of_(of) {
  MutexLock lock(&of_->mutex_);
  ++of_->starts_;
}

Precedence::Start::~Start() {
  MutexLock lock(&of_->mutex_);
  if (--of_->starts_ == 0) of_->quiet_.SignalAll();
}

void Precedence::GiveWay() {
  const absl::Duration deadline = RealClock()->Monotonic() + kPatience;
  MutexLock lock(&mutex_);
  while (starts_ > 0) {
    const absl::Duration left = deadline - RealClock()->Monotonic();
    if (left <= absl::ZeroDuration()) return;
    quiet_.WaitFor(&mutex_, left);
  }
}

}  // namespace cluster::node
