// ReplicaSets: keep the number of their pods.
#pragma once

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/names.h"
#include "controller/reconcile/settled.h"

namespace cluster::controller {

// Pods made per ReplicaSet and pass at most. Where many sets grow at once each gets its share of
// kMostCreatedTogether, and no less than kLeastShare: passes stay short, and pods that are made run
// while more are being made.
constexpr int kMostCreatedPerPass = 500;
constexpr int kMostCreatedTogether = 5000;
constexpr int kLeastShare = 20;

// Every ReplicaSet of the view. `taken` holds the keys that earlier laws write in this pass: a set
// that is in there, or one of whose pods is, waits for the next pass, so that no decision rests on
// a number that is just changing. Deletions come before creations. `settled` may be nullptr.
Changes ReconcileReplicas(const View& view, const absl::flat_hash_set<std::string>& taken,
                          absl::Time now, Random* random, Settled* settled = nullptr);

}  // namespace cluster::controller
