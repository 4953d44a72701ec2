// A plan as text, for people and to be run again: the history of a seed that failed, made short, is
// kept in histories/ and does not depend on what seeds make any more.
//
//   seed 36
//   nodes 5
//   ...                           what the cluster is like: one name and one number a line
//   episode 60000000000 780000000000 1080000000000 1380000000000 2580000000000
//   action 1323006000000 apply-into-another-namespace 1234567890
//   end 3600000000000
//
// Times are nanoseconds of the world.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "tests/sim/plan.h"

namespace cluster::sim {

std::string PrintHistory(const Plan& plan);
// InvalidArgument: the line that cannot be read.
absl::StatusOr<Plan> ReadHistory(const std::string& text);

}  // namespace cluster::sim
