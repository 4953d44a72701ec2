// Disruption budgets and priority classes.
#pragma once

#include "cluster/v1/object.pb.h"
#include "proto/validate/findings.h"

namespace cluster {

// Priorities above this are the system's own.
inline constexpr int kMostPriority = 1'000'000'000;

void CheckBudget(const v1::PodDisruptionBudgetSpec& spec, Findings* findings);
void CheckPriorityClass(const v1::PriorityClass& priority_class, Findings* findings);
void CheckPriorityClassKept(const v1::PriorityClass& before, const v1::PriorityClass& after,
                            Findings* findings);

}  // namespace cluster
