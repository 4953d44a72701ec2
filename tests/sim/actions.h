// Carries out what a plan says.
#pragma once

#include <string>

#include "tests/sim/manifests.h"
#include "tests/sim/plan.h"
#include "tests/sim/users.h"
#include "tests/sim/world.h"

namespace cluster::sim {

class Actions {
 public:
  explicit Actions(World* world) : world_(world), users_(world) {}

  void Do(const Action& action);
  // Users undo what would keep the cluster from resting: cordons, versions that never serve, and
  // after some more minutes schedules.
  void Settle();

 private:
  void ApplyDeployment(Random* random);
  static void Spoil(Random* random, Template* pods);
  void ApplyStatefulSet(Random* random);
  void ApplyDaemonSet(Random* random);
  void ApplyJob(Random* random);
  void ApplyCronJob(Random* random);
  void ApplyBudget(Random* random);
  void Scale(Random* random);
  void Undo(Random* random);
  void DeletePod(Random* random);
  void EvictPods(Random* random);
  void DeleteWorkload(Random* random);
  void Drain(Random* random);
  void SuspendCronJobs();
  // Applies what is stored with its spec changed.
  void Edit(const Entry& entry, const std::function<void(v1::Object*)>& change);
  void Partition(Random* random);
  void BadNetwork(Random* random);
  void CrashAgent(Random* random);
  void CrashAgentAtStep(Random* random);
  void PauseAgent(Random* random);
  void CrashController(Random* random);
  void CrashControllerAtStep(Random* random);
  void PauseController(Random* random);
  void PowerCut(Random* random);
  void BadStore(Random* random);
  void ClockStep(Random* random);
  void ContainerEnds(Random* random);
  void BadMachine(Random* random);
  void StartControllerLater(Random* random);
  void StartAgentLater(Node* node, Random* random);

  Node* AnyNode(Random* random);
  // A stored pod's name; "" when there is none.
  std::string AnyPod(Random* random);
  void After(Nanos wait, std::function<void()> task);

  World* const world_;
  Users users_;
  int version_ = 1;
  int jobs_ = 0;
};

}  // namespace cluster::sim
