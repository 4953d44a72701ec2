#include "controller/session/admission_queue.h"

#include <algorithm>

namespace cluster::controller {

AdmissionQueue::AdmissionQueue(int per_second, int burst, int abreast)
    : interval_(absl::Seconds(1) / per_second),
      credit_(interval_ * (burst - 1)),
      abreast_(abreast) {}

void AdmissionQueue::Remove(AgentLink* link) {
  waiting_.erase(std::remove(waiting_.begin(), waiting_.end(), link), waiting_.end());
}

AgentLink* AdmissionQueue::Take(absl::Duration now) {
  if (waiting_.empty() || open_ >= abreast_ || now < turn_) return nullptr;
  turn_ = std::max(turn_, now - credit_) + interval_;
  AgentLink* link = waiting_.front();
  waiting_.pop_front();
  ++open_;
  return link;
}

absl::Duration AdmissionQueue::next() const {
  return waiting_.empty() || open_ >= abreast_ ? absl::InfiniteDuration() : turn_;
}

}  // namespace cluster::controller
