#include "tests/sim/plan.h"

#include <algorithm>
#include <iterator>

namespace cluster::sim {
namespace {

constexpr Nanos kTrouble = 12 * kMinute;
constexpr Nanos kRecovery = 5 * kMinute;
constexpr Nanos kFine = 5 * kMinute;
// Longest back-off of a container that fails, of a Job that fails, a rollout that is given up, and
// what follows from them.
constexpr Nanos kEnd = 20 * kMinute;
constexpr Nanos kEpisode = kTrouble + kRecovery + kFine + kEnd;

struct What {
  ActionKind kind;
  int weight;  // among wishes; 0: a fault
  const char* name;
};

// In the order of ActionKind.
constexpr What kWhat[] = {
    {ActionKind::kApplyDeployment, 22, "apply a Deployment"},
    {ActionKind::kApplyStatefulSet, 14, "apply a StatefulSet"},
    {ActionKind::kApplyDaemonSet, 7, "apply a DaemonSet"},
    {ActionKind::kApplyJob, 9, "apply a Job"},
    {ActionKind::kApplyCronJob, 6, "apply a CronJob"},
    {ActionKind::kApplyBudget, 6, "apply a PodDisruptionBudget"},
    {ActionKind::kScale, 12, "scale"},
    {ActionKind::kUndo, 5, "undo a rollout"},
    {ActionKind::kDeleteWorkload, 6, "delete a workload"},
    {ActionKind::kDeletePod, 8, "delete a pod"},
    {ActionKind::kEvictPod, 7, "evict pods"},
    {ActionKind::kDrain, 4, "drain a node"},
    {ActionKind::kConfigure, 6, "change a ConfigMap"},
    {ActionKind::kPauseRollout, 4, "pause a rollout"},
    {ActionKind::kRestartRollout, 2, "restart a rollout"},
    {ActionKind::kTaint, 4, "taint a node"},
    {ActionKind::kAutoscale, 3, "apply a HorizontalPodAutoscaler"},
    {ActionKind::kLoad, 4, "change the load"},
    {ActionKind::kGuests, 6, "apply into another namespace"},
    {ActionKind::kDeleteNamespace, 2, "delete a namespace"},
    {ActionKind::kSuspendJob, 3, "suspend a Job"},
    {ActionKind::kDeleteNode, 2, "delete a node"},
    {ActionKind::kPartition, 0, "partition"},
    {ActionKind::kBadNetwork, 0, "bad network"},
    {ActionKind::kCrashAgent, 0, "kill an agent"},
    {ActionKind::kCrashAgentAtStep, 0, "kill an agent at a step"},
    {ActionKind::kPauseAgent, 0, "pause an agent"},
    {ActionKind::kPowerCut, 0, "cut a node's power"},
    {ActionKind::kCrashController, 0, "kill the controller"},
    {ActionKind::kCrashControllerAtStep, 0, "kill the controller at a step"},
    {ActionKind::kPauseController, 0, "pause the controller"},
    {ActionKind::kBadStore, 0, "bad store"},
    {ActionKind::kClockStep, 0, "step a clock"},
    {ActionKind::kContainerEnds, 0, "end a container"},
    {ActionKind::kBadMachine, 0, "bad machine"},
    {ActionKind::kMassLoss, 0, "lose many nodes"},
};
static_assert(std::size(kWhat) == kActionKinds);

ActionKind Wish(Random* random) {
  uint64_t all = 0;
  for (const What& each : kWhat) all += static_cast<uint64_t>(each.weight);
  auto left = static_cast<int>(random->Below(all));
  for (const What& each : kWhat) {
    if ((left -= each.weight) < 0) return each.kind;
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

const char* NameOf(ActionKind kind) { return kWhat[static_cast<size_t>(kind)].name; }

bool IsFault(ActionKind kind) { return kWhat[static_cast<size_t>(kind)].weight == 0; }

Plan MakePlan(uint64_t seed, int hours, int nodes) {
  Random random(seed ^ 0x5eed5eed5eed5eedULL);
  Plan plan;
  plan.seed = seed;
  plan.climate = MakeClimate(nodes, &random);
  plan.end = hours * kHour;
  const auto first_fault = static_cast<int>(ActionKind::kPartition);
  Nanos begin = kMinute;
  while (begin + kEpisode < plan.end) {
    Episode episode;
    episode.begin = begin;
    episode.calm = begin + kTrouble;
    episode.fine = episode.calm + kRecovery;
    episode.still = episode.fine + kFine;
    episode.rest = begin + kEpisode;
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
    for (auto more = random.Below(7); more > 0; --more) {
      const ActionKind kind = Wish(&random);
      plan.actions.push_back({random.Between(episode.fine, episode.still), kind, random.Next()});
    }
    plan.episodes.push_back(episode);
    begin = episode.rest + random.Between(kMinute, 14 * kHour);
  }
  std::sort(plan.actions.begin(), plan.actions.end(),
            [](const Action& a, const Action& b) { return a.at < b.at; });
  return plan;
}

}  // namespace cluster::sim
