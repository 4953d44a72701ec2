// Why pods are where they are, and what a plan would do, for people. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/output/table.h"

#include "cluster/v1/api.pb.h"

namespace cluster::cli {

// Of `why`: the summary, then a node per paragraph: each failed rule with what it lacks and what
// would help, or the score.
std::string WhyText(absl::string_view pod, const v1::WhyResponse& why);

// A row per node, for `describe pod`: "node1", "Insufficient cpu (500m lacking)".
std::vector<Cells> WhyRows(const v1::WhyResponse& why);

// "created", "configured" or "unchanged".
absl::string_view OutcomeText(v1::ApplyOutcome outcome);

// Of `plan`: the objects with the fields that would change, then what follows for pods.
std::string PlanText(const v1::PlanResponse& plan);

// Of `rebalance`: a row per move, under a header.
std::vector<Cells> MoveRows(const v1::RebalanceResponse& moves);

}  // namespace cluster::cli
