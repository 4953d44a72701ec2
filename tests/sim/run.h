// Runs seeds, and makes the history of one that fails as short as it can.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "tests/sim/checkers/all.h"
#include "tests/sim/plan.h"

namespace cluster::sim {

struct Outcome {
  uint64_t hash = 0;
  int64_t steps = 0;      // tasks that ran
  int64_t revisions = 0;  // of the store
  int64_t messages = 0;   // that arrived
  std::optional<Violation> violation;
};

using MakeCheckers = std::function<Checkers(World*)>;

// `directory` is the run's own while it runs.
Outcome RunPlan(const Plan& plan, const std::string& directory, bool trace = false,
                const MakeCheckers& checkers = AllCheckers);

// A shorter plan that fails in the same checker, found in at most `runs` runs.
Plan Shrink(const Plan& plan, const Violation& violation, const std::string& directory, int runs,
            const MakeCheckers& checkers = AllCheckers);

// For people: what the cluster is like, and its history.
std::string Describe(const Plan& plan);

// A directory in memory, or else among the temporary ones, for this process alone.
std::string WorldDirectory(int number);

}  // namespace cluster::sim
