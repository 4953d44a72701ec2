#include "tests/sim/checker.h"

#include "tests/sim/world.h"

namespace cluster::sim {

void Checker::Fail(const std::string& what) { world_->Fail(name(), what); }

const View& Checker::truth() const { return world_->truth().view(); }

}  // namespace cluster::sim
