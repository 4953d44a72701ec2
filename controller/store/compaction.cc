#include "controller/store/compaction.h"

#include <algorithm>

namespace cluster::store {

void CompactionPolicy::Observe(absl::Duration now, Rev rev) {
  samples_.push_back({now, rev});
  // The newest sample that is old enough decides; those before it are of no use any more.
  while (samples_.size() > 1 && samples_[1].at + options_.keep <= now) samples_.pop_front();
}

Rev CompactionPolicy::Target(absl::Duration now, Rev oldest) const {
  if (samples_.empty() || samples_.front().at + options_.keep > now) return 0;
  const Rev target = std::min(samples_.front().rev, samples_.back().rev - options_.keep_revisions);
  return target - oldest >= options_.slack ? target : 0;
}

}  // namespace cluster::store
