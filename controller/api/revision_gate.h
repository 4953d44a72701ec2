// Calls back once the cache shows a revision, so that who has written reads its own write.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "base/strand.h"
#include "controller/cache/cache.h"

namespace cluster::controller {

// Thread-safe. Callbacks run on the strand; those still waiting when it is destroyed never run.
class RevisionGate {
 public:
  // Both must outlive the gate; the strand must be stopped first.
  static absl::StatusOr<std::unique_ptr<RevisionGate>> Start(Cache* cache, Strand* strand);

  void When(store::Rev rev, std::function<void()> ready);

 private:
  RevisionGate(Cache* cache, Strand* strand) : cache_(cache), strand_(strand) {}
  absl::Status Follow();
  void Drain();

  Cache* const cache_;
  Strand* const strand_;
  // Touched on the strand alone.
  std::multimap<store::Rev, std::function<void()>> waiting_;
  std::unique_ptr<CacheWatch> watch_;
};

}  // namespace cluster::controller
