// What LimitRanges, ResourceQuotas and PriorityClasses make of new objects: the one place that
// everything goes through that comes into being, whether a user asks for it (api/apply) or a
// controller does (AdmitCreations, at the end of every pass). Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"

#include "controller/admission/limit_ranges.h"
#include "controller/admission/quotas.h"
#include "controller/reconcile/changes.h"

namespace cluster::controller {

// On a ReplicaSet, a Job and so on: its pods are refused, and why.
constexpr absl::string_view kReplicaFailure = "ReplicaFailure";

// `pods "web-1" is forbidden: exceeded quota: ...`
std::string ForbiddenText(const v1::Object& object, const std::string& name,
                          const std::string& reason);
// The same for what LimitRanges say: one reason bare, several in brackets.
std::string JoinProblems(const std::vector<std::string>& problems);

// Why an object that is to be created now would not be; "" when it would.
std::string WhyRefused(const View& view, v1::Object object);

// Fills in what is to be created (pods get their priority), takes out what may not be, and says so
// in the conditions and events of those who wanted it. The statuses of quotas follow what there is;
// where something is created they are one transaction with it, so that two creations never both get
// the last of a quota.
void AdmitCreations(const View& view, absl::Time now, Changes* changes);

}  // namespace cluster::controller
