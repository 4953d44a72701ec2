#include "tests/sim/process.h"

#include <algorithm>
#include <utility>

namespace cluster::sim {
namespace {

const absl::Time kBirth = absl::FromUnixSeconds(1'700'000'000);
// Of the monotonic clock when a machine begins.
constexpr absl::Duration kUptime = absl::Seconds(100);

}  // namespace

absl::Time HostClock::Now() const { return kBirth + absl::Nanoseconds(time_->now()) + wall_; }

absl::Duration HostClock::Monotonic() const {
  return kUptime + absl::Nanoseconds(
                       static_cast<int64_t>(static_cast<double>(time_->now() - boot_at_) * rate_));
}

Nanos HostClock::ToWorld(absl::Duration local) const {
  if (local >= absl::Hours(100'000)) return 100'000 * kHour;
  return static_cast<Nanos>(static_cast<double>(absl::ToInt64Nanoseconds(local)) / rate_);
}

Nanos HostClock::When(absl::Duration monotonic) const {
  // Rounded up: a timer never fires early.
  return time_->now() + std::max<Nanos>(0, ToWorld(monotonic - Monotonic()) + 1);
}

int64_t Process::Begin() {
  strands_.emplace_back();
  return static_cast<int64_t>(strands_.size()) - 1;
}

void Process::Post(int64_t strand, absl::Duration delay, Task task) {
  Line& line = strands_[static_cast<size_t>(strand)];
  if (line.over || state_ == State::kDead) return;
  if (state_ == State::kBuried) {
    if (delay <= absl::ZeroDuration()) Call(strand, task);
    return;
  }
  Nanos when = time_->now();
  if (latency_ > 0) when += static_cast<Nanos>(random_->Below(static_cast<uint64_t>(latency_)));
  if (delay > absl::ZeroDuration()) {
    when += clock_->ToWorld(delay) + 1;
  } else {
    when = line.last = std::max(when, line.last);
  }
  time_->At(when, this, [this, strand, task = std::move(task)] {
    if (strands_[static_cast<size_t>(strand)].over) return;
    Call(strand, task);
  });
}

void Process::Call(int64_t strand, const Task& task) {
  const int64_t before = std::exchange(current_, strand);
  task();
  current_ = before;
}

void Process::End(int64_t strand) { strands_[static_cast<size_t>(strand)].over = true; }

}  // namespace cluster::sim
