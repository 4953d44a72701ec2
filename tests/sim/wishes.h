// What users ask for.
#pragma once

#include <functional>
#include <string>

#include "tests/sim/manifests.h"
#include "tests/sim/plan.h"
#include "tests/sim/users.h"
#include "tests/sim/world.h"

namespace cluster::sim {

class Wishes {
 public:
  explicit Wishes(World* world) : world_(world), users_(world) {}

  // What others refer to.
  void Begin();
  void Do(ActionKind kind, Random* random);
  // Users undo what would keep the cluster from resting: cordons, taints, pauses, versions that
  // never serve and that nothing rolls back.
  void Settle();
  // The same for the last time, and schedules end.
  void Finish();
  // What would keep the controller busy until the next episode goes, mostly: what is refused is
  // tried again and again, and an autoscaler looks again and again.
  void Leave();

 private:
  void ApplyDeployment(Random* random);
  static void Spoil(Random* random, Template* pods, v1::DeploymentSpec* spec);
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
  void Configure(Random* random);
  void PauseRollout(Random* random);
  void RestartRollout(Random* random);
  void Taint(Random* random);
  void Autoscale(Random* random);
  void Load(Random* random);
  void Guests(Random* random);
  void DeleteNamespace(Random* random);
  void SuspendJob(Random* random);
  void DeleteNode(Random* random);

  void Untaint(const std::string& node);
  void Suspend(const Entry& entry, bool suspend);
  void SettleDeployment(const Entry& entry);
  std::string AnyNode(Random* random);
  // A stored pod's name; "" when there is none.
  std::string AnyPod(Random* random);
  void After(Nanos wait, std::function<void()> task);

  World* const world_;
  Users users_;
  bool finishing_ = false;
  int version_ = 1;
  int jobs_ = 0;
};

}  // namespace cluster::sim
