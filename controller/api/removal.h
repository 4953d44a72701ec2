// Turns a request to delete one object into one transaction. Nothing is written here.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cluster/v1/api.pb.h"
#include "controller/cache/cache.h"
#include "controller/store/store.h"

namespace cluster::controller {

struct RemovalPlan {
  // Without operations when the end has begun already and nothing is to be shortened.
  store::Txn txn;
  v1::Object object;
  bool gone = false;
};

// A pod that a node runs (and any object with finalizers) gets its deletion timestamp and goes when
// the node (or the finalizers' owner) is done; everything else goes at once. Asked again, only a
// shorter grace changes anything. A pod of a lost node goes at once with grace 0: the node ends it
// when it comes back.
//
// NotFound, Aborted (the uid is another), InvalidArgument (grace), FailedPrecondition (may not go).
absl::StatusOr<RemovalPlan> PlanRemoval(const Cache& cache, const v1::DeleteRequest& request,
                                        absl::Time now);

}  // namespace cluster::controller
