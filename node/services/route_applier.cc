#include "node/services/route_applier.h"

#include <utility>

#include "base/log.h"

namespace cluster::node {
namespace {

constexpr absl::Duration kRetry = absl::Seconds(1);

}  // namespace

RouteApplier::RouteApplier(std::function<absl::Status(const KnownServices&)> apply,
                           Executor* executor)
    : apply_(std::move(apply)), strand_("routes", executor) {}

void RouteApplier::Submit(std::shared_ptr<const KnownServices> table, std::function<void()> done) {
  MutexLock lock(&mutex_);
  waiting_ = Order{std::move(table), std::move(done)};
  strand_.Post([this] { Run(); });
}

void RouteApplier::Run() {
  Order order;
  {
    MutexLock lock(&mutex_);
    // A newer one took it along.
    if (!waiting_.has_value()) return;
    order = *std::exchange(waiting_, std::nullopt);
  }
  const absl::Status applied = apply_(*order.table);
  if (applied != last_ && !applied.ok()) {
    LOG_ERROR("services: the kernel keeps its older routes: {}", applied.ToString());
  }
  last_ = applied;
  if (applied.ok()) return order.done();
  MutexLock lock(&mutex_);
  // A newer one has come meanwhile, and its turn with it.
  if (waiting_.has_value()) return;
  waiting_ = std::move(order);
  strand_.PostAfter(kRetry, [this] { Run(); });
}

void RouteApplier::Stop() { strand_.Stop(); }

}  // namespace cluster::node
