#include "controller/session/stats_question.h"

#include <utility>

#include "controller/session/sessions.h"

namespace cluster::controller {

void StatsQuestion::Ask(Sessions* sessions, const v1::StatsRequest& request) {
  relay_ = std::make_shared<Relay>(this);
  v1::OpenStream open;
  *open.mutable_stats() = request;
  sessions->Open(node_, std::move(open), relay_);
}

void StatsQuestion::GiveUp() {
  if (over_ == nullptr || relay_ == nullptr) return;
  over_ = nullptr;
  relay_->ClientGone();
}

void StatsQuestion::OnFrame(v1::NodeFrame frame) {
  if (frame.has_stats()) answer_ = std::move(*frame.mutable_stats());
  relay_->ClientReady();
}

// Whatever it ended with: a node that has answered has answered.
void StatsQuestion::OnEnd(const absl::Status& /*status*/) {
  if (over_ == nullptr) return;
  const Over over = std::exchange(over_, nullptr);
  over(std::move(answer_));
}

}  // namespace cluster::controller
