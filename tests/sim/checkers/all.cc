#include "tests/sim/checkers/all.h"

namespace cluster::sim {

Checkers AllCheckers(World* world) {
  Checkers all;
  for (const auto make : {OneWriter,    ForwardPhases, Acknowledged, TrueEnds,  OneHolder, Room,
                          Reasons,      Rollouts,      Disruptions,  Drains,    Jobs,      CronJobs,
                          Sets,         Places,        Namespaces,   Revisions, Autoscale, Brake,
                          CleanReturns, NoIdleWork,    NoGap,        Rest}) {
    all.push_back(make(world));
  }
  return all;
}

}  // namespace cluster::sim
