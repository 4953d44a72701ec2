// What pods that are there mean to one that is to come: affinity, anti-affinity, spread.
#pragma once

#include <cstdint>
#include <vector>

#include "controller/scheduler/filters.h"
#include "controller/scheduler/pod_shape.h"
#include "controller/scheduler/term_index.h"

namespace cluster::controller {

// Rules of places of one node each (kLocal) change with that node alone; rules of wider places are
// the same for all nodes of a place.
enum class Scope { kLocal, kWide, kAll };

// Every required rule lets the pod go to the node.
bool NeighboursAllow(const PodShape& shape, const TermIndex& index, int node, Scope scope);
// Every rule that does not.
void AddNeighbourRejections(const PodShape& shape, const TermIndex& index, int node,
                            std::vector<Rejection>* found);

// Weights of preferred rules, of the pod and of those that are there, added up; pods that a spread
// constraint would rather have elsewhere count 100 each. More is better.
int64_t NeighbourPreference(const PodShape& shape, const TermIndex& index, int node, Scope scope);
// The part of the above that comes from ScheduleAnyway.
int64_t SpreadPreference(const PodShape& shape, const TermIndex& index, int node, Scope scope);

// No pod is in the selections of its required affinity yet, but it is itself: it may be the first.
bool MayBeFirst(const PodShape& shape, const TermIndex& index);

// Whether any rule of neighbours concerns the pod at all, now or once others come.
bool HasNeighbourRules(const PodShape& shape, const TermIndex& index);

}  // namespace cluster::controller
