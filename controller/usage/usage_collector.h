// Asks nodes what the pods of autoscalers use, again and again, for as long as there are
// autoscalers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/cache/cache.h"
#include "controller/session/sessions.h"
#include "controller/session/stats_question.h"
#include "controller/usage/usage_window.h"

namespace cluster::controller {

// Has no thread of its own: it works on the sessions' relay strand, which must be stopped before
// this goes.
class UsageCollector {
 public:
  struct Parts {
    const Cache* cache = nullptr;
    Sessions* sessions = nullptr;
    const Clock* clock = nullptr;
    // There is another sample. On the relay strand.
    std::function<void()> changed;
  };
  // All parts must outlive it.
  UsageCollector(Parts parts, absl::Duration period) : parts_(std::move(parts)), period_(period) {}

  // The last sample; never nullptr. What is in the view says whether there are autoscalers: the
  // first one, and each further one, begins a round at once. Any thread.
  std::shared_ptr<const UsageSample> Follow(const View& view);

 private:
  // A node that has not answered by then is left out of the round.
  static constexpr absl::Duration kPatience = absl::Seconds(5);

  void Tick(int64_t round);
  void Begin();
  void Take(int64_t round, std::optional<v1::NodeStats> answer);
  void Conclude();
  // Nodes that run pods of autoscalers' targets.
  std::set<std::string> Nodes() const;
  bool Wanted() const;

  const Parts parts_;
  const absl::Duration period_;

  // On the relay strand.
  UsageWindow window_;
  int64_t round_ = 0;
  bool open_ = false;  // the round's sample is still to come
  size_t unanswered_ = 0;
  std::vector<std::unique_ptr<StatsQuestion>> questions_;
  std::vector<v1::NodeStats> answers_;

  mutable Mutex mutex_;
  std::set<std::string> followed_ ABSL_GUARDED_BY(mutex_);  // uids of autoscalers
  std::shared_ptr<const UsageSample> latest_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<UsageSample>();
};

}  // namespace cluster::controller
