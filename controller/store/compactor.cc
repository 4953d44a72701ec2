#include "controller/store/compactor.h"

#include "base/log.h"

namespace cluster::store {
namespace {

constexpr absl::Duration kPeriod = absl::Minutes(1);

}  // namespace

Compactor::Compactor(Store* store, const Clock* clock, CompactionOptions options,
                     Executor* executor)
    : store_(store), clock_(clock), policy_(options), strand_("compactor", executor) {
  strand_.Post([this] { Look(); });
}

Compactor::~Compactor() { strand_.Stop(); }

void Compactor::Look() {
  const absl::Duration now = clock_->Monotonic();
  policy_.Observe(now, store_->CurrentRev());
  const Rev target = policy_.Target(now, store_->OldestRev());
  if (target > 0) {
    const absl::Status compacted = store_->Compact(target);
    if (!compacted.ok()) {
      LOG_WARN("store: cannot compact to revision {} yet: {}", target,
               std::string(compacted.message()));
    }
  }
  strand_.PostAfter(kPeriod, [this] { Look(); });
}

}  // namespace cluster::store
