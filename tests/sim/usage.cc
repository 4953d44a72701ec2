#include "tests/sim/usage.h"

#include <utility>

namespace cluster::sim {

std::shared_ptr<const controller::UsageSample> Usage::Follow(const View& view) {
  wanted_ = !view.All(v1::Object::kHorizontalPodAutoscaler).empty();
  if (wanted_ && !std::exchange(ticking_, true)) {
    process_->Run(time_->now() + period_(), [this] { Tick(); });
  }
  return latest_;
}

void Usage::Tick() {
  if (!wanted_) {
    ticking_ = false;
    return;
  }
  controller::UsageSample sample = look_();
  sample.number = latest_->number + 1;
  latest_ = std::make_shared<controller::UsageSample>(std::move(sample));
  process_->Run(time_->now() + period_(), [this] { Tick(); });
  changed_();
}

}  // namespace cluster::sim
