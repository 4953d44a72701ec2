// What pods use, as the controller's usage collector would hear it from the nodes: here one round
// looks at all machines at once.
#pragma once

#include <functional>
#include <memory>

#include "controller/cache/view.h"
#include "controller/reconcile/pod_usage.h"
#include "tests/sim/process.h"
#include "tests/sim/timeline.h"

namespace cluster::sim {

class Usage {
 public:
  // `look`: a sample, but for its number; `period`: until the next one. `changed`: there is one.
  Usage(Process* process, Timeline* time, std::function<controller::UsageSample()> look,
        std::function<Nanos()> period, std::function<void()> changed)
      : process_(process),
        time_(time),
        look_(std::move(look)),
        period_(std::move(period)),
        changed_(std::move(changed)) {}

  // As controller::UsageCollector::Follow.
  std::shared_ptr<const controller::UsageSample> Follow(const View& view);

 private:
  void Tick();

  Process* const process_;
  Timeline* const time_;
  const std::function<controller::UsageSample()> look_;
  const std::function<Nanos()> period_;
  const std::function<void()> changed_;
  bool wanted_ = false;  // there are autoscalers
  bool ticking_ = false;
  std::shared_ptr<const controller::UsageSample> latest_ =
      std::make_shared<controller::UsageSample>();
};

}  // namespace cluster::sim
