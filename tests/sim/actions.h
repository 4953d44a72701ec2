// Carries out what a plan says.
#pragma once

#include "tests/sim/faults.h"
#include "tests/sim/plan.h"
#include "tests/sim/wishes.h"
#include "tests/sim/world.h"

namespace cluster::sim {

class Actions {
 public:
  explicit Actions(World* world) : world_(world), wishes_(world), faults_(world) {}

  void Begin() { wishes_.Begin(); }
  void Do(const Action& action);
  // Users undo what would keep the cluster from resting.
  void Settle() { wishes_.Settle(); }
  void Finish() { wishes_.Finish(); }
  void Leave() { wishes_.Leave(); }

 private:
  World* const world_;
  Wishes wishes_;
  Faults faults_;
};

}  // namespace cluster::sim
