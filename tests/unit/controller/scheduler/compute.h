// The plan for a whole world, as the tests ask for it.
#pragma once

#include "controller/scheduler/scheduler.h"
#include "tests/domain/world.h"
#include "tests/unit/controller/now.h"

namespace cluster::controller {

inline Plan Compute(const domain::World& world) { return ComputePlan(world.view(), {}, kNow); }

}  // namespace cluster::controller
