// Claims of StatefulSets: one per pod and template, made before the pod, kept when it goes, and
// deleted only where persistentVolumeClaimRetentionPolicy says so.
#pragma once

#include <set>
#include <string>

#include "controller/reconcile/changes.h"
#include "controller/reconcile/template_history.h"

namespace cluster::controller {

// Makes the claims that the pod of this number lacks. Returns the name of one that is being
// deleted, for which the pod has to wait: it would lose its data; "" when there is none.
std::string MakeClaims(const Entry& set, int ordinal, const PassInputs& inputs, Changes* changes);

// Follows the retention policy: the set owns its claims where they go with it (whenDeleted), and
// deletes those of numbers that it has no pod for any more (whenScaled). `present`: numbers of pods
// that there are, in whatever state.
void FollowRetention(const Entry& set, const std::set<int>& present, const PassInputs& inputs,
                     Changes* changes);

}  // namespace cluster::controller
