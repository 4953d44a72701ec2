// What counts from a stored time when the wall clock is set.
#pragma once

#include "absl/time/time.h"

#include "controller/reconcile/changes.h"

namespace cluster::controller {

// Moves along what deadlines count from, by as much as the clock was moved: the progress of
// Deployments, which would be rolled back otherwise, and the start of Jobs that have a deadline.
Changes ShiftDeadlines(const View& view, absl::Duration step);

}  // namespace cluster::controller
