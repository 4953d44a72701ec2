// Turns a request to apply objects into one transaction. Nothing is written here.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cluster/v1/api.pb.h"
#include "controller/cache/cache.h"
#include "controller/services/address_book.h"
#include "controller/store/store.h"

namespace cluster::controller {

struct ApplyPlan {
  // Without operations when nothing changes.
  store::Txn txn;
  // In the order of the request.
  std::vector<v1::ApplyResult> results;
  std::vector<std::string> keys;
  // Of the services among them: to be kept until the write is over.
  Reservation reserved;
};

// Without metadata.resourceVersion an object is merged as a declaration: what the system keeps in
// it (uid, status, owners, finalizers, the node of a pod, replicas that the manifest leaves open,
// annotations of the controllers, what was chosen for a service) stays. With it the object is
// replaced whole, if it still has that version.
//
// Names and uids of new objects are derived from `write_id`, so that a repeated request plans the
// same.
//
// InvalidArgument (all violations of all objects in the payload, see status.h), NotFound
// (namespace), AlreadyExists (a generated name is taken), Aborted (resourceVersion or uid do not
// hold), FailedPrecondition (namespace is going; a LimitRange or a ResourceQuota does not let it
// in), ResourceExhausted (limits; no address or port is left for a service).
absl::StatusOr<ApplyPlan> PlanApply(const Cache& cache, AddressBook* addresses,
                                    const v1::ApplyRequest& request, const std::string& write_id,
                                    absl::Time now);

}  // namespace cluster::controller
