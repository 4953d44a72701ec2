// Namespaces: one that is being deleted takes everything in it along, and goes last.
#pragma once

#include "absl/time/time.h"

#include "controller/reconcile/changes.h"

namespace cluster::controller {

// Also deletes what was made in a namespace that is gone, by someone who had not heard of it yet.
Changes ReconcileNamespaces(const View& view, absl::Time now);

}  // namespace cluster::controller
