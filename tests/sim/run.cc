#include "tests/sim/run.h"

#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"

#include "tests/sim/actions.h"

namespace cluster::sim {
namespace {

// A controller that was paused does by then what users asked of it before.
constexpr Nanos kSettling = 2 * kMinute;

}  // namespace

Outcome RunPlan(const Plan& plan, const std::string& directory, bool trace,
                const MakeCheckers& checkers, const std::string& show) {
  World world(plan.seed, plan.climate, directory, checkers);
  world.set_trace(trace);
  world.Show(show);
  Actions actions(&world);
  world.time()->At(kSecond, nullptr, [&actions] { actions.Begin(); });
  for (const Action& action : plan.actions) {
    world.time()->At(action.at, nullptr, [&actions, action] { actions.Do(action); });
  }
  for (const Episode& episode : plan.episodes) {
    world.time()->At(episode.calm, nullptr, [&] {
      world.Tell("* calm");
      world.Calm();
    });
    world.time()->At(episode.begin, nullptr, [&] {
      world.SetFine(false);
      world.SetQuiet(false);
    });
    world.time()->At(episode.calm + kSettling, nullptr, [&] { actions.Settle(); });
    world.time()->At(episode.fine, nullptr, [&] { world.SetFine(true); });
    world.time()->At(episode.still, nullptr, [&] { actions.Finish(); });
    world.time()->At(episode.rest, nullptr, [&] {
      world.CheckRest();
      world.SetQuiet(true);
      actions.Leave();
    });
  }
  world.RunTo(plan.end);
  return {world.hash(), world.time()->steps(), world.disk()->CurrentRev(),
          world.network()->delivered(), world.violation()};
}

Plan Shrink(const Plan& plan, const Violation& violation, const std::string& directory, int runs,
            const MakeCheckers& checkers) {
  Plan best = plan;
  const auto fails = [&](const Plan& candidate) {
    --runs;
    const auto found = RunPlan(candidate, directory, false, checkers).violation;
    return found.has_value() && found->checker == violation.checker;
  };
  // Nothing after the violation matters.
  best.end = violation.at + kSecond;
  std::erase_if(best.actions, [&](const Action& action) { return action.at > violation.at; });
  std::erase_if(best.episodes, [&](const Episode& each) { return each.begin > violation.at; });
  if (!fails(best)) return plan;
  for (size_t chunk = std::max<size_t>(1, best.actions.size() / 2); runs > 0; chunk /= 2) {
    for (size_t at = 0; at < best.actions.size() && runs > 0;) {
      Plan candidate = best;
      const auto first = candidate.actions.begin() + static_cast<std::ptrdiff_t>(at);
      const auto last = candidate.actions.begin() +
                        static_cast<std::ptrdiff_t>(std::min(at + chunk, best.actions.size()));
      candidate.actions.erase(first, last);
      if (fails(candidate)) {
        best = std::move(candidate);
      } else {
        at += chunk;
      }
    }
    if (chunk <= 1) break;
  }
  return best;
}

std::string WorldDirectory(int number) {
  const char* base = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
  return absl::StrCat(base, "/cluster-sim-", getpid(), "-", number);
}

}  // namespace cluster::sim
