// Brings the kernel's rules to where services lead, beside everything else: a large table takes the
// kernel a while, and beats must not wait for it.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "base/mutex.h"
#include "base/strand.h"
#include "node/services/service_book.h"

namespace cluster::node {

// Thread-safe.
class RouteApplier {
 public:
  // `apply` runs on the applier's thread, one call at a time; when it returns ok, the kernel goes
  // by that table.
  RouteApplier(std::function<absl::Status(const KnownServices&)> apply, Executor* executor);
  ~RouteApplier() { Stop(); }

  // The newest table wins: one that another follows before its turn is left out. `done` runs on
  // the applier's thread once the kernel goes by this table or a newer one; what is refused is
  // tried again each second and logged once.
  void Submit(std::shared_ptr<const KnownServices> table, std::function<void()> done);
  // Nothing runs any more when this returns.
  void Stop();

 private:
  struct Order {
    std::shared_ptr<const KnownServices> table;
    std::function<void()> done;
  };
  void Run();

  const std::function<absl::Status(const KnownServices&)> apply_;
  Mutex mutex_;
  std::optional<Order> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_;  // of the thread
  Strand strand_;      // last: its thread uses everything above
};

}  // namespace cluster::node
