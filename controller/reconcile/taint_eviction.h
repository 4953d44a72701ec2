// NoExecute: pods leave a node whose taint they do not tolerate, or not for so long.
#pragma once

#include "absl/time/time.h"

#include "controller/reconcile/changes.h"

namespace cluster::controller {

// A taint counts from its timeAdded, which is written here where it is missing, and for a pod that
// came later from then: it would be replaced by one that has to go at once, again and again. Pods
// without a matching toleration end at once, the others when the shortest tolerationSeconds of the
// matching tolerations are over, each by itself; a taint that is taken away in time changes
// nothing.
Changes ReconcileTaints(const View& view, absl::Time now);

}  // namespace cluster::controller
