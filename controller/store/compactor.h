// Compacts a store as the policy says, for as long as it lives.
#pragma once

#include "base/clock.h"
#include "base/strand.h"
#include "controller/store/compaction.h"
#include "controller/store/store.h"

namespace cluster::store {

class Compactor {
 public:
  // Looks each minute, on a thread of its own. All must outlive it; `executor`: see base/strand.h.
  Compactor(Store* store, const Clock* clock, CompactionOptions options = {},
            Executor* executor = nullptr);
  // Waits for a compaction that is running.
  ~Compactor();

 private:
  void Look();

  Store* const store_;
  const Clock* const clock_;
  CompactionPolicy policy_;  // the strand's
  Strand strand_;
};

}  // namespace cluster::store
