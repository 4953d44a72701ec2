#include "tests/sim/plan.h"

#include <algorithm>

namespace cluster::sim {
namespace {

constexpr Nanos kTrouble = 12 * kMinute;
// Longest back-off of a container that fails, of a Job that fails, and what follows from it.
constexpr Nanos kRecovery = 25 * kMinute;

struct Weight {
  ActionKind kind;
  int users;  // of a hundred wishes
};

constexpr Weight kWishes[] = {
    {ActionKind::kApplyDeployment, 20}, {ActionKind::kApplyStatefulSet, 14},
    {ActionKind::kApplyDaemonSet, 7},   {ActionKind::kApplyJob, 8},
    {ActionKind::kApplyCronJob, 6},     {ActionKind::kApplyBudget, 5},
    {ActionKind::kScale, 12},           {ActionKind::kUndo, 4},
    {ActionKind::kDeleteWorkload, 6},   {ActionKind::kDeletePod, 8},
    {ActionKind::kEvictPod, 6},         {ActionKind::kDrain, 4},
};

ActionKind Wish(Random* random) {
  auto left = static_cast<int>(random->Below(100));
  for (const Weight& each : kWishes) {
    if ((left -= each.users) < 0) return each.kind;
  }
  return ActionKind::kScale;
}

Climate MakeClimate(int nodes, Random* random) {
  Climate climate;
  // Mostly small: what goes wrong goes wrong with few.
  climate.nodes = nodes > 0              ? nodes
                  : random->Chance(0.75) ? static_cast<int>(random->Between(5, 7))
                                         : static_cast<int>(random->Between(8, 20));
  climate.latency =
      random->Chance(0.5) ? 0 : random->Pick<Nanos>({kMillisecond, 20 * kMillisecond});
  climate.skew = random->Pick<double>({0, 0.001, 0.009});
  controller::SessionOptions& sessions = climate.controller.sessions;
  // Of all that happens beats are the most; a tenth of the seeds has those of a real cluster.
  const bool real = random->Chance(0.1);
  sessions.beat = absl::Seconds(real ? random->Pick<int>({1, 5}) : random->Pick<int>({20, 30}));
  sessions.margin = std::max(absl::Milliseconds(1500), sessions.ttl() / 20);
  climate.pod_period = absl::Seconds(random->Pick<int>({30, 600, 600, 600}));
  climate.controller.loop.period = absl::Seconds(random->Pick<int>({5, 120, 300, 300}));
  climate.wall = random->Pick<absl::Duration>(
      {absl::ZeroDuration(), absl::ZeroDuration(), absl::Minutes(10), absl::Hours(2)});
  // And packs what nobody holds at every turn: nobody may count on more than what he holds.
  if (real) {
    climate.controller.cache.pack_round = absl::ZeroDuration();
    climate.controller.cache.window_age = absl::ZeroDuration();
    climate.controller.cache.lasting_bytes = 0;
  }
  const Nanos disk = random->Pick<Nanos>({2, 2, 50, 400}) * kMillisecond;
  climate.store.commit = disk;
  climate.store.delivery = random->Chance(0.5) ? disk : kMillisecond;
  if (random->Chance(0.5)) {
    climate.controller.compaction = {absl::Minutes(2), 100, 20};
    climate.controller.cache.window_revisions = 60;
  }
  return climate;
}

}  // namespace

const char* NameOf(ActionKind kind) {
  switch (kind) {
    case ActionKind::kApplyDeployment:
      return "apply a Deployment";
    case ActionKind::kApplyStatefulSet:
      return "apply a StatefulSet";
    case ActionKind::kApplyDaemonSet:
      return "apply a DaemonSet";
    case ActionKind::kApplyJob:
      return "apply a Job";
    case ActionKind::kApplyCronJob:
      return "apply a CronJob";
    case ActionKind::kApplyBudget:
      return "apply a PodDisruptionBudget";
    case ActionKind::kScale:
      return "scale";
    case ActionKind::kUndo:
      return "undo a rollout";
    case ActionKind::kDeleteWorkload:
      return "delete a workload";
    case ActionKind::kDeletePod:
      return "delete a pod";
    case ActionKind::kEvictPod:
      return "evict a pod";
    case ActionKind::kDrain:
      return "drain a node";
    case ActionKind::kPartition:
      return "partition";
    case ActionKind::kBadNetwork:
      return "bad network";
    case ActionKind::kCrashAgent:
      return "kill an agent";
    case ActionKind::kCrashAgentAtStep:
      return "kill an agent at a step";
    case ActionKind::kPauseAgent:
      return "pause an agent";
    case ActionKind::kPowerCut:
      return "cut a node's power";
    case ActionKind::kCrashController:
      return "kill the controller";
    case ActionKind::kCrashControllerAtStep:
      return "kill the controller at a step";
    case ActionKind::kPauseController:
      return "pause the controller";
    case ActionKind::kBadStore:
      return "bad store";
    case ActionKind::kClockStep:
      return "step a clock";
    case ActionKind::kContainerEnds:
      return "end a container";
    case ActionKind::kBadMachine:
      return "bad machine";
  }
  return "";
}

Plan MakePlan(uint64_t seed, int hours, int nodes) {
  Random random(seed ^ 0x5eed5eed5eed5eedULL);
  Plan plan;
  plan.seed = seed;
  plan.climate = MakeClimate(nodes, &random);
  plan.end = hours * kHour;
  const auto first_fault = static_cast<int>(ActionKind::kPartition);
  Nanos begin = kMinute;
  while (begin + kTrouble + kRecovery < plan.end) {
    Episode episode{begin, begin + kTrouble, begin + kTrouble + kRecovery};
    // Each episode has some kinds of faults, none of the others.
    std::vector<ActionKind> kinds;
    for (int kind = first_fault; kind < kActionKinds; ++kind) {
      if (random.Chance(0.3)) kinds.push_back(static_cast<ActionKind>(kind));
    }
    const auto wishes = static_cast<int>(random.Between(4, 20));
    const auto faults = kinds.empty() ? 0 : static_cast<int>(random.Between(0, 12));
    const auto when = [&] { return random.Between(episode.begin, episode.calm - kMinute); };
    // What goes wrong goes wrong together, sometimes.
    const bool together = random.Chance(0.4);
    const Nanos worst = when();
    const auto fault = [&] {
      if (!together) return when();
      return std::min(worst + random.Between(0, 2 * kMinute), episode.calm - kMinute);
    };
    for (int i = 0; i < wishes; ++i) {
      const ActionKind kind = Wish(&random);
      plan.actions.push_back({when(), kind, random.Next()});
    }
    for (int i = 0; i < faults; ++i) {
      plan.actions.push_back({fault(), random.Pick(kinds), random.Next()});
    }
    // It harms nothing by itself.
    if (random.Chance(0.4)) plan.actions.push_back({when(), ActionKind::kClockStep, random.Next()});
    plan.episodes.push_back(episode);
    begin = episode.rest + random.Between(kMinute, 10 * kHour);
  }
  std::sort(plan.actions.begin(), plan.actions.end(),
            [](const Action& a, const Action& b) { return a.at < b.at; });
  return plan;
}

}  // namespace cluster::sim
