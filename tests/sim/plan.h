// What a seed makes: a kind of cluster, and a history of faults and of users' wishes. A history is
// a list, so that a failing one can be made shorter.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace cluster::sim {

enum class ActionKind {
  // Users.
  kApplyDeployment,
  kApplyStatefulSet,
  kApplyDaemonSet,
  kApplyJob,
  kApplyCronJob,
  kApplyBudget,
  kScale,
  kUndo,
  kDeleteWorkload,
  kDeletePod,
  kEvictPod,
  kDrain,
  kConfigure,
  kPauseRollout,
  kRestartRollout,
  kTaint,
  kAutoscale,
  kLoad,
  kGuests,
  kDeleteNamespace,
  kSuspendJob,
  kDeleteNode,
  // Faults.
  kPartition,
  kBadNetwork,
  kCrashAgent,
  kCrashAgentAtStep,
  kPauseAgent,
  kPowerCut,
  kCrashController,
  kCrashControllerAtStep,
  kPauseController,
  kBadStore,
  kClockStep,
  kContainerEnds,
  kBadMachine,
  kMassLoss,
};
constexpr int kActionKinds = static_cast<int>(ActionKind::kMassLoss) + 1;

const char* NameOf(ActionKind kind);
bool IsFault(ActionKind kind);

// Carried out at `at` on what is there then, with chances of its own: taking out another action
// changes this one as little as can be.
struct Action {
  Nanos at = 0;
  ActionKind kind = ActionKind::kScale;
  uint64_t draw = 0;
};

// Some minutes of trouble; then time to recover from it; some minutes in which users go on and
// nothing fails; time for that to be done; then a look; then nothing.
struct Episode {
  Nanos begin = 0;
  Nanos calm = 0;   // no faults from here on
  Nanos fine = 0;   // and what they did is over
  Nanos still = 0;  // users want nothing new from here on
  Nanos rest = 0;   // all is as users want it by now
};

struct Plan {
  uint64_t seed = 0;
  Climate climate;
  std::vector<Episode> episodes;
  std::vector<Action> actions;  // by time
  Nanos end = 0;
};

// `hours`: of simulated time. 0 nodes: as the seed says.
Plan MakePlan(uint64_t seed, int hours, int nodes);

}  // namespace cluster::sim
