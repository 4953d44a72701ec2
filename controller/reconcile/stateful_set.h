// StatefulSets: pods with names, claims and an order of their own, each at most once (law 8).
//
// A name is given to a new pod only when the object of the pod that had it is gone; that of a pod
// on a lost node goes when the node is known to have stopped it (node_lifecycle.h).
#pragma once

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/names.h"

namespace cluster::controller {

// Every StatefulSet of the view. `taken` holds the keys that earlier laws write in this pass: a set
// whose pods or revisions are among them waits for the next one.
//
// Beyond Kubernetes: a pod that is not ready and of a superseded revision is replaced at once, so a
// broken template never blocks the one that mends it; and the condition Progressing says what a set
// waits for.
Changes ReconcileStatefulSets(const View& view, absl::flat_hash_set<std::string> taken,
                              absl::Time now, Random* random);

}  // namespace cluster::controller
