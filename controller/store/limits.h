// What every store demands of a transaction before it looks at anything else.
#pragma once

#include "absl/status/status.h"

#include "controller/store/store.h"

namespace cluster::store {

// InvalidArgument for an empty or repeated key or an overlong write_id, ResourceExhausted for too
// many operations or bytes.
absl::Status CheckLimits(const Txn& txn);

// Whether the transaction is accepted while the disk is full.
bool FreesSpace(const Txn& txn);

}  // namespace cluster::store
