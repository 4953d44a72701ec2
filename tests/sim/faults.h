// What goes wrong: networks, machines, programs, the store, clocks. Each ends by itself some
// minutes later.
#pragma once

#include <functional>

#include "tests/sim/plan.h"
#include "tests/sim/world.h"

namespace cluster::sim {

class Faults {
 public:
  explicit Faults(World* world) : world_(world) {}

  void Do(ActionKind kind, Random* random);

 private:
  void Partition(Random* random);
  void BadNetwork(Random* random);
  void CrashAgent(Random* random);
  void CrashAgentAtStep(Random* random);
  void PauseAgent(Random* random);
  void PowerCut(Random* random);
  void CrashController(Random* random);
  void CrashControllerAtStep(Random* random);
  void PauseController(Random* random);
  void BadStore(Random* random);
  void ClockStep(Random* random);
  void ContainerEnds(Random* random);
  void BadMachine(Random* random);
  void MassLoss(Random* random);
  void StartControllerLater(Random* random);
  void StartAgentLater(Node* node, Random* random);

  Node* AnyNode(Random* random);
  void After(Nanos wait, std::function<void()> task);

  World* const world_;
};

}  // namespace cluster::sim
