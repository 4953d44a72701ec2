// PersistentVolumeClaims: bound to the node of their first pod, kept while pods use them.
#pragma once

#include "absl/time/time.h"

#include "controller/reconcile/changes.h"

namespace cluster::controller {

// A claim that no pod uses any more and whose data is on no node goes; one whose data is on a node
// waits until that node has removed it (controller/session/status_writer.h).
Changes ReconcileClaims(const View& view, absl::Time now);

}  // namespace cluster::controller
