// How much history to keep: at least ten minutes and at least ten thousand revisions.
#pragma once

#include <deque>

#include "absl/time/time.h"

#include "controller/store/store.h"

namespace cluster::store {

struct CompactionOptions {
  absl::Duration keep = absl::Minutes(10);
  Rev keep_revisions = 10'000;
  // Fewer than this are not worth a compaction.
  Rev slack = 1'000;
};

// Pure: whoever drives it observes the store's revision now and then (each minute, say) and calls
// Store::Compact with what Target gives. Time is Clock::Monotonic, so a jump of the wall clock
// forgets nothing; after a restart it starts to count anew and keeps more for a while.
class CompactionPolicy {
 public:
  explicit CompactionPolicy(CompactionOptions options = {}) : options_(options) {}

  void Observe(absl::Duration now, Rev rev);
  // The revision to compact to, or 0 for nothing to do. `oldest` is the store's OldestRev.
  Rev Target(absl::Duration now, Rev oldest) const;

 private:
  struct Sample {
    absl::Duration at;
    Rev rev = 0;
  };
  const CompactionOptions options_;
  std::deque<Sample> samples_;
};

}  // namespace cluster::store
