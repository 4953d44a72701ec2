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
// `show`: with trace, objects with this in their keys are told whole; "" = none.
Outcome RunPlan(const Plan& plan, const std::string& directory, bool trace = false,
                const MakeCheckers& checkers = AllCheckers, const std::string& show = "");

// A shorter plan that fails in the same checker, found in at most `runs` runs.
Plan Shrink(const Plan& plan, const Violation& violation, const std::string& directory, int runs,
            const MakeCheckers& checkers = AllCheckers);

// A directory in memory, or else among the temporary ones, for this process alone.
std::string WorldDirectory(int number);

}  // namespace cluster::sim
