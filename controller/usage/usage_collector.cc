#include "controller/usage/usage_collector.h"

#include <algorithm>
#include <utility>

#include "controller/reconcile/autoscalers.h"

namespace cluster::controller {

std::shared_ptr<const UsageSample> UsageCollector::Follow(const View& view) {
  std::set<std::string> uids;
  for (const auto& [key, entry] : view.All(v1::Object::kHorizontalPodAutoscaler)) {
    uids.insert(Meta(entry->object).uid());
  }
  MutexLock lock(&mutex_);
  const bool news = !std::includes(followed_.begin(), followed_.end(), uids.begin(), uids.end());
  followed_ = std::move(uids);
  if (news) {
    parts_.sessions->relay_strand()->Post([this] {
      if (!open_) Begin();
    });
  }
  return latest_;
}

bool UsageCollector::Wanted() const {
  MutexLock lock(&mutex_);
  return !followed_.empty();
}

std::set<std::string> UsageCollector::Nodes() const {
  return parts_.cache->Read([](const View& view) {
    std::set<std::string> nodes;
    for (const auto& [key, entry] : view.All(v1::Object::kHorizontalPodAutoscaler)) {
      const EntryPtr target = ScaleTargetOf(view, entry->object.horizontal_pod_autoscaler());
      if (target == nullptr) continue;
      for (const EntryPtr& pod : PodsOfTarget(view, target->object)) {
        nodes.insert(pod->object.pod().spec().node_name());
      }
    }
    nodes.erase("");
    return nodes;
  });
}

// Only the timer of the last round counts.
void UsageCollector::Tick(int64_t round) {
  if (round == round_ && Wanted()) Begin();
}

void UsageCollector::Begin() {
  const int64_t round = ++round_;
  questions_.clear();
  answers_.clear();
  for (const std::string& node : Nodes()) {
    questions_.push_back(std::make_unique<StatsQuestion>(
        node,
        [this, round](std::optional<v1::NodeStats> answer) { Take(round, std::move(answer)); }));
  }
  open_ = true;
  unanswered_ = questions_.size();
  Strand* const strand = parts_.sessions->relay_strand();
  strand->PostAfter(period_, [this, round] { Tick(round); });
  if (questions_.empty()) return Conclude();
  for (const auto& question : questions_) question->Ask(parts_.sessions, {});
  strand->PostAfter(std::min(kPatience, period_ / 2), [this, round] {
    if (round == round_ && open_) Conclude();
  });
}

void UsageCollector::Take(int64_t round, std::optional<v1::NodeStats> answer) {
  if (round != round_ || !open_) return;
  if (answer.has_value()) answers_.push_back(*std::move(answer));
  if (--unanswered_ == 0) Conclude();
}

void UsageCollector::Conclude() {
  open_ = false;
  for (const auto& question : questions_) question->GiveUp();
  auto sample = std::make_shared<const UsageSample>(
      window_.Next(answers_, parts_.clock->Now(), parts_.clock->Monotonic()));
  {
    MutexLock lock(&mutex_);
    latest_ = std::move(sample);
  }
  parts_.changed();
}

}  // namespace cluster::controller
