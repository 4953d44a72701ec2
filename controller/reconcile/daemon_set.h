// DaemonSets: one pod on every node that the template may run on.
#pragma once

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/names.h"

namespace cluster::controller {

// Every DaemonSet of the view. `taken` holds the keys that earlier laws write in this pass: a set
// whose pods or revisions are among them waits for the next one. A pod is made for one node; the
// scheduler binds it there once it fits. At most kMostCreatedPerPass pods are made per set and
// pass.
Changes ReconcileDaemonSets(const View& view, absl::flat_hash_set<std::string> taken,
                            absl::Time now, Random* random);

}  // namespace cluster::controller
